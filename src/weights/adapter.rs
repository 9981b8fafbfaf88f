//! Low-rank adapters (LoRA, 2106.09685): W + scale · up · down, merged into the weights while they stream by.
//!
//! Files are safetensors as diffusers saves them: `unet.LAYER.lora_A.weight` and `lora_B` (PEFT's names),
//! `LAYER.lora.down.weight` and `up`, or the older `LAYER.processor.to_q_lora.down.weight`. A layer's `alpha`, or the one
//! that the file's `lora_adapter_metadata` states, divided by the rank is its strength; without either it is 1.

use super::{BlockFormat, TensorInfo, Weights, WeightsError};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;
use std::collections::BTreeMap;

/// An adapter, and how strongly it is applied.
#[derive(Clone, Debug)]
pub struct Adapter {
    name: String,
    scale: f32,
    /// By the name of the matrix that each is added to.
    layers: BTreeMap<String, LowRank>,
}

/// A product of two thin matrices.
#[derive(Clone, Debug)]
pub(super) struct LowRank {
    /// `[rank, inputs]` and `[outputs, rank]`.
    down: Matrix,
    up: Matrix,
    /// What the product is multiplied by, the adapter's scale aside.
    strength: f32,
}

#[derive(Clone, Debug, Default)]
struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

/// What a tensor of the file is.
enum Part {
    Down,
    Up,
    Alpha,
}

impl Adapter {
    /// Reads a file's bytes; `name` is the file's, for messages. `scale` 1 is as it was trained, 0 is none of it.
    ///
    /// # Errors
    /// [`WeightsError::Adapter`] for what is no such file, or adapts something else than matrices of a U-Net.
    pub fn from_safetensors(name: &str, bytes: &[u8], scale: f32) -> Result<Self, WeightsError> {
        read(bytes)
            .and_then(|layers| match scale.is_finite() {
                true => Ok(Self { name: name.to_owned(), scale, layers }),
                false => Err(format!("its scale is {scale}; give a number such as 0.8")),
            })
            .map_err(|reason| WeightsError::Adapter { name: name.to_owned(), reason })
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Checks that every layer is a matrix of the network, in the same shape.
    ///
    /// # Errors
    /// [`WeightsError::Adapter`] that names the first layer that is not.
    pub fn fits(&self, weights: &Weights) -> Result<(), WeightsError> {
        for (tensor, layer) in &self.layers {
            let expected = [layer.up.rows, layer.down.columns];
            let reason = match weights.tensor(tensor) {
                Some(info) if info.shape == expected => continue,
                Some(info) => format!("{tensor} is {:?} in the network and {expected:?} in the adapter", info.shape),
                None => format!("the network has no {tensor}"),
            };
            return Err(WeightsError::Adapter { name: self.name.clone(), reason });
        }
        Ok(())
    }

    /// The layers by the matrices that they are added to, with the whole factor of each.
    pub(super) fn layers(&self) -> impl Iterator<Item = (&str, &LowRank, f32)> {
        self.layers.iter().map(|(name, layer)| (name.as_str(), layer, self.scale * layer.strength))
    }
}

/// A tensor to which adapters are added: how it stands in the file, and what is added.
pub(super) struct Merged {
    pub stored: TensorInfo,
    layers: Vec<(LowRank, f32)>,
    /// For messages.
    adapters: Vec<String>,
}

impl Merged {
    pub fn new(stored: TensorInfo) -> Self {
        Self { stored, layers: Vec::new(), adapters: Vec::new() }
    }

    pub fn add(&mut self, adapter: &Adapter, layer: &LowRank, factor: f32) {
        self.layers.push((layer.clone(), factor));
        self.adapters.push(adapter.name.clone());
    }

    /// The format in which the sum is handed on: taking it down to blocks again would lose what the adapter learnt.
    pub fn format(&self) -> BlockFormat {
        match self.stored.format {
            // BF16's range is that of F32.
            BlockFormat::F32 | BlockFormat::Bf16 => BlockFormat::F32,
            _ => BlockFormat::F16,
        }
    }

