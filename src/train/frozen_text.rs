//! A text encoder that does not learn: what it says of a caption is the same in every update, so that it is asked once and the answer
//! kept ([`Embeddings`]). It is loaded with the first caption that is not known yet.
//!
//! Every caption is embedded by itself: to the last bit, its embedding depends neither on the others of a batch nor on what was kept.

use super::TrainError;
use super::embeddings::{Embeddings, hash};
use super::networks::embed;
use crate::text::{T5Encoder, Tokenized};
use burn::tensor::{Device, TensorData};
use std::cell::{OnceCell, RefCell};

type Load = Box<dyn Fn() -> Result<T5Encoder, TrainError>>;

/// A frozen text encoder on the CPU.
pub struct FrozenText {
    load: Load,
    encoder: OnceCell<T5Encoder>,
    kept: Option<RefCell<Embeddings>>,
}

impl From<T5Encoder> for FrozenText {
    /// An encoder outside of automatic differentiation, whose answers are not kept.
    fn from(encoder: T5Encoder) -> Self {
        Self { load: Box::new(move || Ok(encoder.clone())), encoder: OnceCell::new(), kept: None }
    }
}

impl FrozenText {
    pub(super) fn new(load: Load, kept: Option<Embeddings>) -> Self {
        Self { load, encoder: OnceCell::new(), kept: kept.map(RefCell::new) }
    }

    /// Embeds captions of the same number of tokens: `[batch, tokens, d_model]`.
    ///
    /// # Errors
    /// [`TrainError::Text`] where an id is outside the encoder's vocabulary, and where the encoder cannot be loaded or what
    /// it says cannot be kept.
    pub fn embed(&self, captions: &[&Tokenized]) -> Result<TensorData, TrainError> {
        let tokens = captions.first().map_or(0, |caption| caption.ids.len());
        let mut all = Vec::new();
        for caption in captions {
            all.extend(self.one(caption)?);
        }
        let width = all.len() / (captions.len() * tokens).max(1);
        Ok(TensorData::new(all, [captions.len(), tokens, width]))
    }

    fn one(&self, caption: &Tokenized) -> Result<Vec<f32>, TrainError> {
        let key = hash(caption);
        if let Some(kept) = &self.kept
            && let Some(values) = kept.borrow_mut().get(&key)?
        {
            return Ok(values);
        }
        let encoder = match self.encoder.get() {
            Some(encoder) => encoder,
            None => {
                let encoder = (self.load)()?;
                self.encoder.get_or_init(|| encoder)
            }
        };
        let values: Vec<f32> = embed(encoder, &[caption], &Device::flex())?.to_data().iter::<f32>().collect();
        if let Some(kept) = &self.kept {
            kept.borrow_mut().add(key, &values)?;
        }
        Ok(values)
    }
}
