//! The encoder on the CPU, block by block: the weights of one block are read and dequantised, used, and dropped.
//!
//! T5-XXL takes 19 GB in f32, one of its blocks 0.8 GB. The blocks are those of [`super::T5Encoder`] and give the same
//! bits. On a GPU, where blocks take turns in two sets of buffers, it is [`super::GpuEncoder`] that does this.

use super::T5Config;
use super::model::masked;
use super::stored_name;
use super::tables::{Tables, expect_shape};
use crate::text::TextError;
use crate::weights::{Weights, load_module, wanted_tensors};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

/// A T5 encoder whose weights stay in the file.
pub(in crate::text) struct StreamedEncoder {
    tables: Tables,
    file: Weights,
    device: Device,
}

impl StreamedEncoder {
    /// Opens the file and checks it: against its hash, where [`Weights::expect`] was told one, and for the tensors that
    /// the blocks will need.
    pub async fn load(mut file: Weights, device: Device) -> Result<Self, TextError> {
        let mut tables = Tables::of(&file)?;
        let rename = |path: &str| stored_name(path, |name| tables.index.contains(name));
        for (name, wanted) in wanted_tensors(&tables.config.init(&device), &rename) {
            expect_shape(&tables.index, &name, &wanted.stored)?;
        }
        file.verify().await?;
        tables.read_bias(&mut file).await?;
        Ok(Self { tables, file, device })
    }

    pub fn config(&self) -> &T5Config {
        &self.tables.config
    }

    /// Embeds a batch: `ids` and `mask` are `[batch, tokens]`, the result `[batch, tokens, d_model]`.
    pub async fn forward(&mut self, ids: &[u32], mask: &[u32], tokens: usize) -> Result<Tensor<3>, TextError> {
        let T5Config { d_model, num_heads, num_layers, .. } = *self.config();
        let batch = ids.len() / tokens.max(1);
        let hidden = self.tables.embed(&mut self.file, ids).await?;
        let mut hidden = Tensor::<3>::from_data(TensorData::new(hidden, [batch, tokens, d_model]), &self.device);
        let mask: Vec<f32> = mask.iter().map(|&m| m as f32).collect();
        let mask = Tensor::<2>::from_data(TensorData::new(mask, [batch, tokens]), &self.device);
        let bias = TensorData::new(self.tables.position_bias(tokens), [1, num_heads, tokens, tokens]);
        let bias = Tensor::<4>::from_data(bias, &self.device) + masked(mask);
        for index in 0..num_layers {
            let block = self.tables.config.init_block(false, &self.device);
            let block = self.read(block, &format!("encoder.block.{index}")).await?;
            hidden = block.forward(hidden, bias.clone());
        }
        let norm = self.tables.config.init_norm(&self.device);
        Ok(self.read(norm, "encoder.final_layer_norm").await?.forward(hidden))
    }

    /// Fills the part of the network that the checkpoint calls `prefix`.
    async fn read<M: Module>(&mut self, part: M, prefix: &str) -> Result<M, TextError> {
        let index = &self.tables.index;
        let rename = |path: &str| stored_name(&format!("{prefix}.{path}"), |name| index.contains(name));
        Ok(load_module(part, &mut self.file, &rename, &self.device).await?)
    }
}

#[cfg(test)]
#[path = "streamed_tests.rs"]
mod tests;
