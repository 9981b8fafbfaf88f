//! The networks of a row: a U-Net step or a T5 encoder, with the configuration that its weights file carries.

use super::{Row, STEP, gpu};
use crate::gpu::GpuError;
use crate::gpu::plan::{Plan, PlanBuilder, Shape, Tensor};
use crate::text::t5::{self, MASKED, T5Config, position_bias, stored_name};
use crate::unet::{self, UNetConfig, sinusoidal};
use crate::web::error;
use crate::weights::{WeightIndex, Weights};
use std::borrow::Cow;
use wasm_bindgen::JsValue;

/// Where a U-Net's file keeps its configuration.
const UNET_CONFIG: &str = "imagen.unet.config";
/// Block 0's table of T5's position bias.
const RELATIVE_BIAS: &str = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";

/// What the inputs mean.
pub(super) enum Network {
    /// A single operation: inputs are what they are.
    Operation,
    UNet {
        config: Box<UNetConfig>,
        batch: u32,
        tokens: u32,
    },
    T5 {
        config: T5Config,
        tokens: u32,
        /// `[heads, tokens, tokens]`
        bias: Vec<f32>,
    },
}

impl Network {
    pub async fn new(row: &Row, weights: &mut Weights) -> Result<Self, JsValue> {
        match *row {
            Row::Ops(_) => Ok(Self::Operation),
            Row::UNet { batch, tokens } => {
                let config = weights.metadata().string(UNET_CONFIG).unwrap_or_default();
                let config = UNetConfig::from_json(config).map_err(|error| error::other(error.to_string()))?;
                Ok(Self::UNet { config: Box::new(config), batch, tokens })
            }
            Row::T5 { tokens } => {
                let index = WeightIndex::from(&*weights);
                let config = T5Config::from_metadata(weights.name(), weights.metadata(), &index);
                let config = config.map_err(|error| error::other(error.to_string()))?;
                let rows: Vec<u32> = (0..config.relative_attention_num_buckets as u32).collect();
                let name = stored_name(RELATIVE_BIAS, |name| index.contains(name));
                let table = weights.read_rows(&name, &rows).await.map_err(|error| gpu(error.into()))?;
                let bias = position_bias(&config, &table, tokens as usize);
                Ok(Self::T5 { config, tokens, bias })
            }
        }
    }

    /// Records the network; a single operation records itself.
    pub fn record(&self, b: &mut PlanBuilder) -> Result<Tensor, GpuError> {
        match self {
            Self::Operation => Err(GpuError::Unsupported { what: "a row without a network".to_owned() }),
            Self::UNet { config, batch, tokens } => {
                b.phase("prompt");
                let side = config.sample_size.as_ref().and_then(|side| side.as_u64()).unwrap_or_default() as u32;
                let x = b.input("x", Shape::image(*batch, side, side, config.in_channels as u32))?;
                unet::plan::build(b, config, x, *tokens)
            }
            Self::T5 { config, tokens, .. } => t5::plan::build(b, config, 1, *tokens),
        }
    }

    /// The phase that is timed.
    pub const fn phase(&self) -> &'static str {
        match self {
            Self::Operation | Self::UNet { .. } => STEP,
            Self::T5 { .. } => t5::plan::PHASE,
        }
    }

    /// The phase that runs once before.
    pub const fn preparation(&self) -> Option<&'static str> {
        match self {
            Self::UNet { .. } => Some("prompt"),
            Self::Operation | Self::T5 { .. } => None,
        }
    }

    /// Inputs that do not come from outside.
    pub fn constants(&self, plan: &Plan) -> Result<(), GpuError> {
        match self {
            Self::T5 { bias, .. } => plan.write(t5::plan::POSITION_BIAS, bias),
            Self::Operation | Self::UNet { .. } => Ok(()),
        }
    }

    /// The plan's name and values for an input as PyTorch takes it.
    pub fn input<'a>(&self, name: &'a str, values: &'a [f32]) -> (&'a str, Cow<'a, [f32]>) {
        match (self, name) {
            (Self::UNet { config, .. }, "timestep" | "labels") => {
                let name = if name == "labels" { "class_embedding" } else { "timestep_embedding" };
                (name, values.iter().flat_map(|&value| sinusoidal(config, value)).collect())
            }
            (Self::T5 { .. }, "x") => (t5::plan::HIDDEN, Cow::Borrowed(values)),
            (Self::T5 { .. }, "mask") => {
                (t5::plan::MASK, values.iter().map(|&seen| if seen == 0.0 { MASKED } else { 0.0 }).collect())
            }
            _ => (name, Cow::Borrowed(values)),
        }
    }
}
