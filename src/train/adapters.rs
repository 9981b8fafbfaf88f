//! Low-rank adapters (LoRA, 2106.09685) on a network that stays as it is: burn's own for matrices, and the same product of two thin
//! factors for convolutions, whose kernels are matrices `[out, in · kh · kw]`.
//!
//! Factors are parameters of their own, `LAYER.weight.lora.a` and `.b`, with the weight a + scale · a · b. Of a network that has any,
//! nothing else learns, is averaged or lies in a checkpoint. They are written in PEFT's names and shapes, with the scale inside
//! `lora_B`, so that no reader needs to be told of it.

use super::parameters::{self, Values};
use super::{Networks, TrainError};
use crate::weights::{Layout, Path, turned};
use burn::module::{Lora, LoraAdapter, Module, ModuleVisitor, Param, ParamGroup, ParamId, Reparameterizer};
use burn::tensor::{Distribution, Tensor};
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a factor's path ends in.
const FACTORS: [&str; 2] = [".lora.a", ".lora.b"];

/// Layers that adapters are put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layers {
    /// Queries, keys, values and outputs, of the image and of the text.
    Attention,
    /// All other matrices: embeddings of text and time, and their projections in every block.
    Linear,
    Convolution,
}

/// Adapters of a U-Net.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoraOptions {
    /// Columns and rows of the thin factors, at least 1.
    pub rank: usize,
    /// What the product of the factors is multiplied by: alpha / rank in other programs.
    pub scale: f64,
    pub layers: Vec<Layers>,
}

impl LoraOptions {
    /// Puts adapters on the U-Net's layers, at first without effect, and freezes all else.
    pub fn adapt(&self, networks: Networks) -> Networks {
        let mut selected = Selected { layers: &self.layers, path: Path::default(), ids: Vec::new() };
        networks.unet.visit(&mut selected);
        let lora = Lora::new(self.rank, self.scale * self.rank as f64);
        let lora = lora.set_param_group(ParamGroup::from_ids(selected.ids));
        Networks { unet: networks.unet.apply_reparameterization(Factors(lora)), ..networks }
    }
}

/// Finds the layers.
struct Selected<'a> {
    layers: &'a [Layers],
    path: Path,
    ids: Vec<ParamId>,
}

impl ModuleVisitor for Selected<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let layer = match self.path.layout(D) {
            Layout::AsIs => return,
            Layout::Convolution => Layers::Convolution,
            Layout::Transposed if self.path.name().contains("attentions.") => Layers::Attention,
            Layout::Transposed => Layers::Linear,
        };
        if self.layers.contains(&layer) {
            self.ids.push(param.id);
        }
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
}

/// burn's adapters, which are for matrices only, and those of convolutions.
struct Factors(Lora);

impl Reparameterizer for Factors {
    type Reparam = LoraAdapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LoraAdapter>) {
        let (id, device, shape) = (param.id, param.lazy_device(), param.lazy_shape().to_vec());
        let (base, adapter) = self.0.reparameterize(path, param);
        let [outputs, inputs, height, width] = shape[..] else { return (base, adapter) };
        if !self.0.param_group.matches(&id, Some(path)) {
            return (base, None);
        }
        let (rank, depth) = (self.0.rank, inputs * height * width);
        // A window's values add up in the thin factor: this keeps their size.
        let spread = Distribution::Normal(0.0, 1.0 / (depth as f64).sqrt());
        let adapter = LoraAdapter {
            a: Param::from_tensor(Tensor::zeros([outputs, rank], &device)),
            b: Param::from_tensor(Tensor::random([rank, depth], spread, &device)),
            scale: self.0.alpha / rank as f64,
        };
        (base, Some(adapter))
    }
}

/// What learns of named things: the factors of adapters where there are any, else all.
pub(super) fn learning<T>(mut all: BTreeMap<String, T>) -> BTreeMap<String, T> {
    let factor = |name: &str| FACTORS.iter().any(|end| name.ends_with(end));
    if all.keys().any(|name| factor(name)) {
        all.retain(|name, _| factor(name));
    }
    all
}

/// The adapters in a file of PEFT's names, with these values of the factors.
///
/// # Errors
/// [`TrainError::Setting`] where the networks have none, or other ones.
pub fn to_safetensors(networks: &Networks, values: &Values, scale: f64) -> Result<Vec<u8>, TrainError> {
    let shapes = parameters::shapes(networks);
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, base) in &shapes {
        let [Some(a), Some(b)] = FACTORS.map(|end| values.get(&format!("{name}{end}"))) else { continue };
        let [a, b]: [Vec<f32>; 2] = [a, b].map(|value| value.to_data().iter::<f32>().collect());
        let (down, up) = match base[..] {
            [outputs, inputs, height, width] if a.len() % outputs == 0 => {
                let rank = a.len() / outputs;
                (([rank, inputs, height, width].to_vec(), b), ([outputs, rank, 1, 1].to_vec(), a))
            }
            [inputs, outputs] if a.len() % inputs == 0 => {
                let rank = a.len() / inputs;
                let (down, up) = (turned(&a, inputs, rank), turned(&b, rank, outputs));
                (([rank, inputs].to_vec(), down), ([outputs, rank].to_vec(), up))
            }
            _ => continue,
        };
        let up = (up.0, up.1.into_iter().map(|value| (f64::from(value) * scale) as f32).collect::<Vec<f32>>());
        let layer = name.strip_suffix(".weight").unwrap_or(name);
        for (factor, (shape, values)) in [("lora_A", down), ("lora_B", up)] {
            let bytes = bytemuck::cast_slice(&values).to_vec();
            tensors.insert(format!("{layer}.{factor}.weight"), (shape, bytes));
        }
    }
    if tensors.is_empty() {
        return Err(TrainError::setting("lora-rank", "the run has no adapters that could be written"));
    }
    let views = tensors
        .iter()
        .map(|(name, (shape, bytes))| TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name, view)));
    let views = views.collect::<Result<Vec<_>, _>>();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]).into_iter().collect();
    let bytes = views.and_then(|views| safetensors::serialize(views, Some(metadata)));
    bytes.map_err(|error| TrainError::setting("lora-rank", error))
}
