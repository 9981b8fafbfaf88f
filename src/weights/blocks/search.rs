//! The search for a group's scale: candidates around the obvious step, each with the scale that fits its quants best in
//! the least squares, weighted. The method is that of ggml's `make_qkx2_quants` and `make_qx_quants`.

/// Below it a group counts as zero.
const NOTHING: f32 = 1e-15;

/// The nearest whole number in `low..=high`, halves to even; not a number for what is none.
pub(super) fn nearest(x: f32, low: f32, high: f32) -> f32 {
    // So large that no fraction is left; a call of the standard library's rounding would keep loops from becoming vectors.
    const SHIFT: f32 = 12_582_912.0;
    (x.clamp(low, high) + SHIFT) - SHIFT
}

/// Sums `terms(i)` over `i < N`, eight at a time, so that loops become vectors.
fn sums<const N: usize, const K: usize>(terms: impl Fn(usize) -> [f32; K]) -> [f32; K] {
    let mut lanes = [[0.0f32; 8]; K];
    for first in (0..N).step_by(8) {
        for lane in 0..8 {
            let terms = terms(first + lane);
            for (sum, term) in lanes.iter_mut().zip(terms) {
                sum[lane] += term;
            }
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}

/// Scale and minimum, both at least 0, so that `scale·q − minimum` with `q` in `0..=top` is near `values`. Large values
/// weigh more. `steps`: tenths of a quant by which the range is stretched.
pub(super) fn affine(values: &[f32; 32], top: f32, steps: std::ops::RangeInclusive<i8>) -> (f32, f32) {
    let lowest = values.iter().fold(0.0f32, |low, &v| low.min(v));
    let highest = values.iter().fold(lowest, |high, &v| high.max(v));
    if highest <= lowest {
        return (0.0, -lowest);
    }
    let [squares] = sums::<32, 1>(|i| [values[i] * values[i]]);
    let mean = (squares / 32.0).sqrt();
    let weights = values.map(|value| mean + value.abs());
    let [w, wx] = sums::<32, 2>(|i| [weights[i], weights[i] * values[i]]);
    let quantised = |stretch: f32, minimum: f32| {
        let inverse = (top + stretch) / (highest + minimum);
        values.map(|value| nearest(inverse * (value + minimum), 0.0, top))
    };
    let error = |quants: &[f32; 32], (scale, minimum): (f32, f32)| {
        let [error] = sums::<32, 1>(|i| {
            let difference = scale * quants[i] - minimum - values[i];
            [weights[i] * difference * difference]
        });
        error
    };
    let mut best = ((highest - lowest) / top, -lowest);
    let mut least = error(&quantised(0.0, -lowest), best);
    for step in steps {
        // From the best minimum so far, which the steps thus move on.
        let quants = quantised(0.1 * f32::from(step), best.1);
        let [wq, wqq, wqx] = sums::<32, 3>(|i| {
            let wq = weights[i] * quants[i];
            [wq, wq * quants[i], wq * values[i]]
        });
        let determinant = w * wqq - wq * wq;
        if determinant <= 0.0 {
            continue;
        }
        let minimum = (wq * wqx - wqq * wx) / determinant;
        let fitted = if minimum < 0.0 { (wqx / wqq, 0.0) } else { ((w * wqx - wx * wq) / determinant, minimum) };
        let error = error(&quants, fitted);
        if error < least {
            (best, least) = (fitted, error);
        }
    }
    best
}

/// The scale, of either sign, so that `scale·q` with `q` in `−32..=31` is near `values`. Values weigh by their squares.
pub(super) fn symmetric(values: &[f32; 16]) -> f32 {
    let most = values.iter().fold(0.0f32, |most, v| if v.abs() > most.abs() { *v } else { most });
    if most.abs() < NOTHING {
        return 0.0;
    }
    let (mut best, mut most_explained) = (-most / 32.0, 0.0);
    // The plain step first: among equals, such as in a group of one large value, it leaves the finest scale.
    for step in std::iter::once(0).chain(-9i8..=9) {
        // The value of the largest magnitude maps to the neighbourhood of −32, which is further from zero than 31.
        let inverse = -(32.0 + 0.1 * f32::from(step)) / most;
        let [wqx, wqq] = sums::<16, 2>(|i| {
            let (x, q) = (values[i], nearest(inverse * values[i], -32.0, 31.0));
            let wq = x * x * q;
            [wq * x, wq * q]
        });
        let scale = wqx / wqq;
        if wqq > 0.0 && scale * wqx > most_explained {
            (best, most_explained) = (scale, scale * wqx);
        }
    }
    best
}
