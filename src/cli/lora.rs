//! `--lora FILE[:SCALE]`.

use super::exit::Failure;
use crate::cascade::Cascade;
use crate::weights::Adapter;
use pollster::block_on;
use std::convert::Infallible;
use std::fmt::{Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;

/// An adapter of attention layers holds some megabytes, and one of everything in the largest U-Net less than this.
const MOST_BYTES: u64 = 1 << 30;

/// A file of low-rank adapters, and how strongly they are applied.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraOption {
    path: PathBuf,
    scale: f32,
}

impl FromStr for LoraOption {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let scaled = text.rsplit_once(':').and_then(|(path, scale)| Some((path, scale.parse().ok()?)));
        let (path, scale) = scaled.unwrap_or((text, 1.0));
        Ok(Self { path: path.into(), scale })
    }
}

impl Display for LoraOption {
    /// The file's name alone: its folder is nobody's business.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        write!(f, "{name}:{}", self.scale)
    }
}

impl LoraOption {
    /// What tells this adapter from others of its name.
    #[cfg(feature = "train")]
    pub(super) fn identity(&self) -> std::io::Result<String> {
        use sha2::{Digest, Sha256};
        Ok(format!("{}:{}", hex::encode(Sha256::digest(std::fs::read(&self.path)?)), self.scale))
    }
}

/// Merges the adapters into the model's U-Nets.
pub(super) fn apply(cascade: &mut Cascade, adapters: &[LoraOption]) -> Result<(), Failure> {
    for LoraOption { path, scale } in adapters {
        let name = path.display().to_string();
        let unreadable = |reason: String| Failure::new(format!("cannot read the adapter {name}: {reason}"));
        let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > MOST_BYTES {
            return Err(unreadable(format!("it has {size} bytes, which no adapter has")));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        let adapter = Adapter::from_safetensors(&name, &bytes, *scale).map_err(Failure::new)?;
        block_on(cascade.adapt(adapter))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_may_follow_the_file() {
        let parse = |text: &str| text.parse::<LoraOption>().unwrap();
        assert_eq!(parse("a.safetensors"), LoraOption { path: "a.safetensors".into(), scale: 1.0 });
        assert_eq!(parse("styles/a.safetensors:0.7").to_string(), "a.safetensors:0.7");
        assert_eq!(parse("a.safetensors:0.7"), LoraOption { path: "a.safetensors".into(), scale: 0.7 });
        assert_eq!(parse("C:\\a.safetensors"), LoraOption { path: "C:\\a.safetensors".into(), scale: 1.0 });
    }
}
