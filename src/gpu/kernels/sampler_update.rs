//! The update of one sampler step, the same for DDPM, DDIM and DPM-Solver++ (see [`crate::diffusion::Step`]).

use super::fold::{Fold, NetworkOutput, same_shape};
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, STEP_WGSL, Tensor};

/// What a sampler step works on. All pictures are planar `[images, colours, size, size]`.
#[derive(Clone, Copy, Debug)]
pub struct SamplerUpdate {
    /// The state; updated in place.
    pub x: Tensor,
    /// From [`PlanBuilder::predict_x0`].
    pub x0: Tensor,
    /// From [`PlanBuilder::threshold`].
    pub scales: Tensor,
    /// The thresholded x0 of the step before; replaced by this step's. An input of the plan, like `x`; also what a
    /// preview shows.
    pub previous: Tensor,
    /// Standard normal noise, planar; read only where the step adds noise.
    pub noise: Tensor,
    /// The network's output, whose second half of channels is the variance where the step's noise is learned.
    /// With guidance, the variance is that of the rows with the prompt.
    pub out: NetworkOutput,
    pub patch: u32,
}

impl PlanBuilder {
    /// x' = keep·x + denoised·x0 + previous·x0' + noise, with the step's factors and the thresholded x0; x0' becomes x0.
    ///
    /// # Errors
    /// Shapes that do not fit together.
    pub fn sampler_update(&mut self, update: SamplerUpdate) -> Result<(), GpuError> {
        const OP: &str = "sampler_update";
        let SamplerUpdate { x, x0, scales, previous, noise, out, patch } = update;
        let fold = Fold::new(OP, x.shape, out, patch)?;
        same_shape(OP, x, &[x0, previous, noise])?;
        if scales.shape.values() != 2 * u64::from(x.shape.batch) {
            return Err(GpuError::shape(OP, format!("scales {:?} for {:?}", scales.shape, x.shape)));
        }
        let source = [
            STEP_WGSL,
            include_str!("../../../shaders/pixel.wgsl"),
            include_str!("../../../shaders/sampler_update.wgsl"),
        ];
        let dispatch = fold
            .params(Dispatch::new(OP, "main", &source), 0)
            .update(x)
            .read(x0)
            .read(scales)
            .update(previous)
            .read(noise)
            .read(out.tensors().1)
            .step()
            .workgroups(fold.values.div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)
    }
}

#[cfg(test)]
mod tests {
    use super::{NetworkOutput, SamplerUpdate};
    use crate::diffusion::{
        NoiseScale, Prediction, Sampler, Schedule, ScheduleConfig, Thresholding, Variance, guide, update,
    };
    use crate::gpu::GpuWeights;
    use crate::gpu::kernels::{Activation, Norm, Resample};
    use crate::gpu::plan::{Plan, PlanBuilder, Shape, StepParams};
    use crate::gpu::testing::{device, values};
    use crate::weights::WeightIndex;

    const GUIDANCE: f32 = 3.5;
    const STEPS: u32 = 4;

    /// A run of a sampler: images of this size, patches, rows per image.
    #[derive(Clone, Copy, Debug)]
    struct Case {
        sampler: Sampler,
        variance: Variance,
        prediction: Prediction,
        thresholding: Thresholding,
        images: u32,
        size: u32,
        patch: u32,
        rows: u32,
        /// The rows with the prompt in a pass of their own.
        passes: bool,
    }

    impl Case {
        fn planar(self) -> Shape {
            Shape { batch: self.images, height: 3, width: self.size, channels: self.size }
        }

        /// Prediction and variance channels of the network.
        fn channels(self) -> u32 {
            6 * self.patch * self.patch
        }

        /// A network that is not quite the identity, and another one for every row and channel: out = a·in + b, where
        /// the input's second picture becomes the variance.
        fn affine(self) -> Vec<f32> {
            let channels = self.channels() as usize;
            let mut affine = values(5, 2 * channels * (self.images * self.rows) as usize);
            for entry in affine.chunks_mut(2 * channels) {
                entry[..channels].iter_mut().for_each(|a| *a = 0.5 + 0.2 * *a);
                entry[channels..].iter_mut().for_each(|b| *b *= 0.1);
            }
            affine
        }

