//! Which network a stage has, and how it is configured.

use crate::efficient_unet::{self, EfficientUNetConfig};
use crate::unet::architecture::Architecture;
use crate::unet::{UNetConfig, UNetError};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// The field that names an architecture other than diffusers', and its value.
const ARCHITECTURE: &str = "architecture";
const IMAGEN_PYTORCH: &str = "imagen-pytorch";

/// A stage's U-Net. In the manifest, the options of diffusers stand as they are; those of another architecture have its
/// name beside them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum StageUNet {
    /// diffusers' `UNet2DConditionModel`.
    Diffusers(Box<UNetConfig>),
    /// imagen-pytorch's `Unet`.
    ImagenPytorch(Box<Tagged>),
}

/// Options with the name of their architecture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tagged {
    architecture: &'static str,
    #[serde(flatten)]
    pub config: EfficientUNetConfig,
}

impl From<UNetConfig> for StageUNet {
    fn from(config: UNetConfig) -> Self {
        Self::Diffusers(Box::new(config))
    }
}

impl From<EfficientUNetConfig> for StageUNet {
    fn from(config: EfficientUNetConfig) -> Self {
        Self::ImagenPytorch(Box::new(Tagged { architecture: IMAGEN_PYTORCH, config }))
    }
}

impl<'de> Deserialize<'de> for StageUNet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut options = Map::deserialize(deserializer)?;
        let options = match options.remove(ARCHITECTURE) {
            None => return serde_json::from_value(options.into()).map(Self::Diffusers).map_err(de::Error::custom),
            Some(Value::String(name)) if name == IMAGEN_PYTORCH => options,
            Some(other) => return Err(de::Error::custom(format!("the U-Net architecture {other} is not known"))),
        };
        serde_json::from_value::<EfficientUNetConfig>(options.into()).map(Self::from).map_err(de::Error::custom)
    }
}

impl StageUNet {
    /// Channels of the input picture, the conditioning's included.
    pub fn input_channels(&self) -> usize {
        match self {
            Self::Diffusers(config) => config.input_channels(),
            Self::ImagenPytorch(unet) => unet.config.input_channels(),
        }
    }

    /// Channels of the predicted picture: 3, or 6 with a learned variance.
    pub fn output_channels(&self) -> usize {
        match self {
            Self::Diffusers(config) => config.output_channels(),
            Self::ImagenPytorch(unet) => unet.config.channels,
        }
    }

    /// Values per token of the text; none for a network without.
    pub fn text_channels(&self) -> Option<usize> {
        match self {
            Self::Diffusers(config) => config.text_channels(),
            Self::ImagenPytorch(unet) => unet.config.text_channels(),
        }
    }

    /// True where guidance steers away from an embedding that the network learnt, not from a negative prompt.
    pub fn learnt_null_text(&self) -> bool {
        matches!(self, Self::ImagenPytorch(_))
    }

    /// What a picture's side must be a multiple of.
    ///
    /// # Errors
    /// Options that are not supported or contradict each other.
    pub fn granularity(&self) -> Result<usize, UNetError> {
        match self {
            Self::Diffusers(config) => Ok(config.patch_size * Architecture::new(config)?.granularity()),
            Self::ImagenPytorch(unet) => {
                Ok(efficient_unet::architecture::Architecture::new(&unet.config)?.granularity())
            }
        }
    }

    /// Channels of every level, for a reader.
    pub fn channels(&self) -> Vec<usize> {
        match self {
            Self::Diffusers(config) => config.block_out_channels.clone(),
            Self::ImagenPytorch(unet) => unet.config.dim_mults.iter().map(|mult| mult * unet.config.dim).collect(),
        }
    }

    /// `general.architecture` of its weights' file.
    pub fn file_architecture(&self) -> &'static str {
        match self {
            Self::Diffusers(_) => "imagen-unet",
            Self::ImagenPytorch(_) => "imagen-pytorch-unet",
        }
    }
}
