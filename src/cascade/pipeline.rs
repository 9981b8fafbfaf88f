//! The cascade itself: prompt to embedding, then stage after stage, each from noise and the picture before it.
//!
//! The recipe is that of Imagen (2205.11487, section 2): a frozen text encoder, a base model, and super-resolution
//! models with noise-conditioning augmentation, every stage with classifier-free guidance and thresholding.

use super::encoding::Encoded;
use super::events::{During, Event, Notice, Observer};
use super::files::{self, ModelFiles};
use super::loaded::{Loaded, Part};
use super::loading::{Loading, watch};
use super::manifest::Manifest;
use super::memory::Memory;
use super::networks::{Networks, StageShape, Wanted};
use super::output::{Output, StageOutput};
use super::pictures::{LowPicture, to_picture};
use super::request::Request;
use super::residency::Decision;
use super::sampling::{self, Job};
use super::settings::{self, StageSettings};
use super::stage::Prompt;
use super::text::Text;
use super::{CascadeError, device::DeviceNetworks, profile};
use crate::gpu::Backend;
use crate::text::Tokenizer;
use crate::weights::Adapter;
use std::rc::Rc;

/// A model, ready to generate. Networks are loaded when they are first needed, and stay, or make room for the next one
/// where memory is short (see [`super::residency`]).
pub struct Cascade {
    pub(super) manifest: Manifest,
    pub(super) files: Box<dyn ModelFiles>,
    pub(super) tokenizer: Option<Tokenizer>,
    pub(super) networks: Box<dyn Networks>,
    pub(super) memory: Memory,
    pub(super) loaded: Loaded,
    pub(super) encoded: Encoded,
}

impl Cascade {
    /// Opens a model: reads and checks its manifest and tokenizer. No weights are read yet.
    ///
    /// # Errors
    /// Where one of the two is missing, damaged, or not of this version.
    pub async fn open(files: Box<dyn ModelFiles>, backend: Backend) -> Result<Self, CascadeError> {
        Self::with_networks(files, Box::new(DeviceNetworks::new(backend))).await
    }

    pub(super) async fn with_networks(
        files: Box<dyn ModelFiles>,
        networks: Box<dyn Networks>,
    ) -> Result<Self, CascadeError> {
        let manifest = files::read_manifest(files.as_ref()).await?;
        let entry = &manifest.tokenizer;
        let tokenizer = match &entry.file {
            Some(file) => {
                let bytes = files::read_tokenizer(files.as_ref(), file).await?;
                Some(Tokenizer::from_bytes(&bytes, entry.max_length, entry.lowercase)?)
            }
            None => None,
        };
        Ok(Self {
            manifest,
            files,
            tokenizer,
            networks,
            memory: Memory::default(),
            loaded: Loaded::default(),
            encoded: Encoded::default(),
        })
    }

    /// The model's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Drops every loaded network; the next run loads again what it needs.
    pub fn unload(&mut self) {
        self.loaded.unload();
    }

    /// How many bytes of GPU memory the networks may take at any moment; it has no meaning on the CPU. Where nobody says
    /// so, a small model stays loaded as a whole, and of a larger one as much as fits
    /// [`ASSUMED_BUDGET`](super::residency::ASSUMED_BUDGET).
    pub fn set_gpu_memory(&mut self, bytes: Option<u64>) {
        self.memory.set_budget(bytes);
    }

    /// Merges a low-rank adapter (LoRA) into the U-Net of the first stage that it fits, beside those that were added before.
    ///
    /// # Errors
    /// Where it fits no stage: the message says why not the first.
    pub async fn adapt(&mut self, adapter: Adapter) -> Result<(), CascadeError> {
        self.networks.adapt(self.files.as_ref(), &self.manifest, adapter).await?;
        self.loaded.stages.clear();
        self.memory.recount();
        Ok(())
    }

    /// Generates the pictures of a request, stage after stage.
    ///
    /// Finished stages are handed to the observer at once, so that an error or a cancellation later loses nothing. A
    /// lost GPU is rebuilt once and the run goes on after the last finished stage; out of memory, less stays loaded from
    /// then on and the stage is tried again, until nothing is left to be dropped.
    ///
    /// # Errors
    /// [`CascadeError::Request`] before anything is loaded where a setting is out of range; later whatever loading,
    /// the device or the observer ([`CascadeError::Cancelled`]) ends the run with.
    pub async fn generate(&mut self, request: &Request, observer: &mut dyn Observer) -> Result<Output, CascadeError> {
        let stages = settings::resolve(request, &self.manifest)?;
        if request.profile && !self.networks.on_gpu() {
            observer.event(Event::Notice(Notice::NoProfile));
        }
        let text = self.text(request, &stages, observer).await?;
        let mut low = start_pictures(request);
        let mut output = Output::default();
        for stage in &stages {
            let samples = self.run_stage(request, stage, &text, &low, observer).await?;
            let pictures: Vec<_> =
                samples.iter().map(|values| to_picture(stage.size, values)).collect::<Result<_, _>>()?;
            let finished =
                Event::StageFinished { stage: stage.index, image_size: stage.size, pictures: pictures.clone() };
            observer.event(finished);
            output.stages.push(StageOutput { stage: stage.index, image_size: stage.size, pictures });
            low = samples.into_iter().map(|values| LowPicture { size: stage.size, values }).collect();
        }
        Ok(output)
    }

