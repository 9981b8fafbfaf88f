//! Single operations, as somebody would write them with burn.

use crate::case::Inputs;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d, RmsNorm, RmsNormConfig};
use burn::tensor::activation::{gelu, silu};
use burn::tensor::module::{attention, avg_pool2d, interpolate};
use burn::tensor::ops::{AttentionModuleOptions, AvgPoolOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};
use imagen_web::weights::{Weights, load_module};
use serde::Deserialize;
use wasm_bindgen::JsError;

/// A row of `cases.json`: what an operation needs of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    kind: String,
    r#in: usize,
    out: usize,
    kernel: usize,
    groups: Option<usize>,
    activation: Option<String>,
    upsample: bool,
    heads: usize,
    keys: Vec<usize>,
    bias: bool,
}

/// The layers of an operation; their paths are the weights' names.
#[derive(Module, Debug)]
struct Layers {
    norm: Option<GroupNorm>,
    conv: Option<Conv2d>,
    linear: Option<Linear>,
}

#[derive(Module, Debug)]
struct RmsLayers {
    norm: RmsNorm,
}

/// One operation with its weights.
pub(crate) struct Operation {
    row: Row,
    layers: Layers,
    rms: Option<RmsLayers>,
}

impl Operation {
    pub async fn load(row: &serde_json::Value, weights: &mut Weights, device: &Device) -> Result<Self, JsError> {
        let row = Row::deserialize(row)?;
        let conv = (row.kind == "conv").then(|| {
            let pad = row.kernel / 2;
            Conv2dConfig::new([row.r#in, row.out], [row.kernel; 2])
                .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
                .init(device)
        });
        let layers = Layers {
            norm: row.groups.map(|groups| GroupNormConfig::new(groups, row.r#in).init(device)),
            conv,
            linear: (row.kind == "linear").then(|| LinearConfig::new(row.r#in, row.out).init(device)),
        };
        let layers = load_module(layers, weights, &str::to_owned, device).await?;
        let rms = match row.kind.as_str() {
            "rms_norm" => {
                let norm = RmsNormConfig::new(row.r#in).with_epsilon(1e-6).init(device);
                Some(load_module(RmsLayers { norm }, weights, &str::to_owned, device).await?)
            }
            _ => None,
        };
        Ok(Self { row, layers, rms })
    }

    /// The output, flat.
    pub fn forward(&self, inputs: &Inputs) -> Result<Tensor<1>, JsError> {
        let Layers { conv, linear, .. } = &self.layers;
        if let Some(conv) = conv {
            let mut x = self.normed(inputs.expect("x")?);
            if self.row.upsample {
                x = doubled(x);
            }
            return Ok(conv.forward(x).flatten(0, 3));
        }
        if let Some(linear) = linear {
            return Ok(linear.forward(inputs.expect::<3>("x")?).flatten(0, 2));
        }
        if let Some(RmsLayers { norm }) = &self.rms {
            return Ok(norm.forward(inputs.expect::<3>("x")?).flatten(0, 2));
        }
        match self.row.kind.as_str() {
            "pool" => {
                let x = self.normed(inputs.expect("x")?);
                Ok(avg_pool2d(x, AvgPoolOptions::new([2, 2]).with_stride([2, 2])).flatten(0, 3))
            }
            "nearest" => Ok(doubled(inputs.expect("x")?).flatten(0, 3)),
            "attention" => self.attend(inputs),
            other => Err(JsError::new(&format!("no operation {other}"))),
        }
    }

    fn normed(&self, x: Tensor<4>) -> Tensor<4> {
        let Some(norm) = &self.layers.norm else { return x };
        let x = norm.forward(x);
        match self.row.activation.as_deref() {
            Some("silu") => silu(x),
            Some("gelu") => gelu(x),
            _ => x,
        }
    }

    fn attend(&self, inputs: &Inputs) -> Result<Tensor<1>, JsError> {
        let heads = self.row.heads;
        let split = |x: Tensor<3>| {
            let [batch, tokens, width] = x.dims();
            x.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2)
        };
        let all = |name: &str| -> Result<Tensor<3>, JsError> {
            let segments: Result<Vec<_>, _> =
                (0..self.row.keys.len()).map(|segment| inputs.expect(&format!("{name}{segment}"))).collect();
            Ok(Tensor::cat(segments?, 1))
        };
        let (q, k, v) = (split(inputs.expect("q")?), split(all("k")?), split(all("v")?));
        let scale = self.row.bias.then_some(1.0);
        let options = AttentionModuleOptions { scale, ..Default::default() };
        let y = attention(q, k, v, None, inputs.get("bias"), options);
        Ok(y.swap_dims(1, 2).flatten(0, 3))
    }
}

fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let options = InterpolateOptions::new(InterpolateMode::Nearest);
    interpolate(x, InterpolateOptions { output_size: Some([2 * height, 2 * width]), ..options })
}
