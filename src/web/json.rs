//! Values for JavaScript by way of JSON: an f32 arrives as the short number that it was written as (0.9, not
//! 0.8999999761581421), and a map as a plain object.

use super::error;
use serde::Serialize;
use wasm_bindgen::JsValue;

/// # Errors
/// For what has no JSON, such as a map whose keys are no texts.
pub(super) fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let text = serde_json::to_string(value).map_err(|error| error::other(error.to_string()))?;
    js_sys::JSON::parse(&text)
}
