//! What a running cascade tells: the events of a generation, and the observer that receives them.

use super::profile::Profile;
use super::residency::Decision;
use crate::image::Picture;
use async_trait::async_trait;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// Something that happened. Serialised as `{"event":"step",…}`; pictures are left out of that.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Weights are being read: `done` of `total` bytes of one part. A text encoder that runs layer by layer reads its
    /// weights while it encodes.
    Loading { part: String, done: u64, total: u64 },
    /// GPU pipelines of a part are being made: `done` of `total`.
    Compiling { part: String, done: usize, total: usize },
    /// What stays loaded during this run, and why: told where memory is short enough to count it, and when it ran out.
    Memory(Decision),
    /// The prompt is being encoded.
    Encoding,
    /// Something that the user should know and that stops nothing, such as a prompt that was cut.
    Notice(Notice),
    /// A stage starts: `images` pictures, `steps` steps each.
    StageStarted { stage: usize, image_size: u32, steps: usize, images: u32 },
    /// Step `step` (counted from 1) of `steps` of picture `image` (counted from 0) is done.
    Step {
        stage: usize,
        image_size: u32,
        image: u32,
        images: u32,
        step: usize,
        steps: usize,
        /// The picture as far as it can be told, when the request asked for previews.
        #[serde(skip)]
        preview: Option<Picture>,
    },
    /// A stage is done. Its pictures stay valid whatever happens later.
    StageFinished {
        stage: usize,
        image_size: u32,
        #[serde(skip)]
        pictures: Vec<Picture>,
    },
    /// What a network took on the GPU, when the request asked for it: after the prompt is encoded, and after the last
    /// step of each stage.
    Profile(Profile),
    /// The GPU was lost and rebuilt; the run goes on with this stage.
    Resumed { stage: usize, image_size: u32 },
}

/// Something that the user should know and that stops nothing. Shown in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(tag = "code", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Notice {
    /// A prompt that begins with `start` is longer than the model's tokens.
    PromptCut { start: String, tokens: usize },
    /// Kernels were to be timed where there are none.
    NoProfile,
}

impl Display for Notice {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PromptCut { start, tokens } => {
                write!(f, "the prompt \"{start}…\" is longer than {tokens} tokens; its end is ignored")
            }
            Self::NoProfile => f.write_str("a profile tells what GPU kernels take; on the CPU there are none to time"),
        }
    }
}

/// What a run was doing when something went wrong. Shown in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(rename_all = "snake_case")]
pub enum During {
    /// The text encoder's part.
    Prompt,
    /// The stage of this image size.
    Stage(u32),
}

impl Display for During {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prompt => f.write_str("encoding the prompt"),
            Self::Stage(size) => write!(f, "the {size}×{size} stage"),
        }
    }
}

/// Receives events and steers a generation.
#[async_trait(?Send)]
pub trait Observer {
    /// Called for every event, in order.
    fn event(&mut self, event: Event);

    /// Awaited between two steps: in a browser, a place to let the event loop run.
    async fn pause(&mut self) {}

    /// Asked between two steps and between two reads of weights: true ends the run with
    /// [`CascadeError::Cancelled`](super::CascadeError::Cancelled).
    fn cancelled(&self) -> bool {
        false
    }
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

#[async_trait(?Send)]
impl Observer for Silent {
    fn event(&mut self, _event: Event) {}
}
