//! Errors as JavaScript gets them: `{ kind, message, why? }`, the last being a [`Why`].

use crate::cascade::{CascadeError, Why};
use crate::gpu::GpuError;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Why>,
}

/// `cancelled`: the user asked for an end, so whatever the run stopped with (a download that was broken off, say) is
/// that end.
pub(super) fn to_js(error: &CascadeError, cancelled: bool) -> JsValue {
    let kind = match (error, error.weights()) {
        _ if cancelled => Kind::Cancelled,
        (CascadeError::Cancelled, _) | (_, Some(WeightsError::Cancelled)) => Kind::Cancelled,
        (CascadeError::Manifest { .. } | CascadeError::File { .. }, _) | (_, Some(_)) => Kind::Files,
        (CascadeError::Request { .. } | CascadeError::PromptTooLong { .. } | CascadeError::NegativePrompt, _) => {
            Kind::Request
        }
        (CascadeError::Diffusion(_) | CascadeError::Image(_), _) => Kind::Request,
        (CascadeError::DeviceLost { .. } | CascadeError::OutOfMemory { .. } | CascadeError::GpuMemory { .. }, _) => {
            Kind::Device
        }
        _ => Kind::Other,
    };
    value(kind, error.to_string(), Why::of(error))
}

/// Something is wrong with what was asked for.
pub(super) fn request(message: impl Into<String>) -> JsValue {
    value(Kind::Request, message.into(), None)
}

/// The device that was asked for is not to be had.
pub(super) fn device(error: &GpuError) -> JsValue {
    value(Kind::Device, error.to_string(), Why::of_gpu(error))
}

/// Any other error.
pub(super) fn other(message: impl Into<String>) -> JsValue {
    value(Kind::Other, message.into(), None)
}

fn value(kind: Kind, message: String, why: Option<Why>) -> JsValue {
    let fallback = JsValue::from_str(&message);
    serde_wasm_bindgen::to_value(&WebError { kind, message, why }).unwrap_or(fallback)
}