        /// The same network on the CPU, planar: one row of outputs per image, for the planes from `first`.
        fn network(self, affine: &[f32], row: u32, first: u32, input: &[f32]) -> Vec<f32> {
            let (s, p, channels) = (self.size, self.patch, self.channels());
            let out = |(index, value): (usize, &f32)| {
                let index = index as u32;
                let (image, colour, y, x) = (index / (3 * s * s), index / (s * s) % 3, index / s % s, index % s);
                let channel = ((first + colour) * p + y % p) * p + x % p;
                let entry = (row * self.images + image) * 2 * channels;
                affine[(entry + channel) as usize] * value + affine[(entry + channels + channel) as usize]
            };
            input.iter().enumerate().map(out).collect()
        }

        async fn compile(self) -> Plan {
            // So few that the larger cases need a second dimension, as pictures of 1024² do.
            let limits = wgpu::Limits { max_compute_workgroups_per_dimension: 10, ..device().limits().clone() };
            let mut b = PlanBuilder::new(&WeightIndex::new(), &limits);
            let input = |b: &mut PlanBuilder, name| b.input(name, self.planar()).unwrap();
            let (x, variance) = (input(&mut b, "x"), input(&mut b, "variance"));
            let (previous, noise) = (input(&mut b, "previous"), input(&mut b, "noise"));
            let network = |b: &mut PlanBuilder, affine: &str, rows: u32| {
                let affine = b.input(affine, Shape::vector(self.images * rows, 2 * self.channels())).unwrap();
                let packed = b.pack(x, Some(variance), self.patch, rows).unwrap();
                let norm = Norm { affine, activation: Activation::None };
                let doubled = b.resample(packed, Resample::Nearest2, Some(norm)).unwrap();
                b.resample(doubled, Resample::AvgPool2, None).unwrap()
            };
            let out = match (self.rows, self.passes) {
                (1, _) => NetworkOutput::Plain(network(&mut b, "affine", 1)),
                (_, false) => NetworkOutput::Joint(network(&mut b, "affine", 2)),
                (_, true) => {
                    let (without, with) = (network(&mut b, "affine", 1), network(&mut b, "told", 1));
                    NetworkOutput::Passes { without, with }
                }
            };
            let patch = self.patch;
            let x0 = b.predict_x0(x, out, patch, self.prediction).unwrap();
            let scales = b.threshold(x0).unwrap();
            b.sampler_update(SamplerUpdate { x, x0, scales, previous, noise, out, patch }).unwrap();
            b.output("x", x);
            b.output("previous", previous);
            b.finish().unwrap().compile(&device(), &GpuWeights::none(), &mut |_, _| {}).await.unwrap()
        }

        /// The final state and x0 of both executors.
        async fn run(self) -> [(Vec<f32>, Vec<f32>); 2] {
            let config = format!(
                r#"{{"kind":"squaredcos_cap_v2","train_steps":1000,"prediction":{},"variance":{},"spacing":"trailing"}}"#,
                serde_json::to_string(&self.prediction).unwrap(),
                serde_json::to_string(&self.variance).unwrap()
            );
            let config: ScheduleConfig = serde_json::from_str(&config).unwrap();
            let steps = self.sampler.steps(&Schedule::new(&config).unwrap(), STEPS).unwrap();
            let count = self.planar().values() as usize;
            let (affine, variance, mut x) = (self.affine(), values(6, count), values(7, count));
            let mut previous = Vec::new();
            let plan = self.compile().await;
            plan.write("x", &x).unwrap();
            plan.write("variance", &variance).unwrap();
            match plan.input_shape("told").is_some() {
                true => {
                    let (without, with) = affine.split_at(affine.len() / 2);
                    plan.write("affine", without).unwrap();
                    plan.write("told", with).unwrap();
                }
                false => plan.write("affine", &affine).unwrap(),
            }
            // Nothing may come of what the memory held before.
            plan.write("previous", &vec![f32::NAN; count]).unwrap();
            let told = self.rows - 1;
            let spread = self.network(&affine, told, 3, &variance);
            for (index, step) in steps.iter().enumerate() {
                let noise = values(100 + index as u32, count);
                let mut out = self.network(&affine, 0, 0, &x);
                if self.rows == 2 {
                    out = guide(&out, &self.network(&affine, 1, 0, &x), GUIDANCE).unwrap();
                }
                let images = self.images as usize;
                let (x, previous) = (&mut x, &mut previous);
                let (spread, draw) = (Some(spread.as_slice()), Some(noise.as_slice()));
                update(step, self.prediction, self.thresholding, x, previous, &out, spread, draw, images).unwrap();

                plan.write("noise", if step.noise == NoiseScale::None { previous } else { &noise }).unwrap();
                plan.write_step(&StepParams::new(step, GUIDANCE, self.thresholding)).unwrap();
                plan.run("step").unwrap();
            }
            [(plan.read("x").await.unwrap(), plan.read("previous").await.unwrap()), (x, previous)]
        }
    }

