//! Arithmetic over many values in the processor's widest vectors, as it is found to have them (in WebAssembly: 128 bits).

use crate::unet::architecture::Activation;
use pulp::{Arch, Simd, WithSimd};

/// erf(x / √2) / x as a fraction of two polynomials in x², for |x| up to the range; beyond, erf is 1 in f32. Fitted;
/// off by less than 3e-8, and 4e-7 with the rounding of f32.
pub(super) const ERF_TOP: [f32; 6] =
    [0.797_884_46, 0.067_704_834, 0.009_354_49, 0.000_337_646_1, 1.270_415_2e-5, 4.549_889_7e-8];
pub(super) const ERF_BOTTOM: [f32; 6] =
    [1.0, 0.251_521_35, 0.028_645_735, 0.001_884_430_4, 7.364_653e-5, 1.197_503_1e-6];
pub(super) const ERF_RANGE: f32 = 5.5;

/// The sums of all differences from a value and of their squares.
pub(super) struct Differences<'a> {
    pub values: &'a [f32],
    pub from: f32,
}

impl Differences<'_> {
    pub fn run(self) -> [f32; 2] {
        Arch::new().dispatch(self)
    }
}

impl WithSimd for Differences<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f32; 2] {
        let from = simd.splat_f32s(self.from);
        let (vectors, rest) = S::as_simd_f32s(self.values);
        let (fours, few) = vectors.as_chunks::<4>();
        // Four sums, so that additions need not wait for each other.
        let mut sums = [simd.splat_f32s(0.0); 4];
        let mut squares = sums;
        for four in fours {
            for ((x, sum), square) in four.iter().zip(&mut sums).zip(&mut squares) {
                let difference = simd.sub_f32s(*x, from);
                *sum = simd.add_f32s(*sum, difference);
                *square = simd.mul_add_e_f32s(difference, difference, *square);
            }
        }
        for x in few {
            let difference = simd.sub_f32s(*x, from);
            sums[0] = simd.add_f32s(sums[0], difference);
            squares[0] = simd.mul_add_e_f32s(difference, difference, squares[0]);
        }
        let mut totals = [total(simd, sums), total(simd, squares)];
        for x in rest {
            let difference = x - self.from;
            totals[0] += difference;
            totals[1] += difference * difference;
        }
        totals
    }
}

#[inline(always)]
fn total<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> f32 {
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}

/// `out = activation(a · x + b)`.
pub(super) struct Affine<'a> {
    pub x: &'a [f32],
    pub a: f32,
    pub b: f32,
    pub activation: Option<Activation>,
    pub out: &'a mut [f32],
}

impl Affine<'_> {
    pub fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (a, b) = (simd.splat_f32s(self.a), simd.splat_f32s(self.b));
        let ((x, x_rest), (out, out_rest)) = (S::as_simd_f32s(self.x), S::as_mut_simd_f32s(self.out));
        for (x, out) in x.iter().zip(out) {
            *out = activate(simd, self.activation, simd.mul_add_e_f32s(a, *x, b));
        }
        let rest = simd.mul_add_e_f32s(a, simd.partial_load_f32s(x_rest), b);
        simd.partial_store_f32s(out_rest, activate(simd, self.activation, rest));
    }
}

// No closures from here on: they would not be compiled for the processor that was found.

#[inline(always)]
fn activate<S: Simd>(simd: S, activation: Option<Activation>, mut x: S::f32s) -> S::f32s {
    match activation {
        None => x,
        Some(Activation::Relu) => simd.max_f32s(x, simd.splat_f32s(0.0)),
        Some(Activation::Gelu) => gelu(simd, x),
        Some(Activation::Silu) => {
            for x in bytemuck::cast_slice_mut::<_, f32>(std::slice::from_mut(&mut x)) {
                *x /= 1.0 + libm::expf(-*x);
            }
            x
        }
    }
}

/// x · Φ(x).
#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let clamped = simd.min_f32s(x, simd.splat_f32s(ERF_RANGE));
    let clamped = simd.max_f32s(clamped, simd.splat_f32s(-ERF_RANGE));
    let square = simd.mul_f32s(clamped, clamped);
    let erf = simd.mul_f32s(clamped, polynomial(simd, &ERF_TOP, square));
    let erf = simd.div_f32s(erf, polynomial(simd, &ERF_BOTTOM, square));
    let half = simd.mul_f32s(x, simd.splat_f32s(0.5));
    simd.mul_add_e_f32s(half, erf, half)
}

#[inline(always)]
fn polynomial<S: Simd>(simd: S, coefficients: &[f32; 6], x: S::f32s) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[5]);
    for coefficient in coefficients[..5].iter().rev() {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(*coefficient));
    }
    sum
}
