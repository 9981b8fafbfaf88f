//! What can be wrong with a U-Net's configuration.

use thiserror::Error;

/// Why a configuration cannot be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum UNetError {
    /// The option is one of diffusers', but this U-Net does not implement that value.
    #[error("the U-Net option `{option}` = {value} is not supported; only the options of DeepFloyd IF's U-Nets are")]
    Unsupported { option: String, value: String },
    /// The option's value contradicts another one.
    #[error("the U-Net option `{option}` is invalid: {reason}")]
    Invalid { option: String, reason: String },
    /// The text is no configuration at all.
    #[error("the U-Net configuration cannot be read: {0}")]
    Malformed(String),
}

impl UNetError {
    pub(super) fn unsupported(option: &str, value: impl ToString) -> Self {
        Self::Unsupported { option: option.to_owned(), value: value.to_string() }
    }

    pub(super) fn invalid(option: &str, reason: impl ToString) -> Self {
        Self::Invalid { option: option.to_owned(), reason: reason.to_string() }
    }
}
