//! The sampler's planar pictures to the network's input.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

impl PlanBuilder {
    /// Folds `x` and `second` (the conditioning picture of a super-resolution stage), both planar
    /// `[images, colours, size, size]`, into `[images·repeat, size/patch, size/patch, colours·patch²]`, the second
    /// picture's channels behind the first's. Channel order c·p² + i·p + j, as `torch.nn.functional.pixel_unshuffle`.
    /// `repeat` is 2 for guidance: all images once more behind all images.
    ///
    /// # Errors
    /// Pictures that are not square, differ in size or count, or cannot be cut into patches.
    pub fn pack(&mut self, x: Tensor, second: Option<Tensor>, patch: u32, repeat: u32) -> Result<Tensor, GpuError> {
        let Shape { batch: images, height: colours, width: size, channels: columns } = x.shape;
        if columns != size || patch == 0 || !size.is_multiple_of(patch) {
            return Err(GpuError::shape("pack", format!("{:?} is no square picture in patches of {patch}", x.shape)));
        }
        let second_colours = second.map_or(0, |second| second.shape.height);
        if let Some(second) = second
            && second.shape != (Shape { height: second_colours, ..x.shape })
        {
            return Err(GpuError::shape("pack", format!("{:?} beside {:?}", second.shape, x.shape)));
        }
        let channels = (colours + second_colours) * patch * patch;
        let y = self.tensor(Shape::image(images * repeat, size / patch, size / patch, channels))?;
        let values = y.shape.values();
        let dispatch = Dispatch::new("pack", "main", &[include_str!("../../../shaders/pack.wgsl")])
            .u32(values as u32)
            .u32(images)
            .u32(size)
            .u32(patch)
            .u32(colours)
            .u32(second_colours)
            .read(x)
            .read_or_empty(second)
            .write(y)
            .workgroups(values.div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::plan::{PlanBuilder, Shape};
    use crate::gpu::testing::{TestWeights, run, values};
    use crate::weights::WeightIndex;
    use burn::tensor::{Device, Tensor, TensorData};

    fn planar(images: u32, colours: u32, size: u32) -> Shape {
        Shape { batch: images, height: colours, width: size, channels: size }
    }

    /// `[images, colours, size, size]` to `[images, size/p, size/p, colours·p²]`.
    fn unshuffled(values: &[f32], shape: Shape, patch: usize) -> Tensor<4> {
        let [n, c, s] = [shape.batch, shape.height, shape.width].map(|side| side as usize);
        let x = Tensor::<4>::from_data(TensorData::new(values.to_vec(), [n, c, s, s]), &Device::flex());
        x.reshape([n, c, s / patch, patch, s / patch, patch]).permute([0, 2, 4, 1, 3, 5]).reshape([
            n,
            s / patch,
            s / patch,
            c * patch * patch,
        ])
    }

    #[test]
    fn pixel_unshuffle_and_repeat() {
        for (images, size, patch, repeat, second) in
            [(1, 8, 1, 1, false), (2, 12, 2, 2, false), (3, 20, 4, 1, true), (1, 16, 8, 2, true), (4, 6, 3, 2, true)]
        {
            let shape = planar(images, 3, size);
            let (x, other) = (values(1, shape.values() as usize), values(2, shape.values() as usize));
            let y = run(&TestWeights::new(), &[(shape, &x), (shape, &other)], |b, t| {
                b.pack(t[0], second.then_some(t[1]), patch, repeat)
            })
            .unwrap();
            let mut expected = unshuffled(&x, shape, patch as usize);
            if second {
                expected = Tensor::cat(vec![expected, unshuffled(&other, shape, patch as usize)], 3);
            }
            let expected = Tensor::cat(vec![expected; repeat as usize], 0);
            assert_eq!(y, expected.into_data().try_to_vec::<f32>().unwrap());
        }
    }

    #[test]
    fn misfits_are_errors() {
        let mut b = PlanBuilder::new(&WeightIndex::new(), &wgpu::Limits::default());
        let x = b.input("x", planar(1, 3, 8)).unwrap();
        let other = b.input("other", planar(1, 3, 4)).unwrap();
        let oblong = b.input("oblong", Shape { batch: 1, height: 3, width: 8, channels: 4 }).unwrap();
        assert!(b.pack(x, None, 3, 1).is_err());
        assert!(b.pack(x, None, 0, 1).is_err());
        assert!(b.pack(x, Some(other), 2, 1).is_err());
        assert!(b.pack(oblong, None, 2, 1).is_err());
    }
}
