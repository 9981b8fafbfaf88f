//! How a command ends: exit codes, and errors on stderr that tell what to do.

use crate::cascade::CascadeError;
use std::fmt::Display;
use std::process::ExitCode;

/// The process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Success = 0,
    /// Something went wrong: files, model, device, output.
    Failure = 1,
    /// The request itself is at fault; clap uses the same code for the arguments.
    Usage = 2,
    /// Ctrl-C; what was finished is kept.
    Cancelled = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
}

impl Failure {
    /// A failure with a message that says what to do.
    pub fn new(message: impl Display) -> Self {
        Self { exit: Exit::Failure, message: message.to_string() }
    }

    /// The user stopped it.
    #[cfg(feature = "train")]
    pub fn cancelled(message: impl Display) -> Self {
        Self { exit: Exit::Cancelled, message: message.to_string() }
    }

    /// A fault in what the user asked for.
    pub fn usage(message: impl Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }
}

impl From<CascadeError> for Failure {
    fn from(error: CascadeError) -> Self {
        match error {
            CascadeError::Cancelled => Self { exit: Exit::Cancelled, message: "cancelled".to_owned() },
            CascadeError::Request { .. } | CascadeError::PromptTooLong { .. } | CascadeError::NegativePrompt => {
                Self::usage(error)
            }
            _ => Self::new(error),
        }
    }
}

/// Prints what went wrong and returns the exit code.
pub(super) fn report(result: Result<(), Failure>, json: bool) -> Exit {
    let Err(Failure { exit, message }) = result else { return Exit::Success };
    if json {
        println!("{}", serde_json::json!({"event": "error", "exit": exit as u8, "message": message}));
    }
    eprintln!("error: {message}");
    exit
}
