//! From tokens to embeddings, on either executor.

use super::t5::{GpuEncoder, StreamedEncoder};
use super::{Embedding, T5Config, T5Encoder, TextError, Tokenized};
use crate::gpu::{Backend, plan::Profiler};
use crate::weights::Weights;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// A loaded text encoder.
pub struct TextEncoder {
    executor: Executor,
}

enum Executor {
    Burn(Box<T5Encoder>, Device),
    Blocks(Box<StreamedEncoder>),
    Gpu(Box<GpuEncoder>),
}

impl TextEncoder {
    /// Loads a T5 encoder's GGUF file for `backend`. Checks the whole file where [`Weights::expect`] was told what to
    /// expect.
    ///
    /// # Errors
    /// [`TextError::Weights`] for a file that cannot be read, is damaged or holds something else,
    /// [`TextError::Config`] for impossible sizes, [`TextError::Gpu`] where the GPU cannot hold it.
    pub async fn load(mut weights: Weights, backend: &Backend) -> Result<Self, TextError> {
        let executor = match backend {
            Backend::Cpu => {
                let device = Device::flex();
                Executor::Burn(Box::new(T5Encoder::load(&mut weights, &device).await?), device)
            }
            Backend::Gpu(device) => Executor::Gpu(Box::new(GpuEncoder::load(weights, device).await?)),
        };
        Ok(Self { executor })
    }

    /// The same with the same results, but the weights stay in the file and are read layer by layer whenever prompts
    /// are encoded: memory is needed for one layer on the CPU, for two on a GPU. Checks the whole file at once where
    /// [`Weights::expect`] was told what to expect.
    ///
    /// # Errors
    /// As [`TextEncoder::load`].
    pub async fn streamed(weights: Weights, backend: &Backend) -> Result<Self, TextError> {
        let executor = match backend {
            Backend::Cpu => Executor::Blocks(Box::new(StreamedEncoder::load(weights, Device::flex()).await?)),
            Backend::Gpu(device) => Executor::Gpu(Box::new(GpuEncoder::streamed(weights, device).await?)),
        };
        Ok(Self { executor })
    }

    /// The network's sizes.
    pub fn config(&self) -> &T5Config {
        match &self.executor {
            Executor::Burn(model, _) => model.config(),
            Executor::Blocks(encoder) => encoder.config(),
            Executor::Gpu(encoder) => encoder.config(),
        }
    }

    /// What can time the network; none on the CPU.
    pub fn profiler(&mut self) -> Option<&mut Profiler> {
        match &mut self.executor {
            Executor::Burn(..) | Executor::Blocks(_) => None,
            Executor::Gpu(encoder) => Some(encoder.profiler()),
        }
    }

    /// Embeds a batch of prompts of one padded length, in their order.
    ///
    /// # Errors
    /// [`TextError::Lengths`] where the lengths differ, [`TextError::Token`] for an id outside the vocabulary,
    /// [`TextError::Gpu`] where the GPU fails.
    pub async fn encode(&mut self, prompts: &[Tokenized]) -> Result<Vec<Embedding>, TextError> {
        let Some(first) = prompts.first() else { return Ok(Vec::new()) };
        let (tokens, d_model) = (first.ids.len(), self.config().d_model);
        check(prompts, tokens, self.config().vocab_size)?;
        let ids: Vec<u32> = prompts.iter().flat_map(|prompt| prompt.ids.iter().copied()).collect();
        let mask: Vec<u32> = prompts.iter().flat_map(|prompt| prompt.mask.iter().copied()).collect();
        let values = match &mut self.executor {
            Executor::Burn(model, device) => values_of(run(model, device, &ids, &mask, tokens)).await?,
            Executor::Blocks(encoder) => values_of(encoder.forward(&ids, &mask, tokens).await?).await?,
            Executor::Gpu(encoder) => encoder.forward(&ids, &mask, tokens).await?,
        };
        let one = |(prompt, values): (&Tokenized, &[f32])| Embedding {
            ids: prompt.ids.clone(),
            mask: prompt.mask.clone(),
            tokens,
            d_model,
            values: values.to_vec(),
        };
        Ok(prompts.iter().zip(values.chunks_exact(tokens * d_model)).map(one).collect())
    }
}

fn run(model: &T5Encoder, device: &Device, ids: &[u32], mask: &[u32], tokens: usize) -> Tensor<3> {
    let shape = [ids.len() / tokens, tokens];
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let mask: Vec<f32> = mask.iter().map(|&m| m as f32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), device);
    let mask = Tensor::<2>::from_data(TensorData::new(mask, shape), device);
    model.forward(ids, mask)
}

async fn values_of(output: Tensor<3>) -> Result<Vec<f32>, TextError> {
    let failed = |reason: String| TextError::Execution { reason };
    let output = output.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    output.try_into_vec::<f32>().map_err(|error| failed(format!("{error:?}")))
}

/// Checks that all prompts have as many ids and mask entries as the first, at least one, all inside the vocabulary.
fn check(prompts: &[Tokenized], tokens: usize, vocabulary: usize) -> Result<(), TextError> {
    for prompt in prompts {
        let lengths = [prompt.ids.len(), prompt.mask.len()];
        if let Some(&other) = lengths.iter().find(|&&length| length != tokens || length == 0) {
            return Err(TextError::Lengths { first: tokens, other });
        }
        if let Some(&id) = prompt.ids.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(TextError::Token { id, vocabulary });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "encoder_tests.rs"]
mod tests;
