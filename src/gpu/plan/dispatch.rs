//! One dispatch of a plan: a kernel, its constants, what it binds, its arguments and its workgroups.
//!
//! Contract with the WGSL: all in `@group(0)`; binding 0 is the uniform with the dispatch's parameters, binding k + 1
//! is the k-th entry of [`Dispatch::bindings`]. The entry point may split its workgroups over two dimensions:
//! `workgroup_id.x + workgroup_id.y * num_workgroups.x` is the linear index, the last row may be ragged.

use super::Tensor;
use crate::gpu::weights::Weight;
use std::borrow::Cow;

/// A kernel: one entry point of a WGSL text. Two kernels are the same when all fields are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// For labels and statistics.
    pub name: &'static str,
    pub entry: &'static str,
    /// The pieces of WGSL, concatenated in this order.
    pub source: Vec<Cow<'static, str>>,
}

/// What one binding of a dispatch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// `var<storage, read>`
    Read(Tensor),
    /// `var<storage, read_write>`; every value of the tensor is written by this or by earlier dispatches.
    Write(Tensor),
    /// `var<storage, read_write>`: updated in place.
    Update(Tensor),
    /// `var<storage, read>`: one slab of a weight.
    Weight { name: String, slab: usize },
    /// `var<uniform>`: the [`super::StepParams`] of the running step.
    Step,
    /// `var<storage, read>`: sixteen zero bytes in place of an optional tensor. Wherever the kernel reads in it, it finds
    /// zeros: WGSL answers reads beyond a binding from within it.
    Empty,
}

/// A dispatch under construction.
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub kernel: Kernel,
    /// Values of the WGSL `override` constants.
    pub constants: Vec<(&'static str, f64)>,
    pub bindings: Vec<Binding>,
    /// The uniform parameters, as 32-bit words. The WGSL struct may hold u32, i32 and f32.
    pub params: Vec<u32>,
    pub workgroups: [u32; 3],
    /// Floating-point operations, for statistics.
    pub flops: u64,
    /// The kernel reads parts of tensors: it knows their pitch and first channel.
    pub takes_parts: bool,
    /// The kernel reads and writes tensors in half precision.
    pub takes_halves: bool,
}

impl Dispatch {
    pub fn new(name: &'static str, entry: &'static str, source: &[&'static str]) -> Self {
        Self {
            kernel: Kernel { name, entry, source: source.iter().map(|&text| text.into()).collect() },
            constants: Vec::new(),
            bindings: Vec::new(),
            params: Vec::new(),
            workgroups: [1; 3],
            flops: 0,
            takes_parts: false,
            takes_halves: false,
        }
    }

    /// Puts generated WGSL in front: constants that size arrays outside workgroup memory, which `override` cannot.
    pub fn preamble(mut self, text: String) -> Self {
        self.kernel.source.insert(0, text.into());
        self
    }

    /// Sets an `override` constant.
    pub fn constant(mut self, name: &'static str, value: impl Into<f64>) -> Self {
        self.constants.push((name, value.into()));
        self
    }

    pub fn read(mut self, tensor: Tensor) -> Self {
        self.bindings.push(Binding::Read(tensor));
        self
    }

    /// An optional input: the empty buffer where there is none.
    pub fn read_or_empty(mut self, tensor: Option<Tensor>) -> Self {
        self.bindings.push(tensor.map_or(Binding::Empty, Binding::Read));
        self
    }

    pub fn write(mut self, tensor: Tensor) -> Self {
        self.bindings.push(Binding::Write(tensor));
        self
    }

    pub fn update(mut self, tensor: Tensor) -> Self {
        self.bindings.push(Binding::Update(tensor));
        self
    }

    /// One slab of a weight (slab 0 is the whole of most weights).
    pub fn weight(mut self, weight: &Weight, slab: usize) -> Self {
        self.bindings.push(Binding::Weight { name: weight.name.clone(), slab });
        self
    }

    /// An optional weight (of one slab).
    pub fn weight_or_empty(mut self, weight: Option<&Weight>) -> Self {
        self.bindings
            .push(weight.map_or(Binding::Empty, |weight| Binding::Weight { name: weight.name.clone(), slab: 0 }));
        self
    }

    /// Appends what `shaders/weights.wgsl` needs to know of a slab: row_words, scale_words, scales_offset.
    pub fn weight_params(self, weight: &Weight, slab: usize) -> Self {
        let layout = &weight.layout;
        self.u32(layout.row_words).u32(layout.scale_words).u32(layout.scales_offset(slab))
    }

    pub fn step(mut self) -> Self {
        self.bindings.push(Binding::Step);
        self
    }

    /// Appends an unsigned parameter.
    pub fn u32(mut self, value: u32) -> Self {
        self.params.push(value);
        self
    }

    /// Appends a float parameter.
    pub fn f32(mut self, value: f32) -> Self {
        self.params.push(value.to_bits());
        self
    }

    /// Sets the number of workgroups, as one linear count split over two dimensions where it exceeds `limit`.
    pub fn workgroups(mut self, count: u64, limit: u32) -> Self {
        self.workgroups = split(count, limit);
        self
    }

    /// Says that the kernel heeds the pitch and the first channel of what it reads.
    pub fn takes_parts(mut self) -> Self {
        self.takes_parts = true;
        self
    }

    /// Says that the kernel reads and writes tensors in half precision.
    pub fn takes_halves(mut self) -> Self {
        self.takes_halves = true;
        self
    }

    pub fn flops(mut self, flops: u64) -> Self {
        self.flops = flops;
        self
    }
}

/// `count` workgroups over two dimensions of at most `limit` each; a little more than `count` where it must be split.
/// The second dimension may come out above the limit for absurd counts: the builder reports that.
pub fn split(count: u64, limit: u32) -> [u32; 3] {
    let limit = u64::from(limit.max(1));
    if count <= limit {
        return [count.max(1) as u32, 1, 1];
    }
    let rows = count.div_ceil(limit);
    [count.div_ceil(rows) as u32, u32::try_from(rows).unwrap_or(u32::MAX), 1]
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn workgroups_split_and_cover() {
        assert_eq!(split(0, 65535), [1, 1, 1]);
        assert_eq!(split(65535, 65535), [65535, 1, 1]);
        for count in [65536u64, 100_000, 65535 * 2 + 1, 10_000_000] {
            let [x, y, z] = split(count, 65535);
            assert!(u64::from(x) * u64::from(y) >= count && x <= 65535 && y <= 65535 && z == 1);
            assert!(u64::from(x) * u64::from(y) < count + u64::from(y), "{count} wastes more than a row's rounding");
        }
    }
}