    /// What a run of this request will keep loaded, and the bytes that will take: from the plans of its networks, for which the
    /// headers of their files are read. Nothing is loaded, and no prompt is looked at.
    ///
    /// # Errors
    /// As [`Cascade::generate`] before anything is loaded.
    pub async fn memory_plan(&self, request: &Request) -> Result<Decision, CascadeError> {
        let stages = settings::resolve(request, &self.manifest)?;
        let (prompts, tokens) = self.prompts(request, &stages);
        let wanted = Wanted::of(prompts.len(), tokens, &stages);
        self.memory.plan(&wanted, self.networks.as_ref(), self.files.as_ref(), &self.manifest).await
    }

    /// Decides what stays loaded during a run.
    pub(super) async fn settle(&mut self, wanted: Wanted, observer: &mut dyn Observer) -> Result<(), CascadeError> {
        let (networks, files) = (self.networks.as_ref(), self.files.as_ref());
        let residency = self.memory.decide(wanted, networks, files, &self.manifest, observer).await?;
        self.loaded.settle(residency);
        Ok(())
    }

    /// All pictures of one stage, as planar samples, whatever the device does meanwhile.
    async fn run_stage(
        &mut self,
        request: &Request,
        stage: &StageSettings,
        text: &Text,
        low: &[LowPicture],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Vec<f32>>, CascadeError> {
        let prompt = Prompt { positive: &text.positive, negative: text.negative.as_ref().filter(|_| stage.guided()) };
        let job = Job { request, stage, prompt, low };
        let mut rebuilt = false;
        loop {
            match self.run_stage_once(&job, observer).await {
                Err(error) => {
                    let (part, during) = (Part::Stage(stage.index), During::Stage(stage.size));
                    let lost = error.is_device_lost();
                    self.recover(error, &mut rebuilt, part, during, observer).await?;
                    if lost {
                        observer.event(Event::Resumed { stage: stage.index, image_size: stage.size });
                    }
                }
                samples => return samples,
            }
        }
    }

    async fn run_stage_once(
        &mut self,
        job: &Job<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Vec<f32>>, CascadeError> {
        let shape = StageShape { rows: job.prompt.rows(), tokens: job.prompt.positive.tokens };
        let index = job.stage.index;
        if self.loaded.stages.get(&index).is_none_or(|(built, _)| *built != shape) {
            self.loaded.make_room(Part::Stage(index));
            let Some(manifest) = self.manifest.stages.get(index) else {
                return Err(CascadeError::request("stage", format!("the model has no stage {}", index + 1)));
            };
            let loading = Rc::new(Loading::default());
            let work = self.networks.stage(self.files.as_ref(), manifest, shape, &loading);
            let runner = watch(work, &job.stage.name, &loading, observer).await?;
            self.loaded.stages.insert(index, (shape, runner));
        }
        let Some((_, runner)) = self.loaded.stages.get_mut(&index) else { return Ok(Vec::new()) };
        profile::start(runner.profiler(), job.request.profile);
        let samples = sampling::run(runner.as_mut(), job, observer).await;
        profile::tell(runner.profiler(), &job.stage.name, Some(job.stage.size), observer);
        samples
    }

    /// Makes another try possible, or returns the error: a lost device is rebuilt, once; out of memory, less stays
    /// loaded, as long as that makes a difference.
    pub(super) async fn recover(
        &mut self,
        error: CascadeError,
        rebuilt: &mut bool,
        part: Part,
        during: During,
        observer: &mut dyn Observer,
    ) -> Result<(), CascadeError> {
        if error.is_device_lost() {
            self.unload();
            if std::mem::replace(rebuilt, true) {
                return Err(CascadeError::DeviceLost { during });
            }
            return self.networks.rebuild().await;
        }
        if error.is_out_of_memory() {
            if let Some(residency) = self.loaded.step_down(part) {
                self.memory.step_down(residency, during, observer);
                return Ok(());
            }
            self.unload();
            return Err(CascadeError::OutOfMemory { during, reason: error.to_string() });
        }
        Err(error)
    }
}

/// The pictures of a request that starts at a later stage.
fn start_pictures(request: &Request) -> Vec<LowPicture> {
    let lift = |picture: &crate::image::Picture| LowPicture { size: picture.width, values: picture.to_planar() };
    request.start_pictures.iter().map(lift).collect()
}
