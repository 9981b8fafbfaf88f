//! From tokens to embeddings on either executor.

use super::{Embedding, T5Encoder, TextError, Tokenized};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// A loaded text encoder.
#[derive(Debug)]
pub struct TextEncoder {
    model: T5Encoder,
    device: Device,
}

impl TextEncoder {
    /// A text encoder that runs `model` with burn on the device that holds its weights.
    pub fn from_model(model: T5Encoder, device: &Device) -> Self {
        Self { model, device: device.clone() }
    }

    /// Embeds a batch of prompts of one padded length, in their order.
    ///
    /// # Errors
    /// [`TextError::Lengths`] where the lengths differ, [`TextError::Token`] for an id outside the vocabulary.
    pub async fn encode(&mut self, prompts: &[Tokenized]) -> Result<Vec<Embedding>, TextError> {
        let Some(first) = prompts.first() else { return Ok(Vec::new()) };
        let config = self.model.config();
        let (tokens, d_model) = (first.ids.len(), config.d_model);
        check(prompts, tokens, config.vocab_size)?;
        let shape = [prompts.len(), tokens];
        let ids: Vec<i32> = prompts.iter().flat_map(|p| p.ids.iter().map(|&id| id as i32)).collect();
        let mask: Vec<f32> = prompts.iter().flat_map(|p| p.mask.iter().map(|&m| m as f32)).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &self.device);
        let mask = Tensor::<2>::from_data(TensorData::new(mask, shape), &self.device);
        let output = self.model.forward(ids, mask).into_data_async().await;
        let failed = |reason: String| TextError::Execution { reason };
        let values = output.map_err(|error| failed(error.to_string()))?;
        let values = values.try_into_vec::<f32>().map_err(|error| failed(format!("{error:?}")))?;
        Ok(embeddings(prompts, tokens, d_model, &values))
    }
}

/// Checks that the prompts have `tokens` ids and mask entries each, all ids inside the vocabulary.
fn check(prompts: &[Tokenized], tokens: usize, vocabulary: usize) -> Result<(), TextError> {
    for prompt in prompts {
        if let Some(&other) = [prompt.ids.len(), prompt.mask.len()].iter().find(|&&length| length != tokens) {
            return Err(TextError::Lengths { first: tokens, other });
        }
        if let Some(&id) = prompt.ids.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(TextError::Token { id, vocabulary });
        }
    }
    Ok(())
}

/// Cuts `[batch, tokens, d_model]` values into one embedding per prompt.
fn embeddings(prompts: &[Tokenized], tokens: usize, d_model: usize, values: &[f32]) -> Vec<Embedding> {
    let one = |(prompt, values): (&Tokenized, &[f32])| Embedding {
        ids: prompt.ids.clone(),
        mask: prompt.mask.clone(),
        tokens,
        d_model,
        values: values.to_vec(),
    };
    prompts.iter().zip(values.chunks_exact((tokens * d_model).max(1))).map(one).collect()
}
