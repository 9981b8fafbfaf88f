//! A fixture: a configuration, its inputs and diffusers' output.

use super::synthetic;
use burn::tensor::{Device, Tensor, TensorData};
use imagen_web::unet::{UNet, UNetConfig};
use imagen_web::weights::{BlockFormat, FileSource, MemorySource, Weights, load_module};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

/// One case of tests/reference/unet.py.
pub struct Fixture {
    pub name: String,
    pub config: UNetConfig,
    pub batch: usize,
    /// Side of the picture in pixels.
    pub size: usize,
    pub tokens: usize,
    pub timestep: Vec<f32>,
    pub class_labels: Option<Vec<f32>>,
    pub output: Vec<f32>,
    /// The file of its weights; none for random ones.
    stored: Option<PathBuf>,
}

impl Fixture {
    pub fn open(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(root.join(format!("tests/fixtures/unet_{name}.safetensors"))).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        let number = |key: &str| metadata[key].parse::<usize>().unwrap();
        let floats = |key: &str| {
            let tensor = tensors.tensor(key).ok()?;
            Some(tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>())
        };
        let stored = match name {
            "storybook_0" => Some("unet.gguf"),
            "storybook_1" => Some("super_res_1.gguf"),
            "storybook_2" => Some("super_res_2.gguf"),
            _ => None,
        };
        Self {
            name: name.to_owned(),
            config: UNetConfig::from_json(&metadata["config"]).unwrap(),
            batch: number("batch"),
            size: number("size"),
            tokens: number("tokens"),
            timestep: floats("timestep").unwrap(),
            class_labels: floats("class_labels"),
            output: floats("output").unwrap(),
            stored: stored.map(|file| root.join("models/storybook").join(file)),
        }
    }

    /// The weights, all that can be stored as `format`: those of the stored file, or random ones.
    pub async fn weights(&self, format: BlockFormat) -> Weights {
        let bytes = match self.file() {
            Some(source) => synthetic::stored_as(&mut Weights::open(source).await.unwrap(), format).await,
            None => synthetic::gguf(&self.config, format),
        };
        Weights::open(Box::new(MemorySource::new(self.name.clone(), bytes))).await.unwrap()
    }

    /// The weights as they are shipped; random ones as F32.
    pub async fn shipped(&self) -> Weights {
        match self.file() {
            Some(source) => Weights::open(source).await.unwrap(),
            None => self.weights(BlockFormat::F32).await,
        }
    }

    fn file(&self) -> Option<Box<FileSource>> {
        self.stored.as_ref().map(|path| Box::new(FileSource::open(path).unwrap()))
    }

    /// The burn module with these weights.
    pub async fn model(&self, mut weights: Weights, device: &Device) -> UNet {
        let module = self.config.init(device).unwrap();
        load_module(module, &mut weights, &|name| name.to_owned(), device).await.unwrap()
    }

    /// Whether the text has any influence.
    pub fn reads_text(&self) -> bool {
        let attends = |types: &[String]| types.iter().any(|name| name.contains("CrossAttn"));
        self.config.addition_embed_type.is_some() || attends(&self.config.down_block_types)
    }

    /// The picture, planar pixels.
    pub fn x(&self) -> Vec<f32> {
        synthetic::uniform("x", self.batch * self.config.input_channels() * self.size * self.size, 1.5, 0.0)
    }

    /// `[batch, tokens, channels]`
    pub fn text(&self) -> Vec<f32> {
        synthetic::uniform("text", self.batch * self.tokens * self.config.text_channels().unwrap(), 1.0, 0.0)
    }

    /// What the burn module predicts.
    pub fn predict(&self, model: &UNet, device: &Device) -> Vec<f32> {
        let tensor = |values: Vec<f32>| TensorData::new(values, [self.batch]);
        let x = TensorData::new(self.x(), [self.batch, self.config.input_channels(), self.size, self.size]);
        let text = TensorData::new(self.text(), [self.batch, self.tokens, self.config.text_channels().unwrap()]);
        let labels = self.class_labels.clone().map(|labels| Tensor::from_data(tensor(labels), device));
        let timestep = Tensor::from_data(tensor(self.timestep.clone()), device);
        let out = model.forward(Tensor::from_data(x, device), timestep, Tensor::from_data(text, device), labels);
        out.into_data().try_into_vec().unwrap()
    }
}
