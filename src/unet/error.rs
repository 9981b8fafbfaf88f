//! What can be wrong with a U-Net's configuration.

use thiserror::Error;

/// Why a configuration cannot be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum UNetError {
    /// The option is one of the original's, but not with that value.
    #[error("the U-Net option `{option}` = {value} is not supported")]
    Unsupported { option: String, value: String },
    /// The option's value contradicts another one.
    #[error("the U-Net option `{option}` is invalid: {reason}")]
    Invalid { option: String, reason: String },
    /// The text is no configuration at all.
    #[error("the U-Net configuration cannot be read: {0}")]
    Malformed(String),
}

impl UNetError {
    pub(crate) fn unsupported(option: &str, value: impl ToString) -> Self {
        Self::Unsupported { option: option.to_owned(), value: value.to_string() }
    }

    pub(crate) fn invalid(option: &str, reason: impl ToString) -> Self {
        Self::Invalid { option: option.to_owned(), reason: reason.to_string() }
    }
}
