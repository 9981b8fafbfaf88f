//! The encoder on a GPU: weights uploaded once, a plan compiled for the batch at hand and kept for the next.

use super::plan::{self, EMBEDDING, HIDDEN, MASK, PHASE, POSITION_BIAS};
use super::{MASKED, T5Config, position_bias, stored_name};
use crate::gpu::plan::{Plan, PlanBuilder, Profiler};
use crate::gpu::{Device, GpuError, GpuWeights};
use crate::text::TextError;
use crate::weights::{WeightIndex, Weights, WeightsError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A T5 encoder whose weights lie on a GPU; the embedding table stays in its file and is read by row.
pub(in crate::text) struct GpuEncoder {
    config: T5Config,
    device: Arc<Device>,
    index: WeightIndex,
    uploaded: GpuWeights,
    file: Weights,
    /// The name of the embedding table in the file.
    table: String,
    /// Block 0's relative position bias, `[buckets, heads]`.
    relative_bias: Vec<f32>,
    compiled: Option<Compiled>,
    profiler: Profiler,
}

struct Compiled {
    batch: usize,
    tokens: usize,
    plan: Plan,
}

impl GpuEncoder {
    /// Uploads everything but the embedding table.
    pub async fn load(mut file: Weights, device: &Arc<Device>) -> Result<Self, TextError> {
        let index = WeightIndex::from(&file);
        let config = T5Config::from_metadata(file.name(), file.metadata(), &index)?;
        let name = |name: &str| stored_name(name, |name| index.contains(name));
        let table = name("shared.weight");
        expect_shape(&index, &table, [config.vocab_size, config.d_model])?;
        let bias = name("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        expect_shape(&index, &bias, [config.relative_attention_num_buckets, config.num_heads])?;
        // A dry build says which tensors a plan binds; it is the same for every batch and length.
        let description = build(&index, device, &config, 1, 1)?;
        let uploaded = description.upload(device, &mut file).await?;
        let rows: Vec<u32> = (0..config.relative_attention_num_buckets as u32).collect();
        let relative_bias = file.read_rows(&bias, &rows).await?;
        let device = Arc::clone(device);
        Ok(Self {
            config,
            device,
            index,
            uploaded,
            file,
            table,
            relative_bias,
            compiled: None,
            profiler: Profiler::default(),
        })
    }

    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// Times the encoder.
    pub fn profiler(&mut self) -> &mut Profiler {
        &mut self.profiler
    }

    /// Embeds a batch: `ids` and `mask` are `[batch, tokens]`, the result `[batch, tokens, d_model]`.
    pub async fn forward(&mut self, ids: &[u32], mask: &[u32], tokens: usize) -> Result<Vec<f32>, TextError> {
        let hidden = self.embed(ids).await?;
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
        self.profiler.run(plan, PHASE).await?;
        Ok(plan.read(EMBEDDING).await?)
    }

    async fn compile(&self, batch: usize, tokens: usize) -> Result<Compiled, TextError> {
        let description = build(&self.index, &self.device, &self.config, batch as u32, tokens as u32)?;
        let plan = description.compile(&self.device, &self.uploaded, &mut |_, _| {}).await?;
        plan.write(POSITION_BIAS, &position_bias(&self.config, &self.relative_bias, tokens))?;
        Ok(Compiled { batch, tokens, plan })
    }

    /// Rows of the embedding table; each is read once, however often it occurs (padding does).
    async fn embed(&mut self, ids: &[u32]) -> Result<Vec<f32>, TextError> {
        let mut places: BTreeMap<u32, usize> = ids.iter().map(|&id| (id, 0)).collect();
        for (place, entry) in places.values_mut().enumerate() {
            *entry = place;
        }
        let rows: Vec<u32> = places.keys().copied().collect();
        let values = self.file.read_rows(&self.table, &rows).await?;
        let width = self.config.d_model;
        Ok(ids.iter().flat_map(|id| values[places[id] * width..][..width].iter().copied()).collect())
    }
}

fn build(
    index: &WeightIndex,
    device: &Device,
    config: &T5Config,
    batch: u32,
    tokens: u32,
) -> Result<crate::gpu::plan::PlanDescription, GpuError> {
    let mut builder = PlanBuilder::for_device(index, device);
    builder.single_precision();
    plan::build(&mut builder, config, batch, tokens)?;
    builder.finish()
}

fn expect_shape(index: &WeightIndex, tensor: &str, expected: [usize; 2]) -> Result<(), WeightsError> {
    let tensor = tensor.to_owned();
    match index.get(&tensor) {
        Some((actual, _)) if actual == expected => Ok(()),
        Some((actual, _)) => Err(WeightsError::Shape { actual: actual.to_vec(), expected: expected.to_vec(), tensor }),
        None => Err(WeightsError::MissingTensor { tensor, hint: "is it a T5 encoder's file?".to_owned() }),
    }
}

#[cfg(test)]
#[path = "gpu_tests.rs"]
mod tests;
