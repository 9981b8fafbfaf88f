//! The networks of a cascade on a real device: loading them from GGUF files onto the CPU or a GPU.

use super::CascadeError;
use super::adapters::Adapters;
use super::checked::Checked;
use super::dry;
use super::files::ModelFiles;
use super::loading::Loading;
use super::manifest::{FileEntry, Manifest, StageManifest, StageUNet};
use super::networks::{Networks, PromptEncoder, StageShape, Wanted};
use super::residency::Needs;
use super::stage::{
    CpuNetwork, CpuStage, DiffusersNetwork, EfficientGpuStage, EfficientNetwork, GpuStage, StageRunner,
};
use crate::efficient_unet::names::stored_name;
use crate::gpu::{Backend, plan::Profiler};
use crate::text::{Embedding, TextEncoder, Tokenized};
use crate::weights::{Adapter, load_module};
use async_trait::async_trait;
use burn::tensor::Device;
use std::rc::Rc;

/// Networks on one backend.
pub(super) struct DeviceNetworks {
    backend: Backend,
    checked: Checked,
    adapters: Adapters,
}

impl DeviceNetworks {
    pub(super) fn new(backend: Backend) -> Self {
        Self { backend, checked: Checked::default(), adapters: Adapters::default() }
    }
}

#[async_trait(?Send)]
impl PromptEncoder for TextEncoder {
    async fn encode(&mut self, prompts: &[Tokenized]) -> Result<Vec<Embedding>, CascadeError> {
        Ok(TextEncoder::encode(self, prompts).await?)
    }

    fn profiler(&mut self) -> Option<&mut Profiler> {
        TextEncoder::profiler(self)
    }
}

#[async_trait(?Send)]
impl Networks for DeviceNetworks {
    async fn text_encoder(
        &mut self,
        files: &dyn ModelFiles,
        entry: &FileEntry,
        streamed: bool,
        loading: &Rc<Loading>,
    ) -> Result<Box<dyn PromptEncoder>, CascadeError> {
        let weights = self.checked.open(files, entry, loading).await?;
        let encoder = match streamed {
            true => TextEncoder::streamed(weights, &self.backend).await?,
            false => TextEncoder::load(weights, &self.backend).await?,
        };
        self.checked.passed(entry);
        Ok(Box::new(encoder))
    }

    async fn stage(
        &mut self,
        files: &dyn ModelFiles,
        stage: &StageManifest,
        shape: StageShape,
        loading: &Rc<Loading>,
    ) -> Result<Box<dyn StageRunner>, CascadeError> {
        let mut weights = self.checked.open(files, &stage.weights, loading).await?;
        weights.require_architecture(stage.unet.file_architecture())?;
        self.adapters.merge(&stage.weights, &mut weights)?;
        let runner: Box<dyn StageRunner> = match &self.backend {
            Backend::Cpu => {
                let device = Device::flex();
                let network: Box<dyn CpuNetwork> = match &stage.unet {
                    StageUNet::Diffusers(config) => {
                        let empty = config.init(&device)?;
                        let unet = load_module(empty, &mut weights, &str::to_owned, &device).await?;
                        Box::new(DiffusersNetwork::new(unet))
                    }
                    StageUNet::ImagenPytorch(unet) => {
                        let empty = unet.config.init(&device)?;
                        let unet = load_module(empty, &mut weights, &stored_name, &device).await?;
                        Box::new(EfficientNetwork::new(unet))
                    }
                };
                let learned_variance = stage.unet.output_channels() == 6;
                Box::new(CpuStage::new(network, learned_variance, stage.image_size, device))
            }
            Backend::Gpu(device) => match &stage.unet {
                StageUNet::Diffusers(config) => {
                    Box::new(GpuStage::load(device, &mut weights, stage, config, shape, loading).await?)
                }
                StageUNet::ImagenPytorch(unet) => {
                    let config = &unet.config;
                    Box::new(EfficientGpuStage::load(device, &mut weights, stage, config, shape, loading).await?)
                }
            },
        };
        self.checked.passed(&stage.weights);
        Ok(runner)
    }

    async fn needs(&self, files: &dyn ModelFiles, manifest: &Manifest, wanted: &Wanted) -> Result<Needs, CascadeError> {
        dry::needs(&self.backend, files, manifest, &self.adapters, wanted).await
    }

    async fn adapt(
        &mut self,
        files: &dyn ModelFiles,
        manifest: &Manifest,
        adapter: Adapter,
    ) -> Result<(), CascadeError> {
        self.adapters.add(files, manifest, adapter).await
    }

    fn on_gpu(&self) -> bool {
        self.backend.is_gpu()
    }

    async fn rebuild(&mut self) -> Result<(), CascadeError> {
        if let Backend::Gpu(lost) = &self.backend {
            self.backend = Backend::Gpu(lost.again().await?);
        }
        Ok(())
    }
}
