//! The choice between GPU and CPU.
//!
//! A software adapter (SwiftShader, WARP) is a CPU that plays a GPU. On two cores, a step of storybook's base took 5.3 s
//! on SwiftShader and 0.64 s on the CPU path in WASM, so `auto` takes the CPU then, and says so.

use super::error;
use crate::cascade::Why;
use crate::gpu::{Backend, Device, DeviceOptions};
use serde::Serialize;
use wasm_bindgen::JsValue;

/// What the networks run on, as the page shows it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DeviceInfo {
    /// `gpu` or `cpu`.
    kind: &'static str,
    name: String,
    software: bool,
    /// Why, where it is not what a user would hope for; else empty.
    reason: String,
    /// The same as a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Why>,
}

/// The device for `auto`, `gpu`, `gpu-half` (see [`DeviceOptions::half`]) or `cpu`.
///
/// # Errors
/// For `gpu` and `gpu-half` where there is none, and for any other word.
pub(super) async fn choose(wanted: &str) -> Result<(Backend, DeviceInfo), JsValue> {
    let options = DeviceOptions { half: wanted == "gpu-half", ..DeviceOptions::default() };
    match wanted {
        "cpu" => Ok(cpu("The CPU was asked for.".to_owned(), Why::CpuAskedFor)),
        "gpu" | "gpu-half" | "auto" => match (Device::request(options).await, wanted) {
            (Ok(device), "auto") if device.info().software => {
                let name = device.info().name.clone();
                device.destroy();
                let reason = format!("The only GPU here is one in software ({name}), which is slower.");
                Ok(cpu(reason, Why::SoftwareGpu { name }))
            }
            (Ok(device), _) => {
                let software = device.info().software;
                let name = format!("{}{}", device.info().name, device.hardware().precision());
                let info = DeviceInfo { kind: "gpu", name, software, reason: String::new(), why: None };
                Ok((Backend::Gpu(device), info))
            }
            (Err(error), "auto") => {
                let reason = error.to_string();
                Ok(cpu(format!("There is no GPU for this page: {reason}."), Why::NoGpu { reason }))
            }
            (Err(error), _) => Err(error::device(&error)),
        },
        _ => Err(error::request(format!("device: must be auto, gpu, gpu-half or cpu, got {wanted}"))),
    }
}

fn cpu(reason: String, why: Why) -> (Backend, DeviceInfo) {
    let info = DeviceInfo { kind: "cpu", name: "CPU".to_owned(), software: false, reason, why: Some(why) };
    (Backend::Cpu, info)
}