    fn relative_error(actual: &[f32], expected: &[f32]) -> f64 {
        assert_eq!(actual.len(), expected.len());
        let square = |value: f32| f64::from(value).powi(2);
        let error: f64 = actual.iter().zip(expected).map(|(a, e)| square(a - e)).sum();
        (error / expected.iter().map(|e| square(*e)).sum::<f64>()).sqrt()
    }

    #[test]
    fn whole_runs_as_on_the_cpu() {
        let samplers = [
            (Sampler::Ddim { eta: 0.0 }, Variance::FixedSmall),
            (Sampler::Ddim { eta: 0.5 }, Variance::FixedSmall),
            (Sampler::Ddpm, Variance::FixedLarge),
            (Sampler::Ddpm, Variance::LearnedRange),
            (Sampler::DpmSolverPp, Variance::FixedSmall),
        ];
        let thresholds =
            [Thresholding::None, Thresholding::Static { max: 1.0 }, Thresholding::Dynamic { quantile: 0.9, max: 1.5 }];
        let mut count = 0;
        for (sampler, variance) in samplers {
            for prediction in [Prediction::Epsilon, Prediction::Sample, Prediction::VPrediction] {
                for thresholding in thresholds {
                    let (patch, size) = [(1, 7), (2, 10), (4, 20)][count % 3];
                    let (images, rows) = (1 + count as u32 % 4, 1 + count as u32 % 2);
                    let passes = count % 4 == 1;
                    let case = Case { sampler, variance, prediction, thresholding, images, size, patch, rows, passes };
                    let [(x, x0), (expected, expected_x0)] = pollster::block_on(case.run());
                    let errors = [relative_error(&x, &expected), relative_error(&x0, &expected_x0)];
                    assert!(errors.iter().all(|error| *error <= 1e-5), "{errors:?}: {case:?}");
                    count += 1;
                }
            }
            // Thresholds and patches run in step; shift them for the next sampler.
            count += 1;
        }
    }

    #[test]
    fn misfits_are_errors() {
        let mut b = PlanBuilder::new(&WeightIndex::new(), &wgpu::Limits::default());
        let planar = |size| Shape { batch: 2, height: 3, width: size, channels: size };
        let x = b.input("x", planar(8)).unwrap();
        let previous = b.input("previous", planar(8)).unwrap();
        let noise = b.input("noise", planar(8)).unwrap();
        let small = b.input("small", planar(4)).unwrap();
        let out = b.input("out", Shape::image(4, 4, 4, 12)).unwrap();
        let learned = b.input("learned", Shape::image(2, 4, 4, 24)).unwrap();
        let (plain, joint) = (NetworkOutput::Plain, NetworkOutput::Joint);
        assert!(b.predict_x0(x, plain(out), 2, Prediction::Sample).is_err());
        assert!(b.predict_x0(x, joint(out), 4, Prediction::Sample).is_err());
        assert!(b.predict_x0(x, joint(out), 0, Prediction::Sample).is_err());
        assert!(b.predict_x0(small, joint(out), 2, Prediction::Sample).is_err());
        assert!(b.predict_x0(x, plain(learned), 2, Prediction::Sample).is_ok());
        let unlike = NetworkOutput::Passes { without: learned, with: out };
        assert!(b.predict_x0(x, unlike, 2, Prediction::Sample).is_err());
        let x0 = b.predict_x0(x, joint(out), 2, Prediction::Sample).unwrap();
        let scales = b.threshold(x0).unwrap();
        let good = SamplerUpdate { x, x0, scales, previous, noise, out: joint(out), patch: 2 };
        assert!(b.sampler_update(good).is_ok());
        assert!(b.sampler_update(SamplerUpdate { out: plain(out), ..good }).is_err());
        assert!(b.sampler_update(SamplerUpdate { noise: small, ..good }).is_err());
        assert!(b.sampler_update(SamplerUpdate { scales: x0, ..good }).is_err());
        assert!(b.sampler_update(SamplerUpdate { previous: x, ..good }).is_err());
    }
}
