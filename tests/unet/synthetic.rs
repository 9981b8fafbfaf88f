//! Weights that are integer hashes, as tests/reference/unet.py computes them.

pub use super::hashes::uniform;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use imagen_web::unet::UNetConfig;
use imagen_web::weights::{BlockFormat, GgufWriter, Metadata, Piece, WeightIndex, Weights};
use std::collections::BTreeMap;

/// Names and stored shapes of a U-Net's tensors. Computes no values.
pub fn tensors(config: &UNetConfig) -> Vec<(String, Vec<usize>)> {
    let mut survey = Survey::default();
    config.init(&Device::flex()).unwrap().visit(&mut survey);
    survey.tensors
}

fn stored_format(shape: &[usize], format: BlockFormat) -> BlockFormat {
    match shape {
        // Vectors, whatever their rank: as the converter stores them.
        [_] | [1, _] => BlockFormat::F32,
        [.., columns] if columns.is_multiple_of(format.block_values()) => format,
        _ => BlockFormat::F16,
    }
}

/// The index of a file with such weights, for plans that are never run.
pub fn index(config: &UNetConfig, format: BlockFormat) -> WeightIndex {
    let mut index = WeightIndex::new();
    for (name, shape) in tensors(config) {
        let format = stored_format(&shape, format);
        index.insert(name, shape, format);
    }
    index
}

/// A GGUF file of random weights.
pub fn gguf(config: &UNetConfig, format: BlockFormat) -> Vec<u8> {
    let tensors = tensors(config);
    let mut writer = GgufWriter::new("synthetic", Metadata::default());
    for (name, shape) in &tensors {
        writer.declare(name, shape, stored_format(shape, format)).unwrap();
    }
    let mut body = writer.begin(Vec::new()).unwrap();
    for (name, shape) in &tensors {
        body.rows(&values(name, shape)).unwrap();
    }
    body.finish().unwrap()
}

/// The tensors of a file, dequantised and stored anew.
pub async fn stored_as(weights: &mut Weights, format: BlockFormat) -> Vec<u8> {
    let mut values: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let tensors = weights.tensors().to_vec();
    let mut visit = |piece: Piece<'_>| {
        let tensor = values.entry(piece.tensor.name.clone()).or_default();
        piece.tensor.format.dequantise(piece.bytes, tensor).unwrap();
        Ok(())
    };
    weights.stream(&mut visit).await.unwrap();
    let mut writer = GgufWriter::new("stored", Metadata::default());
    for tensor in &tensors {
        writer.declare(&tensor.name, &tensor.shape, stored_format(&tensor.shape, format)).unwrap();
    }
    let mut body = writer.begin(Vec::new()).unwrap();
    for tensor in &tensors {
        body.rows(&values[&tensor.name]).unwrap();
    }
    body.finish().unwrap()
}

/// Random values of a tensor, of a size that keeps what passes through.
pub fn values(name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    if shape.len() >= 2 {
        let fan_in: usize = shape[1..].iter().product();
        uniform(name, count, (3.0 / fan_in as f32).sqrt(), 0.0)
    } else if name.ends_with(".bias") {
        uniform(name, count, 0.1, 0.0)
    } else {
        uniform(name, count, 0.25, 1.0)
    }
}

#[derive(Default)]
struct Survey {
    path: Vec<(String, String)>,
    tensors: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for Survey {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut names: Vec<&str> = self.path.iter().map(|(name, _)| name.as_str()).collect();
        match names.last_mut() {
            Some(last) if *last == "gamma" => *last = "weight",
            Some(last) if *last == "beta" => *last = "bias",
            _ => {}
        }
        let mut shape = param.lazy_shape().to_vec();
        if self.path.last().unwrap().1 == "Struct:Linear" && D == 2 {
            shape.reverse();
        }
        if shape.len() == 4 {
            shape = vec![shape[0], shape[1] * shape[2] * shape[3]];
        }
        self.tensors.push((names.join("."), shape));
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push((name.to_owned(), container.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}
