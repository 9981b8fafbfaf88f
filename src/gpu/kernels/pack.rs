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
