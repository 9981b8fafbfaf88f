//! What can go wrong between a prompt and its embedding.

use crate::gpu::GpuError;
use crate::weights::WeightsError;
use thiserror::Error;

/// An error while tokenising, encoding, or reading an embedding file. Says what happened and what to do.
#[derive(Debug, Error)]
pub enum TextError {
    #[error("the tokenizer file is not usable: {reason}; is it the tokenizer.json of this model?")]
    Tokenizer { reason: String },
    #[error("the prompt cannot be tokenised: {reason}")]
    Prompt { reason: String },
    #[error("the text encoder's configuration is not usable: {reason}")]
    Config { reason: String },
    #[error("the text encoder's configuration asks for {option} = {value}, which is not supported")]
    Unsupported { option: &'static str, value: String },
    #[error("the prompts of one batch have {first} and {other} tokens; pad them to one length of at least 1")]
    Lengths { first: usize, other: usize },
    #[error(
        "token {id} is outside the text encoder's vocabulary of {vocabulary}; tokenizer and encoder do not belong together"
    )]
    Token { id: u32, vocabulary: usize },
    #[error("{name} is not a usable embedding file: {reason}; make one with `imagen encode`")]
    Embedding { name: String, reason: String },
    #[error("the text encoder failed: {reason}")]
    Execution { reason: String },
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Gpu(#[from] GpuError),
}
