//! Halving and doubling pictures, as the U-Net's down- and upsampling residual blocks do on their skip paths.

use super::reader::Access;
use super::{ACTIVATION_WGSL, Norm};
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// How [`PlanBuilder::resample`] changes the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// The mean of 2 × 2 pixels; an odd last row or column is dropped.
    AvgPool2,
    /// Every pixel 2 × 2 times.
    Nearest2,
}

/// What stands in front of the kernel's text: four channels at a time where their number allows it.
fn preamble(x: Tensor, y: Tensor, wide: bool) -> String {
    let bindings = Access::of(Some(x), wide).reader("x", 1)
        + &Access::single(wide).reader("affine", 2)
        + &Access::of(Some(y), wide).writer("y", 3);
    let values = if wide {
        "alias Value = vec4<f32>;\n\
         fn activated(x: Value) -> Value { return activate(ACTIVATION, x); }\n\
         fn x_at(i: u32) -> Value { return read_x(i * 4u); }\n\
         fn affine_at(i: u32) -> Value { return read_affine(i * 4u); }\n\
         fn write(i: u32, value: Value) { write_y(i * 4u, value, 4u); }\n"
    } else {
        "alias Value = f32;\n\
         fn activated(x: Value) -> Value { return activate1(ACTIVATION, x); }\n\
         fn x_at(i: u32) -> Value { return read_x_1(i); }\n\
         fn affine_at(i: u32) -> Value { return read_affine_1(i); }\n\
         fn write(i: u32, value: Value) { write_y(i, vec4(value), 1u); }\n"
    };
    format!("override ACTIVATION: u32;\n{bindings}{values}")
}

impl PlanBuilder {
    /// Halves or doubles a picture, after the norm where given.
    ///
    /// # Errors
    /// A picture too small to halve, or a norm for other channels or another batch.
    pub fn resample(&mut self, x: Tensor, resample: Resample, norm: Option<Norm>) -> Result<Tensor, GpuError> {
        let Shape { batch, height, width, channels } = x.shape;
        if let Some(norm) = norm {
            norm.check("resample", batch, channels)?;
        }
        let halves = resample == Resample::AvgPool2;
        let shape = if halves {
            Shape { height: height / 2, width: width / 2, ..x.shape }
        } else {
            Shape { height: height * 2, width: width * 2, ..x.shape }
        };
        let y = self.activation(shape)?;
        let vector = if channels.is_multiple_of(4) { 4 } else { 1 };
        let values = shape.values() / u64::from(vector);
        let source = [ACTIVATION_WGSL, include_str!("../../../shaders/resample.wgsl")];
        let dispatch = Dispatch::new("resample", "main", &source)
            .preamble(preamble(x, y, vector == 4))
            .constant("ACTIVATION", norm.map_or(0, |norm| norm.activation as u32))
            .u32(values as u32)
            .u32(shape.height)
            .u32(shape.width)
            .u32(channels / vector)
            .u32(height)
            .u32(width)
            .u32(halves.into())
            .u32(norm.is_some().into())
            .read(x)
            .read_or_empty(norm.map(|norm| norm.affine))
            .write(y)
            .takes_halves()
            .workgroups(values.div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::Resample;
    use crate::gpu::kernels::{Activation, Norm};
    use crate::gpu::plan::{PlanBuilder, Shape};
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use crate::weights::WeightIndex;
    use burn::tensor::activation::{gelu, silu};
    use burn::tensor::module::{avg_pool2d, interpolate};
    use burn::tensor::ops::{AvgPoolOptions, InterpolateMode, InterpolateOptions};
    use burn::tensor::{Device, Tensor, TensorData};

    fn check(shape: Shape, resample: Resample, activation: Option<Activation>) {
        let Shape { batch, height, width, channels } = shape;
        let [n, h, w, c] = [batch, height, width, channels].map(|side| side as usize);
        let norms = Shape::vector(batch, 2 * channels);
        let (x, affine) = (values(1, shape.values() as usize), values(2, norms.values() as usize));
        let y = run(&TestWeights::new(), &[(shape, &x), (norms, &affine)], |b, t| {
            b.resample(t[0], resample, activation.map(|activation| Norm { affine: t[1], activation }))
        })
        .unwrap();
        let mut expected = Tensor::<4>::from_data(TensorData::new(x, [n, h, w, c]), &Device::flex());
        if let Some(activation) = activation {
            let affine = Tensor::<4>::from_data(TensorData::new(affine, [n, 2, 1, c]), &Device::flex());
            let (a, b) = (affine.clone().slice([0..n, 0..1]), affine.slice([0..n, 1..2]));
            expected = expected * a + b;
            expected = match activation {
                Activation::Silu => silu(expected),
                Activation::Gelu => gelu(expected),
                _ => expected,
            };
        }
        let planar = expected.permute([0, 3, 1, 2]);
        let planar = match resample {
            Resample::AvgPool2 => avg_pool2d(planar, AvgPoolOptions::new([2, 2]).with_stride([2, 2])),
            Resample::Nearest2 => {
                let options = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * h, 2 * w]);
                interpolate(planar, options)
            }
        };
        let expected = planar.permute([0, 2, 3, 1]).into_data().try_to_vec::<f32>().unwrap();
        assert_close(&y, &expected, 2e-6);
    }

    #[test]
    fn as_burn_does() {
        for shape in
            [Shape::image(1, 4, 6, 3), Shape::image(2, 7, 5, 33), Shape::image(3, 6, 9, 20), Shape::image(4, 2, 2, 1)]
        {
            for resample in [Resample::AvgPool2, Resample::Nearest2] {
                for activation in [None, Some(Activation::None), Some(Activation::Silu), Some(Activation::Gelu)] {
                    check(shape, resample, activation);
                }
            }
        }
    }

    #[test]
    fn misfits_are_errors() {
        let mut b = PlanBuilder::new(&WeightIndex::new(), &wgpu::Limits::default());
        let x = b.input("x", Shape::image(1, 1, 4, 2)).unwrap();
        assert!(b.resample(x, Resample::AvgPool2, None).is_err());
        let norm = Norm { affine: x, activation: Activation::None };
        assert!(b.resample(x, Resample::Nearest2, Some(norm)).is_err());
    }
}
