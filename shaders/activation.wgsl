// Activation functions (`Activation` in src/gpu/kernels/activation.rs, same numbers). Callers pass an `override`
// constant as the kind, so that the driver drops the other branches.

// The complementary error function for x >= 0: Abramowitz and Stegun 7.1.26, error below 1.5e-7. As erfc rather than
// erf, so that gelu keeps its relative precision where it is small.
fn erfc_positive(x: vec4<f32>) -> vec4<f32> {
    let t = 1.0 / (1.0 + 0.3275911 * x);
    let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return p * exp(-x * x);
}

fn activate(kind: u32, x: vec4<f32>) -> vec4<f32> {
    switch kind {
        case 1u: { // relu
            return max(x, vec4(0.0));
        }
        case 2u: { // silu; the clamp keeps exp finite
            return x / (1.0 + exp(-max(x, vec4(-80.0))));
        }
        case 3u: { // gelu: x · Φ(x), with Φ(x) = erfc(−x / √2) / 2
            let tail = 0.5 * x * erfc_positive(abs(x) * 0.70710678);
            return select(x - tail, tail, x < vec4(0.0));
        }
        case 4u: { // gelu, tanh form; the clamp keeps tanh finite on drivers that compute it from exp
            let inner = 0.7978845608 * (x + 0.044715 * x * x * x);
            return 0.5 * x * (1.0 + tanh(clamp(inner, vec4(-15.0), vec4(15.0))));
        }
        default: {
            return x;
        }
    }
}

fn activate1(kind: u32, x: f32) -> f32 {
    return activate(kind, vec4(x)).x;
}
