//! Errors as JavaScript gets them: `{ kind, message }`.

use crate::cascade::CascadeError;
use crate::gpu::GpuError;
use crate::text::TextError;
use crate::weights::WeightsError;
use serde::Serialize;
use wasm_bindgen::JsValue;

/// What the page has to know of an error apart from its message.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Cancelled,
    /// A setting that cannot be.
    Request,
    /// A file of the model is missing or damaged: what was downloaded is not to be kept.
    Files,
    /// There is no GPU where one was asked for, its memory is too small, or it was lost for good.
    Device,
    Other,
}

#[derive(Serialize)]
struct WebError {
    kind: Kind,
    message: String,
}

/// `cancelled`: the user asked for an end, so whatever the run stopped with (a download that was broken off, say) is
/// that end.
pub(super) fn to_js(error: &CascadeError, cancelled: bool) -> JsValue {
    let kind = match (error, weights(error)) {
        _ if cancelled => Kind::Cancelled,
        (CascadeError::Cancelled, _) | (_, Some(WeightsError::Cancelled)) => Kind::Cancelled,
        (CascadeError::Manifest { .. } | CascadeError::File { .. }, _) | (_, Some(_)) => Kind::Files,
        (CascadeError::Request { .. } | CascadeError::Diffusion(_) | CascadeError::Image(_), _) => Kind::Request,
        (CascadeError::DeviceLost { .. } | CascadeError::OutOfMemory { .. } | CascadeError::GpuMemory { .. }, _) => {
            Kind::Device
        }
        _ => Kind::Other,
    };
    value(kind, error.to_string())
}

/// The fault of a weights file, whichever module met it.
fn weights(error: &CascadeError) -> Option<&WeightsError> {
    match error {
        CascadeError::Weights(error)
        | CascadeError::Text(TextError::Weights(error))
        | CascadeError::Gpu(GpuError::Weights(error)) => Some(error),
        _ => None,
    }
}

/// Something is wrong with what was asked for.
pub(super) fn request(message: impl Into<String>) -> JsValue {
    value(Kind::Request, message.into())
}

/// The device that was asked for is not to be had.
pub(super) fn device(message: impl Into<String>) -> JsValue {
    value(Kind::Device, message.into())
}

/// Any other error.
pub(super) fn other(message: impl Into<String>) -> JsValue {
    value(Kind::Other, message.into())
}

fn value(kind: Kind, message: String) -> JsValue {
    let fallback = JsValue::from_str(&message);
    serde_wasm_bindgen::to_value(&WebError { kind, message }).unwrap_or(fallback)
}
