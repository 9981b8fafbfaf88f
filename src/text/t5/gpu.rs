//! The encoder on a GPU: a plan compiled for the batch at hand and kept for the next. All weights are uploaded once, or
//! they take turns in two sets of buffers, layer by layer, each time a prompt is encoded.

use super::plan::{self, EMBEDDING, HIDDEN, MASK, PHASE, POSITION_BIAS};
use super::tables::Tables;
use super::{MASKED, T5Config};
use crate::gpu::plan::{Plan, PlanBuilder, PlanDescription, Profiler};
use crate::gpu::{Device, GpuError, GpuWeights, StreamedWeights};
use crate::text::TextError;
use crate::weights::Weights;
use std::sync::Arc;

/// A T5 encoder on a GPU; the embedding table stays in its file and is read by row.
pub(in crate::text) struct GpuEncoder {
    compiled: Option<Compiled>,
    resident: Resident,
    tables: Tables,
    device: Arc<Device>,
    file: Weights,
    profiler: Profiler,
}

/// What of the weights lies on the GPU.
enum Resident {
    All(GpuWeights),
    TwoLayers(StreamedWeights),
}

struct Compiled {
    batch: usize,
    tokens: usize,
    plan: Plan,
}

impl GpuEncoder {
    /// Uploads everything but the embedding table.
    pub async fn load(mut file: Weights, device: &Arc<Device>) -> Result<Self, TextError> {
        let tables = Tables::of(&file)?;
        // A dry build says which tensors a plan binds; it is the same for every batch and length.
        let uploaded = describe(&tables, device, 1, 1)?.upload(device, &mut file).await?;
        Self::new(Resident::All(uploaded), tables, device, file).await
    }

    /// Checks the file against its hash, where [`Weights::expect`] was told one, and makes the buffers for two layers.
    pub async fn streamed(mut file: Weights, device: &Arc<Device>) -> Result<Self, TextError> {
        let tables = Tables::of(&file)?;
        let description = describe(&tables, device, 1, 1)?;
        file.verify().await?;
        let layers = description.stream(device, &file).await?;
        Self::new(Resident::TwoLayers(layers), tables, device, file).await
    }

    async fn new(
        resident: Resident,
        mut tables: Tables,
        device: &Arc<Device>,
        mut file: Weights,
    ) -> Result<Self, TextError> {
        tables.read_bias(&mut file).await?;
        let device = Arc::clone(device);
        Ok(Self { compiled: None, resident, tables, device, file, profiler: Profiler::default() })
    }

    pub fn config(&self) -> &T5Config {
        &self.tables.config
    }

    /// Times the encoder.
    pub fn profiler(&mut self) -> &mut Profiler {
        &mut self.profiler
    }

    /// Embeds a batch: `ids` and `mask` are `[batch, tokens]`, the result `[batch, tokens, d_model]`.
    pub async fn forward(&mut self, ids: &[u32], mask: &[u32], tokens: usize) -> Result<Vec<f32>, TextError> {
        let hidden = self.tables.embed(&mut self.file, ids).await?;
        let batch = ids.len() / tokens.max(1);
        if !matches!(&self.compiled, Some(c) if (c.batch, c.tokens) == (batch, tokens)) {
            // The old plan's buffers go first.
            self.compiled = None;
            self.profiler.loaded();
            self.compiled = Some(self.compile(batch, tokens).await?);
        }
        let Some(Compiled { plan, .. }) = &self.compiled else { return Ok(Vec::new()) };
        let mask: Vec<f32> = mask.iter().map(|&m| if m == 0 { MASKED } else { 0.0 }).collect();
        plan.write(HIDDEN, &hidden)?;
        plan.write(MASK, &mask)?;
        match &self.resident {
            Resident::All(_) => self.profiler.run(plan, PHASE).await?,
            Resident::TwoLayers(layers) => self.profiler.run_streamed(plan, PHASE, layers, &mut self.file).await?,
        }
        Ok(plan.read(EMBEDDING).await?)
    }

    async fn compile(&self, batch: usize, tokens: usize) -> Result<Compiled, TextError> {
        let description = describe(&self.tables, &self.device, batch as u32, tokens as u32)?;
        let weights = match &self.resident {
            Resident::All(weights) => weights,
            Resident::TwoLayers(layers) => layers.weights(),
        };
        let plan = description.compile(&self.device, weights, &mut |_, _| {}).await?;
        plan.write(POSITION_BIAS, &self.tables.position_bias(tokens))?;
        Ok(Compiled { batch, tokens, plan })
    }
}

fn describe(tables: &Tables, device: &Device, batch: u32, tokens: u32) -> Result<PlanDescription, GpuError> {
    plan::describe(PlanBuilder::for_device(&tables.index, device), &tables.config, batch, tokens)
}

#[cfg(test)]
#[path = "gpu_tests.rs"]
mod tests;
