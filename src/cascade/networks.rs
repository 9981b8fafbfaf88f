//! Where the pipeline gets its networks from. The pipeline knows no device; tests give it networks of their own.

use super::CascadeError;
use super::files::ModelFiles;
use super::loading::Loading;
use super::manifest::{FileEntry, Manifest, StageManifest};
use super::residency::Needs;
use super::settings::StageSettings;
use super::stage::StageRunner;
use crate::gpu::plan::Profiler;
use crate::text::{Embedding, Tokenized};
use crate::weights::Adapter;
use async_trait::async_trait;
use std::rc::Rc;

/// Encodes prompts.
#[async_trait(?Send)]
pub(super) trait PromptEncoder {
    /// One embedding per prompt, in order.
    async fn encode(&mut self, prompts: &[Tokenized]) -> Result<Vec<Embedding>, CascadeError>;

    /// What can time the network; none on the CPU.
    fn profiler(&mut self) -> Option<&mut Profiler> {
        None
    }
}

/// Loads networks onto a device, and brings the device back when it was lost.
#[async_trait(?Send)]
pub(super) trait Networks {
    /// Loads the text encoder, or, `streamed`, prepares it to run layer by layer from its file.
    async fn text_encoder(
        &mut self,
        files: &dyn ModelFiles,
        entry: &FileEntry,
        streamed: bool,
        loading: &Rc<Loading>,
    ) -> Result<Box<dyn PromptEncoder>, CascadeError>;

    /// Loads a stage's U-Net for `rows` rows of text of `tokens` positions.
    async fn stage(
        &mut self,
        files: &dyn ModelFiles,
        stage: &StageManifest,
        shape: StageShape,
        loading: &Rc<Loading>,
    ) -> Result<Box<dyn StageRunner>, CascadeError>;

    /// Bytes that the parts of a run will take, known from the headers of its files.
    async fn needs(&self, files: &dyn ModelFiles, manifest: &Manifest, wanted: &Wanted) -> Result<Needs, CascadeError>;

    /// True where the networks run on a GPU: they have profilers, and a memory budget counts.
    fn on_gpu(&self) -> bool;

    /// Merges an adapter into the U-Net that it fits, from when that is loaded next.
    async fn adapt(
        &mut self,
        files: &dyn ModelFiles,
        manifest: &Manifest,
        adapter: Adapter,
    ) -> Result<(), CascadeError>;

    /// Replaces a lost device by a new one. Everything loaded before is gone.
    async fn rebuild(&mut self) -> Result<(), CascadeError>;
}

/// What a run loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Prompts that are encoded together; none where their embeddings are given.
    pub prompts: usize,
    /// Positions of a prompt.
    pub tokens: usize,
    /// Indices of the stages in the manifest.
    pub stages: Vec<(usize, StageShape)>,
}

impl Wanted {
    /// For `prompts` prompts of `tokens` positions.
    pub fn of(prompts: usize, tokens: usize, stages: &[StageSettings]) -> Self {
        let shape = |stage: &StageSettings| StageShape { rows: 1 + usize::from(stage.guided()), tokens };
        Self { prompts, tokens, stages: stages.iter().map(|stage| (stage.index, shape(stage))).collect() }
    }
}

/// What a stage's network has to be built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StageShape {
    /// Rows of the network's batch: 2 with guidance, else 1.
    pub rows: usize,
    /// Positions of the text.
    pub tokens: usize,
}
