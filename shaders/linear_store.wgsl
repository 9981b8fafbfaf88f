// The end of a linear layer: y = (act(sum + bias) · gate + residual) · scale for four neighbouring outputs of a row.

override HAS_GATE: bool;
override ACTIVATION: u32;

// `first` counts within the slab; what lies beyond its outputs is dropped.
fn store(row: u32, first: u32, sum: vec4<f32>) {
    if row >= params.m || first >= params.outputs {
        return;
    }
    let output = params.first_output + first;
    // An absent bias or residual reads as zero.
    var value = activate(ACTIVATION, sum + read_bias(output));
    let at = row * params.n + output;
    if HAS_GATE {
        value *= read_gate(at);
    }
    write_y(at, (value + read_residual(at)) * params.scale, params.outputs - first);
}
