//! The tables of an encoder's file that are read by row: the embedding's, of which a prompt needs few rows, and the
//! position bias's.

use super::{T5Config, position_bias, stored_name};
use crate::text::TextError;
use crate::weights::{WeightIndex, Weights, WeightsError};
use std::collections::BTreeMap;

/// The sizes of an encoder, what its file holds, and its two tables.
pub(super) struct Tables {
    pub config: T5Config,
    pub index: WeightIndex,
    /// The name of the embedding table in the file.
    embedding: String,
    /// Block 0's relative position bias: its name in the file, and its values `[buckets, heads]` once they are read.
    bias: String,
    relative_bias: Vec<f32>,
}

impl Tables {
    /// Checks that the file has both; reads neither.
    ///
    /// # Errors
    /// A file that holds no T5 encoder, or tables of other shapes than it says.
    pub fn of(file: &Weights) -> Result<Self, TextError> {
        let index = WeightIndex::from(file);
        let config = T5Config::from_metadata(file.name(), file.metadata(), &index)?;
        let name = |name: &str| stored_name(name, |name| index.contains(name));
        let embedding = name("shared.weight");
        expect_shape(&index, &embedding, &[config.vocab_size, config.d_model])?;
        let bias = name("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        expect_shape(&index, &bias, &[config.relative_attention_num_buckets, config.num_heads])?;
        Ok(Self { config, index, embedding, bias, relative_bias: Vec::new() })
    }

    /// Reads the position bias's table, which every prompt needs.
    pub async fn read_bias(&mut self, file: &mut Weights) -> Result<(), WeightsError> {
        let rows: Vec<u32> = (0..self.config.relative_attention_num_buckets as u32).collect();
        self.relative_bias = file.read_rows(&self.bias, &rows).await?;
        Ok(())
    }

    /// The bias on the scores, `[heads, tokens, tokens]`, after [`Self::read_bias`].
    pub fn position_bias(&self, tokens: usize) -> Vec<f32> {
        position_bias(&self.config, &self.relative_bias, tokens)
    }

    /// Rows of the embedding table, `[ids, d_model]`; each is read once, however often it occurs (padding does).
    pub async fn embed(&self, file: &mut Weights, ids: &[u32]) -> Result<Vec<f32>, WeightsError> {
        let mut places: BTreeMap<u32, usize> = ids.iter().map(|&id| (id, 0)).collect();
        for (place, entry) in places.values_mut().enumerate() {
            *entry = place;
        }
        let rows: Vec<u32> = places.keys().copied().collect();
        let values = file.read_rows(&self.embedding, &rows).await?;
        let width = self.config.d_model;
        Ok(ids.iter().flat_map(|id| values[places[id] * width..][..width].iter().copied()).collect())
    }
}

/// Refuses a file without this tensor, or with one of another shape.
pub(super) fn expect_shape(index: &WeightIndex, tensor: &str, expected: &[usize]) -> Result<(), WeightsError> {
    let tensor = tensor.to_owned();
    match index.get(&tensor) {
        Some((actual, _)) if actual == expected => Ok(()),
        Some((actual, _)) => Err(WeightsError::Shape { actual: actual.to_vec(), expected: expected.to_vec(), tensor }),
        None => Err(WeightsError::MissingTensor { tensor, hint: "is it a T5 encoder's file?".to_owned() }),
    }
}
