//! The networks that are trained: a U-Net, and with the first stage of a new cascade its text encoder.

use super::TrainError;
use super::adapters;
use super::parameters::{self, Values};
use crate::text::{T5Encoder, Tokenized};
use crate::unet::UNet;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::collections::BTreeMap;

/// What an optimiser changes.
#[derive(Module, Debug)]
pub struct Networks {
    pub unet: UNet,
    /// The text encoder, where it learns together with the U-Net.
    pub text_encoder: Option<T5Encoder>,
}

impl Networks {
    /// Turns the U-Net's last convolution to zero, so that what a new network says at first is the mean: of a residual, the
    /// enlarged picture as it is.
    pub fn with_silent_output(self) -> Self {
        let silent = |(name, value): (String, Tensor<1>)| (name, value.zeros_like());
        let values = parameters::collect(&self).into_iter();
        let last: Values = values.filter(|(name, _)| name.starts_with("unet.conv_out.")).map(silent).collect();
        parameters::place(self, &last)
    }

    /// Names and shapes of what learns.
    pub(super) fn learning(&self) -> BTreeMap<String, Vec<usize>> {
        adapters::learning(parameters::shapes(self))
    }
}

/// Embeds captions: `[batch, tokens, d_model]`.
///
/// # Errors
/// [`TrainError::Text`] where an id is outside the encoder's vocabulary.
pub(super) fn embed(encoder: &T5Encoder, captions: &[&Tokenized], device: &Device) -> Result<Tensor<3>, TrainError> {
    let vocabulary = encoder.config().vocab_size;
    let all = || captions.iter().flat_map(|caption| caption.ids.iter().copied());
    if let Some(id) = all().find(|&id| id as usize >= vocabulary) {
        return Err(crate::text::TextError::Token { id, vocabulary }.into());
    }
    let shape = [captions.len(), captions.first().map_or(0, |caption| caption.ids.len())];
    let ids: Vec<i32> = all().map(|id| id as i32).collect();
    let mask: Vec<f32> = captions.iter().flat_map(|caption| caption.mask.iter().map(|&m| m as f32)).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), device);
    Ok(encoder.forward(ids, Tensor::from_data(TensorData::new(mask, shape), device)))
}
