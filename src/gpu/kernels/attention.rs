//! Attention with online softmax.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

/// What [`PlanBuilder::attention`] attends to.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// One or two segments of keys and values `[n, tokens, heads · d]`, one behind the other. A segment of batch 1
    /// serves all entries.
    pub keys: &'a [(Tensor, Tensor)],
    pub heads: u32,
    /// Factor of the scores.
    pub scale: f32,
    /// `Shape { batch: heads, height: 1, width: lq, channels: lk }`, added to the scores.
    pub bias: Option<Tensor>,
    /// `[n, lk]`, added to the scores.
    pub mask: Option<Tensor>,
}

impl PlanBuilder {
    /// softmax(q · kᵀ · scale + bias + mask) · v per head.
    ///
    /// # Shapes
    /// q `[n, h, w, heads · d]` → the same.
    ///
    /// # Errors
    /// Tensors that do not fit.
    pub fn attention(&mut self, q: Tensor, attention: Attention<'_>) -> Result<Tensor, GpuError> {
        let y = self.tensor(q.shape)?;
        let mut dispatch = Dispatch::new("attention", "main", &[]).read(q);
        for &(keys, values) in attention.keys {
            dispatch = dispatch.read(keys).read(values);
        }
        self.record(dispatch.read_or_empty(attention.bias).read_or_empty(attention.mask).write(y))?;
        Ok(y)
    }
}
