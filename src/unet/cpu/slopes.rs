//! The way back through an activation, in the processor's widest vectors: plain loops over arrays of 16, which the compiler
//! turns into vectors of the processor that was found.

use super::lanes::{ERF_BOTTOM, ERF_RANGE, ERF_TOP};
use crate::unet::architecture::Activation;
use pulp::{Arch, Simd, WithSimd};

const LANES: usize = 16;

/// `out = gradient · f'(a · x + b)`, and the sums of `out` and of `out · (x − mean)`.
pub(super) struct Pull<'a> {
    pub x: &'a [f32],
    pub gradient: &'a [f32],
    pub a: f32,
    pub b: f32,
    pub mean: f32,
    pub activation: Option<Activation>,
    pub out: &'a mut [f32],
}

impl Pull<'_> {
    pub fn run(self) -> [f32; 2] {
        Arch::new().dispatch(self)
    }
}

impl WithSimd for Pull<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f32; 2] {
        match self.activation {
            None => pull::<Straight>(self),
            Some(Activation::Relu) => pull::<Relu>(self),
            Some(Activation::Silu) => pull::<Silu>(self),
            Some(Activation::Gelu) => pull::<Gelu>(self),
        }
    }
}

#[inline(always)]
fn pull<F: Slope>(Pull { x, gradient, a, b, mean, out, .. }: Pull<'_>) -> [f32; 2] {
    let (mut sums, mut products) = ([0.0f32; LANES], [0.0f32; LANES]);
    let ((x, x_rest), (gradient, gradient_rest)) = (x.as_chunks::<LANES>(), gradient.as_chunks::<LANES>());
    let (out, out_rest) = out.as_chunks_mut::<LANES>();
    for ((x, gradient), out) in x.iter().zip(gradient).zip(out) {
        for lane in 0..LANES {
            let value = gradient[lane] * F::at(a * x[lane] + b);
            out[lane] = value;
            sums[lane] += value;
            products[lane] += value * (x[lane] - mean);
        }
    }
    let mut totals = [sums.iter().sum(), products.iter().sum()];
    for ((x, gradient), out) in x_rest.iter().zip(gradient_rest).zip(out_rest) {
        *out = gradient * F::at(a * x + b);
        totals[0] += *out;
        totals[1] += *out * (x - mean);
    }
    totals
}

/// `out = a · out + c · x + d`.
pub(super) struct Spread<'a> {
    pub x: &'a [f32],
    pub a: f32,
    pub c: f32,
    pub d: f32,
    pub out: &'a mut [f32],
}

impl Spread<'_> {
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, x) in self.out.iter_mut().zip(self.x) {
            *out = self.a * *out + (self.c * *x + self.d);
        }
    }
}

/// The derivative of an activation.
trait Slope {
    fn at(z: f32) -> f32;
}

struct Straight;
struct Relu;
struct Silu;
struct Gelu;

impl Slope for Straight {
    #[inline(always)]
    fn at(_: f32) -> f32 {
        1.0
    }
}

impl Slope for Relu {
    #[inline(always)]
    fn at(z: f32) -> f32 {
        if z > 0.0 { 1.0 } else { 0.0 }
    }
}

impl Slope for Silu {
    #[inline(always)]
    fn at(z: f32) -> f32 {
        let small = exp(-z.abs());
        let share = if z >= 0.0 { 1.0 } else { small } / (1.0 + small);
        share * (1.0 + z * (1.0 - share))
    }
}

impl Slope for Gelu {
    #[inline(always)]
    fn at(z: f32) -> f32 {
        let clamped = z.clamp(-ERF_RANGE, ERF_RANGE);
        let square = clamped * clamped;
        let erf = clamped * polynomial(&ERF_TOP, square) / polynomial(&ERF_BOTTOM, square);
        // 1 / √(2π)
        0.5 + 0.5 * erf + z * (0.398_942_3 * exp(-0.5 * z * z))
    }
}

#[inline(always)]
fn polynomial(coefficients: &[f32; 6], x: f32) -> f32 {
    let [a, b, c, d, e, f] = *coefficients;
    ((((f * x + e) * x + d) * x + c) * x + b) * x + a
}

/// eˣ of values that are not positive, to the last bits of f32; 0 far below.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // 1.5 · 2²³: adding it leaves the nearest whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts, so that the first product is exact.
    let rest = (x - whole * 0.693_359_4) + whole * 2.121_944_4e-4;
    let series = 1.0
        + rest * (1.0 + rest * (0.5 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest * (1.0 / 120.0 + rest / 720.0)))));
    f32::from_bits(series.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_the_derivatives() {
        let derivative = |f: &dyn Fn(f64) -> f64, z: f64| (f(z + 1e-5) - f(z - 1e-5)) / 2e-5;
        let gelu = |z: f64| 0.5 * z * (1.0 + libm::erf(z / std::f64::consts::SQRT_2));
        let silu = |z: f64| z / (1.0 + (-z).exp());
        for step in -2000..2000 {
            let z = f64::from(step) * 0.01 + 0.003;
            let close = |slope: f32, f: &dyn Fn(f64) -> f64| (f64::from(slope) - derivative(f, z)).abs() < 2e-6;
            assert!(close(Gelu::at(z as f32), &gelu), "gelu {z}: {}", Gelu::at(z as f32));
            assert!(close(Silu::at(z as f32), &silu), "silu {z}: {}", Silu::at(z as f32));
            assert!(close(Relu::at(z as f32), &|z: f64| z.max(0.0)), "relu {z}: {}", Relu::at(z as f32));
        }
    }
}
