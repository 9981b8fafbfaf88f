//! Fixtures of tests/reference/efficient_unet.py: a configuration, its inputs and imagen-pytorch's output.

// Each test program uses its own part.
#![allow(dead_code)]

#[path = "../unet/mod.rs"]
pub mod unet;

use burn::tensor::{Device, Tensor, TensorData};
use imagen_web::efficient_unet::{
    Conditions, EfficientUNet, EfficientUNetConfig,
    names::{checkpoint_name, stored_name},
};
use imagen_web::weights::{BlockFormat, GgufWriter, MemorySource, Metadata, Weights, load_module, wanted_tensors};
use safetensors::SafeTensors;
use std::path::Path;
use unet::synthetic::uniform;

pub const CASES: [&str; 6] = ["default", "base64", "sr256", "sr1024", "unconditional", "other"];
pub const SIZE: usize = 16;
const TOKENS: usize = 7;
const SEEN: usize = 5;

/// Two rows: one with the text, one without.
pub struct Fixture {
    pub config: EfficientUNetConfig,
    pub log_snr: f32,
    pub low_log_snr: f32,
    pub output: Vec<f32>,
}

impl Fixture {
    pub fn open(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(root.join(format!("tests/fixtures/efficient_unet_{name}.safetensors"))).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let floats = |key: &str| {
            let data = tensors.tensor(key).unwrap().data().to_vec();
            data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>()
        };
        let config = EfficientUNetConfig::from_json(&header.metadata().as_ref().unwrap()["config"]).unwrap();
        Self { config, log_snr: floats("log_snr")[0], low_log_snr: floats("low_log_snr")[0], output: floats("output") }
    }

    /// A file of its weights.
    pub fn weights(&self, format: BlockFormat) -> Weights {
        let wanted = wanted_tensors(&self.config.init(&Device::flex()).unwrap(), &stored_name);
        // As a conversion does it.
        let stored = |name: &str, shape: &[usize]| match shape {
            [_, columns] if name.ends_with(".weight") && columns.is_multiple_of(format.block_values()) => format,
            [_, _] if name.ends_with(".weight") => BlockFormat::F16,
            _ => BlockFormat::F32,
        };
        let mut writer = GgufWriter::new("synthetic", Metadata::default());
        for (name, tensor) in &wanted {
            writer.declare(name, &tensor.stored, stored(name, &tensor.stored)).unwrap();
        }
        let mut body = writer.begin(Vec::new()).unwrap();
        for (name, tensor) in &wanted {
            let (name, count) = (checkpoint_name(name), tensor.stored.iter().product());
            let values = match tensor.stored.as_slice() {
                [_] if name.ends_with(".bias") => uniform(&name, count, 0.1, 0.0),
                [_] => uniform(&name, count, 0.25, 1.0),
                shape => uniform(&name, count, (3.0 / shape[1..].iter().product::<usize>() as f32).sqrt(), 0.0),
            };
            body.rows(&values).unwrap();
        }
        pollster::block_on(Weights::open(Box::new(MemorySource::new("synthetic", body.finish().unwrap())))).unwrap()
    }

    /// The burn module with these weights.
    pub fn model(&self, format: BlockFormat) -> EfficientUNet {
        let device = Device::flex();
        let module = self.config.init(&device).unwrap();
        pollster::block_on(load_module(module, &mut self.weights(format), &stored_name, &device)).unwrap()
    }

    /// What the network is told, for both rows.
    pub fn conditions(&self, model: &EfficientUNet) -> Conditions {
        let device = Device::flex();
        let rows = |value: f32| Tensor::<1>::from_data([value; 2], &device);
        let tensor = |values: Vec<f32>, shape: [usize; 3]| {
            Tensor::<3>::from_data(TensorData::new(values.repeat(2), shape), &device)
        };
        let text = self.config.text_channels().and_then(|channels| {
            let mask: Vec<f32> = (0..TOKENS).map(|token| f32::from(u8::from(token < SEEN))).collect();
            let embedding = tensor(uniform("text", TOKENS * channels, 1.0, 0.0), [2, TOKENS, channels]);
            let mask = tensor(mask, [2, TOKENS, 1]).squeeze_dim(2);
            model.conditioner.text(embedding, mask, Tensor::from_data([1.0, 0.0], &device))
        });
        let low = self.config.lowres_cond.then(|| rows(self.low_log_snr));
        model.conditioner.forward(rows(self.log_snr), low, text.as_ref())
    }

    /// The noisy picture of both rows, planar.
    pub fn x(&self) -> Vec<f32> {
        uniform("x", 3 * SIZE * SIZE, 1.5, 0.0).repeat(2)
    }

    pub fn low(&self) -> Option<Vec<f32>> {
        self.config.lowres_cond.then(|| uniform("low", 3 * SIZE * SIZE, 1.0, 0.0).repeat(2))
    }

    /// What the burn module predicts.
    pub fn predict(&self, model: &EfficientUNet) -> Vec<f32> {
        let picture =
            |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [2, 3, SIZE, SIZE]), &Device::flex());
        let out = model.forward(picture(self.x()), self.low().map(picture), &self.conditions(model));
        out.into_data().try_into_vec().unwrap()
    }
}
