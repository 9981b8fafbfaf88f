//! Why something failed, as a code and its values: for a page that says it in its visitor's language.
//!
//! What can happen to a visitor of a page has a code; everything else is told by its message alone. `www/lib/why.ts` has
//! the same codes, which a test compares.

use super::CascadeError;
use super::events::During;
use crate::gpu::GpuError;
use crate::text::TextError;
use crate::weights::WeightsError;
use serde::Serialize;

/// A code and its values. Serialises as `{"code":"deviceLost",…}`; sizes are in bytes, reasons in English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(tag = "code", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Why {
    BadManifest {
        reason: String,
    },
    NoFile {
        name: String,
        reason: String,
    },
    DamagedFile {
        name: String,
    },
    UnusableFile {
        reason: String,
    },
    Adapter {
        name: String,
        reason: String,
    },
    PartMissing {
        part: String,
    },
    PromptTooLong {
        negative: bool,
        length: usize,
        max: usize,
    },
    NoNegativePrompt,
    NoAdapter {
        reason: String,
    },
    NoDevice {
        reason: String,
    },
    DeviceLost {
        during: During,
    },
    OutOfMemory {
        during: During,
    },
    GpuMemory {
        budget: u64,
        needed: u64,
    },
    TooLargeForGpu {
        needed: u64,
        available: u64,
    },
    GpuRejected {
        reason: String,
    },
    Computation {
        reason: String,
    },
    /// Why the CPU is used: it was asked for, ...
    CpuAskedFor,
    /// ... the only GPU is one in software, ...
    SoftwareGpu {
        name: String,
    },
    /// ... or there is none.
    NoGpu {
        reason: String,
    },
}

impl Why {
    /// The code of an error, if it has one.
    pub fn of(error: &CascadeError) -> Option<Self> {
        Some(match error {
            CascadeError::Manifest { reason } => Self::BadManifest { reason: reason.clone() },
            CascadeError::File { name, reason } => Self::NoFile { name: name.clone(), reason: reason.clone() },
            CascadeError::Incomplete { part } => Self::PartMissing { part: (*part).to_owned() },
            CascadeError::PromptTooLong { setting, length, max } => {
                Self::PromptTooLong { negative: *setting != "prompt", length: *length, max: *max }
            }
            CascadeError::NegativePrompt => Self::NoNegativePrompt,
            CascadeError::DeviceLost { during } => Self::DeviceLost { during: *during },
            CascadeError::OutOfMemory { during, .. } => Self::OutOfMemory { during: *during },
            CascadeError::GpuMemory { budget, needed } => Self::GpuMemory { budget: *budget, needed: *needed },
            CascadeError::Execution { reason } | CascadeError::Text(TextError::Execution { reason }) => {
                Self::Computation { reason: reason.clone() }
            }
            _ => return error.weights().and_then(Self::of_weights).or_else(|| error.gpu().and_then(Self::of_gpu)),
        })
    }

    /// The code of a GPU's error, if it has one.
    pub fn of_gpu(error: &GpuError) -> Option<Self> {
        Some(match error {
            GpuError::NoAdapter { reason } => Self::NoAdapter { reason: reason.clone() },
            GpuError::NoDevice { reason, .. } => Self::NoDevice { reason: reason.clone() },
            GpuError::Limit { needed, available, .. } => {
                Self::TooLargeForGpu { needed: *needed, available: *available }
            }
            GpuError::Validation { message, .. } => Self::GpuRejected { reason: message.clone() },
            _ => return None,
        })
    }

    fn of_weights(error: &WeightsError) -> Option<Self> {
        Some(match error {
            WeightsError::Read { name, reason } => Self::NoFile { name: name.clone(), reason: reason.clone() },
            WeightsError::Truncated { name, .. }
            | WeightsError::WrongSize { name, .. }
            | WeightsError::WrongHash { name, .. } => Self::DamagedFile { name: name.clone() },
            WeightsError::Adapter { name, reason } => Self::Adapter { name: name.clone(), reason: reason.clone() },
            WeightsError::Cancelled | WeightsError::Write { .. } => return None,
            _ => Self::UnusableFile { reason: error.to_string() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::Notice;
    use super::*;
    use serde::de::DeserializeOwned;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// All codes: serde lists them to whoever asks for another one.
    fn codes<T: std::fmt::Debug + DeserializeOwned>() -> Vec<String> {
        let error = serde_json::from_str::<T>(r#"{"code":""}"#).unwrap_err().to_string();
        let list = error.split_once("expected").unwrap().1;
        list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_page_has_the_same_codes() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/lib/why.ts");
        let source = std::fs::read_to_string(path).unwrap();
        let engine = source.split_once("export type EngineWhy =").unwrap().1.split_once("export type").unwrap().0;
        let known = engine.split("code: \"").skip(1).map(|rest| rest.split_once('"').unwrap().0.to_owned());
        let told: BTreeSet<String> = codes::<Why>().into_iter().chain(codes::<Notice>()).collect();
        assert_eq!(told, known.collect());
        assert!(told.len() > 15);
    }

    #[test]
    fn errors_have_their_values_beside_the_code() {
        let json = |error: CascadeError| serde_json::to_value(Why::of(&error)).unwrap();
        let lost = json(CascadeError::DeviceLost { during: During::Stage(64) });
        assert_eq!(lost, serde_json::json!({"code": "deviceLost", "during": {"stage": 64}}));
        let memory = json(CascadeError::OutOfMemory { during: During::Prompt, reason: String::new() });
        assert_eq!(memory, serde_json::json!({"code": "outOfMemory", "during": "prompt"}));
        // Whichever module met it.
        let hash = || WeightsError::WrongHash { name: "a".into(), expected: "b".into(), actual: "c".into() };
        for error in [
            CascadeError::Weights(hash()),
            TextError::Weights(hash()).into(),
            GpuError::Weights(hash()).into(),
            TextError::Gpu(GpuError::Weights(hash())).into(),
        ] {
            assert_eq!(json(error), serde_json::json!({"code": "damagedFile", "name": "a"}));
        }
        assert_eq!(Why::of(&CascadeError::Cancelled), None);
    }
}