    /// Rows of the file with the adapters' rows added, in [`format`](Self::format).
    pub fn rows(&self, first: usize, bytes: &[u8]) -> Result<Vec<u8>, WeightsError> {
        let columns = self.stored.columns();
        let mut values = Vec::new();
        self.stored.format.dequantise(bytes, &mut values).map_err(|error| error.of(&self.stored.name))?;
        for (row, sum) in values.chunks_exact_mut(columns).enumerate() {
            for (layer, factor) in &self.layers {
                let LowRank { down, up, .. } = layer;
                let coefficients = up.values.chunks_exact(up.columns).nth(first + row).unwrap_or_default();
                for (coefficient, down) in coefficients.iter().zip(down.values.chunks_exact(down.columns)) {
                    let coefficient = factor * coefficient;
                    sum.iter_mut().zip(down).for_each(|(sum, down)| *sum += coefficient * down);
                }
            }
        }
        let largest = self.format().largest();
        if values.iter().any(|value| !value.is_finite() || value.abs() > largest) {
            let tensor = &self.stored.name;
            let reason = format!("with it, {tensor} leaves the range of {}; give it a smaller scale", self.format());
            return Err(WeightsError::Adapter { name: self.adapters.join(", "), reason });
        }
        self.format().quantise(&values).map_err(|error| error.of(&self.stored.name))
    }
}

/// The layers of a file, or what is wrong with it.
fn read(bytes: &[u8]) -> Result<BTreeMap<String, LowRank>, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let stated = header.metadata().as_ref().and_then(|entries| entries.get("lora_adapter_metadata"));
    let stated = stated.map(|json| stated_alpha(json)).transpose()?.flatten();
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut parts: BTreeMap<String, [Option<Matrix>; 3]> = BTreeMap::new();
    for (key, view) in file.iter() {
        let (tensor, part) = target(key)?;
        parts.entry(tensor).or_default()[part as usize] = Some(matrix(key, &view)?);
    }
    if parts.is_empty() {
        return Err("it holds no tensors".to_owned());
    }
    let mut layers = BTreeMap::new();
    for (tensor, parts) in parts {
        let [Some(down), Some(up), alpha] = parts else {
            return Err(format!("of {tensor} it holds one of the two matrices only"));
        };
        let rank = down.rows;
        if rank == 0 || up.columns != rank {
            return Err(format!("of {tensor} one matrix has the rank {rank}, the other {}", up.columns));
        }
        let alpha = alpha.and_then(|alpha| alpha.values.first().copied()).or(stated);
        let strength = alpha.map_or(1.0, |alpha| alpha / rank as f32);
        layers.insert(tensor, LowRank { down, up, strength });
    }
    Ok(layers)
}

/// The matrix that a tensor of the file adapts, and which part of the adapter it is.
fn target(key: &str) -> Result<(String, Part), String> {
    let prefixes = ["base_model.model.", "unet."];
    let plain = prefixes.iter().fold(key, |key, prefix| key.strip_prefix(prefix).unwrap_or(key));
    let endings = [
        (".lora_A.weight", Part::Down),
        (".lora_A.default.weight", Part::Down),
        (".lora.down.weight", Part::Down),
        ("_lora.down.weight", Part::Down),
        (".lora_B.weight", Part::Up),
        (".lora_B.default.weight", Part::Up),
        (".lora.up.weight", Part::Up),
        ("_lora.up.weight", Part::Up),
        (".alpha", Part::Alpha),
    ];
    let found = endings.into_iter().find_map(|(end, part)| Some((plain.strip_suffix(end)?, part)));
    let Some((layer, part)) = found.filter(|_| !plain.starts_with("text_encoder")) else {
        return Err(format!("{key} is no low-rank adapter of a U-Net's matrix in diffusers' naming"));
    };
    let mut layer = layer.replace(".processor.", ".");
    // The older naming leaves out that the way out is the first of a list.
    if layer.ends_with(".to_out") {
        layer.push_str(".0");
    }
    Ok((layer + ".weight", part))
}

fn matrix(key: &str, view: &TensorView<'_>) -> Result<Matrix, String> {
    let format = match view.dtype() {
        Dtype::F32 => BlockFormat::F32,
        Dtype::F16 => BlockFormat::F16,
        Dtype::BF16 => BlockFormat::Bf16,
        other => return Err(format!("{key} is stored as {other:?}; F32, F16 and BF16 are read")),
    };
    let mut values = Vec::new();
    format.dequantise(view.data(), &mut values).map_err(|error| format!("{key}: {error}"))?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(format!("{key} holds values that are not finite"));
    }
    let (rows, columns) = match *view.shape() {
        [] => (1, 1),
        [columns] => (1, columns),
        [rows, columns] => (rows, columns),
        [rows, channels, ..] if view.shape().len() == 4 => {
            // As the rows of a convolution lie in a GGUF file: the channel varies fastest.
            let columns = values.len() / rows.max(1);
            let window = columns / channels.max(1);
            let turned = |filter: &[f32], at: usize| filter[at % channels * window + at / channels];
            let filters = values.chunks_exact(columns.max(1));
            values = filters.flat_map(|filter| (0..columns).map(move |at| turned(filter, at))).collect();
            (rows, columns)
        }
        _ => return Err(format!("{key} has the shape {:?}: only matrices and convolutions are adapted", view.shape())),
    };
    Ok(Matrix { rows, columns, values })
}

/// The alpha of all layers, as PEFT's configuration in the file's header states it.
fn stated_alpha(json: &str) -> Result<Option<f32>, String> {
    let stated: Value = serde_json::from_str(json).map_err(|error| format!("its lora_adapter_metadata: {error}"))?;
    let entry = |name: &str| stated.get(format!("unet.{name}")).or_else(|| stated.get(name));
    // Each of these gives layers a strength of their own.
    for option in ["alpha_pattern", "use_rslora", "use_dora"] {
        let unset = |value: &Value| value.is_null() || *value == Value::Bool(false) || *value == serde_json::json!({});
        if entry(option).is_some_and(|value| !unset(value)) {
            return Err(format!("its lora_adapter_metadata sets {option}, which is not supported"));
        }
    }
    Ok(entry("lora_alpha").and_then(Value::as_f64).map(|alpha| alpha as f32))
}
