//! Static and dynamic thresholding (Imagen, section 2.3).

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, STEP_WGSL, Shape, Tensor};

impl PlanBuilder {
    /// How [`Self::sampler_update`] is to keep x0 in range: per image a limit and a divisor, `[images, 2]`. Kind,
    /// quantile and maximum are those of the step, so they can change without another plan.
    ///
    /// # Errors
    /// A tensor that the device cannot bind.
    pub fn threshold(&mut self, x0: Tensor) -> Result<Tensor, GpuError> {
        let images = x0.shape.batch;
        let scales = self.tensor(Shape::vector(images, 2))?;
        let mut dispatch =
            Dispatch::new("threshold", "main", &[STEP_WGSL, include_str!("../../../shaders/threshold.wgsl")])
                .u32((x0.shape.values() / u64::from(images)) as u32)
                .read(x0)
                .write(scales)
                .step();
        dispatch.workgroups = [images, 1, 1];
        self.record(dispatch)?;
        Ok(scales)
    }
}

#[cfg(test)]
mod tests {
    use crate::diffusion::{NoiseScale, Step, Thresholding, scales};
    use crate::gpu::plan::{Shape, StepParams};
    use crate::gpu::testing::{TestWeights, device, run_on, values};

    fn step(thresholding: Thresholding) -> StepParams {
        let step = Step {
            timestep: 0.0,
            alpha: 1.0,
            sigma: 0.0,
            keep: 0.0,
            denoised: 1.0,
            previous: 0.0,
            noise: NoiseScale::None,
        };
        StepParams::new(&step, 1.0, thresholding)
    }

    /// Limit and divisor of every image.
    fn limits(images: u32, size: u32, x0: &[f32], thresholding: Thresholding) -> Vec<f32> {
        let shape = Shape { batch: images, height: 3, width: size, channels: size };
        let outputs = run_on(&device(), &TestWeights::new(), &[(shape, x0)], Some(step(thresholding)), |b, t| {
            Ok(vec![("scales", b.threshold(t[0])?)])
        });
        outputs.unwrap().remove("scales").unwrap()
    }

    fn check(images: u32, size: u32, x0: &[f32], quantile: f32, max: f32) {
        let dynamic = Thresholding::Dynamic { quantile, max };
        let expected = scales(dynamic, x0, images as usize);
        for (pair, s) in limits(images, size, x0, dynamic).chunks(2).zip(expected) {
            assert!((pair[0] - s).abs() <= 2e-7 * s, "{pair:?} is not {s}: {images} × {size}², quantile {quantile}");
            assert_eq!(pair[0], pair[1]);
        }
    }

    #[test]
    fn the_quantile_is_exact() {
        for (images, size, quantile) in [
            (1, 1, 0.95),
            (2, 5, 0.95),
            (4, 16, 0.995),
            (3, 33, 0.5),
            (1, 64, 0.0),
            (2, 7, 1.0),
            (1, 256, 0.95),
            (1, 64, 0.001),
        ] {
            // Spread over many exponents, so that every pass of the selection has something to do.
            let x0: Vec<f32> = values(size, (images * 3 * size * size) as usize)
                .iter()
                .map(|value| value * (8.0 * value).exp2() * 4.0 + 1.0)
                .collect();
            check(images, size, &x0, quantile, 1e6);
        }
    }

    #[test]
    fn ties_and_gaps() {
        let equal = vec![-1.25; 3 * 9];
        check(1, 3, &equal, 0.7, 10.0);
        // The rank falls on the last of many equals; the next value lies far above.
        let mut gap = vec![1.5; 27];
        gap[20..].fill(-3.75);
        for quantile in [0.72, 0.74, 0.76, 0.78] {
            check(1, 3, &gap, quantile, 10.0);
        }
        // Neighbours that differ in the last bit only.
        let close: Vec<f32> = (0..27).map(|i| f32::from_bits(2.0f32.to_bits() + i % 5)).collect();
        check(1, 3, &close, 0.41, 10.0);
    }

    #[test]
    fn the_scale_stays_within_one_and_the_maximum() {
        let x0: Vec<f32> =
            values(1, 54).iter().enumerate().map(|(i, v)| if i < 27 { v * 0.5 } else { v * 9.0 }).collect();
        let dynamic = Thresholding::Dynamic { quantile: 0.95, max: 1.5 };
        assert_eq!(limits(2, 3, &x0, dynamic), [1.0, 1.0, 1.5, 1.5]);
    }

    #[test]
    fn other_kinds() {
        let x0 = values(1, 27);
        assert_eq!(limits(1, 3, &x0, Thresholding::Static { max: 4.0 }), [4.0, 1.0]);
        let [limit, divisor] = limits(1, 3, &x0, Thresholding::None)[..] else { panic!("two values") };
        assert!(limit > 1e38 && divisor == 1.0);
    }
}
