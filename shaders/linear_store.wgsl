// The end of a linear layer: y = (act(sum + bias) · gate + residual) · scale for four neighbouring outputs of a row.

override HAS_BIAS: bool;
override HAS_GATE: bool;
override HAS_RESIDUAL: bool;
override ACTIVATION: u32;

// `first` counts within the slab; what lies beyond its outputs is dropped.
fn store(row: u32, first: u32, sum: vec4<f32>) {
    if row >= params.m || first >= params.outputs {
        return;
    }
    let output = params.first_output + first;
    var value = sum;
    if HAS_BIAS {
        value += read_bias(output);
    }
    value = activate(ACTIVATION, value);
    let at = row * params.n + output;
    if HAS_GATE {
        value *= read_gate(at);
    }
    if HAS_RESIDUAL {
        value += read_residual(at);
    }
    write_y(at, value * params.scale, params.outputs - first);
}
