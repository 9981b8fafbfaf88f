//! The choice between GPU and CPU.
//!
//! A software adapter (SwiftShader, WARP) is a CPU that plays a GPU. On two cores, a step of storybook's base took 5.3 s
//! on SwiftShader and 0.64 s on the CPU path in WASM, so `auto` takes the CPU then, and says so.

use super::error;
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
}

/// The device for `auto`, `gpu`, `gpu-half` (see [`DeviceOptions::half`]) or `cpu`.
///
/// # Errors
/// For `gpu` and `gpu-half` where there is none, and for any other word.
pub(super) async fn choose(wanted: &str) -> Result<(Backend, DeviceInfo), JsValue> {
    let options = DeviceOptions { half: wanted == "gpu-half", ..DeviceOptions::default() };
    match wanted {
        "cpu" => Ok(cpu("The CPU was asked for.")),
        "gpu" | "gpu-half" | "auto" => match (Device::request(options).await, wanted) {
            (Ok(device), "auto") if device.info().software => {
                let name = device.info().name.clone();
                device.destroy();
                Ok(cpu(&format!("The only GPU here is one in software ({name}), which is slower.")))
            }
            (Ok(device), _) => {
                let software = device.info().software;
                let name = format!("{}{}", device.info().name, device.hardware().precision());
                Ok((Backend::Gpu(device), DeviceInfo { kind: "gpu", name, software, reason: String::new() }))
            }
            (Err(error), "auto") => Ok(cpu(&format!("There is no GPU for this page: {error}."))),
            (Err(error), _) => Err(error::device(error.to_string())),
        },
        _ => Err(error::request(format!("device: must be auto, gpu, gpu-half or cpu, got {wanted}"))),
    }
}

fn cpu(reason: &str) -> (Backend, DeviceInfo) {
    let info = DeviceInfo { kind: "cpu", name: "CPU".to_owned(), software: false, reason: reason.to_owned() };
    (Backend::Cpu, info)
}
