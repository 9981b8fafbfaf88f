// The end of a linear layer, shared by its variants.
fn store(row: u32, output: u32, sum: f32) {
    var value = sum;
    if HAS_BIAS {
        value += bias[output];
    }
    value = activate1(ACTIVATION, value);
    let at = row * params.n + output;
    if HAS_GATE {
        value *= gate[at];
    }
    if HAS_RESIDUAL {
        value += residual[at];
    }
    y[at] = value * params.scale;
}
