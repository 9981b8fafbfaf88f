//! What the page shows of a picture's settings.

use super::{error, json};
use crate::image::png::{self, Settings};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

/// JavaScript's largest whole number, 2^53 - 1.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Reads what a PNG says of how it was made; undefined where it says nothing.
///
/// # Errors
/// `{ kind: "request", message }` for what is no PNG.
#[wasm_bindgen(js_name = readSettings)]
pub fn read_settings(png: &[u8]) -> Result<JsValue, JsValue> {
    match png::read_settings(png).map_err(|error| error::request(error.to_string()))? {
        Some(settings) => json::to_js(&PictureCard::from(&settings)),
        None => Ok(JsValue::UNDEFINED),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PictureCard<'a> {
    prompt: &'a str,
    negative_prompt: &'a str,
    /// Left out where JavaScript has no such whole number.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    model: &'a str,
    program: &'a str,
    width: u32,
    height: u32,
    /// By image size.
    stages: BTreeMap<u32, StageCard>,
    /// The first stage's image size, where the run began with a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_at: Option<u32>,
}

/// A stage's settings as the file has them, in the form of a request.
#[derive(Debug, Default, PartialEq, Serialize)]
struct StageCard {
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guidance: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampler: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thresholding: Option<Value>,
}

impl<'a> From<&'a Settings> for PictureCard<'a> {
    fn from(settings: &'a Settings) -> Self {
        let stages = stages(settings);
        let started = settings.request.get("start_at_stage").and_then(Value::as_u64).is_some_and(|stage| stage > 1);
        Self {
            prompt: &settings.prompt,
            negative_prompt: &settings.negative_prompt,
            seed: Some(settings.seed).filter(|seed| *seed <= MAX_SAFE_INTEGER),
            model: &settings.model,
            program: &settings.version,
            width: settings.size[0],
            height: settings.size[1],
            // Stages grow, so the smallest that ran is the first.
            start_at: stages.keys().next().copied().filter(|_| started),
            stages,
        }
    }
}

/// The stages that ran, with the steps that they took and what the request said of them.
fn stages(settings: &Settings) -> BTreeMap<u32, StageCard> {
    let steps = |text: &str| text.parse::<u32>().map_or_else(|_| Value::from(text), Value::from);
    let ran = settings.steps.split(',').filter_map(|pair| {
        let (size, taken) = pair.split_once('=')?;
        Some((size.trim().parse::<u32>().ok()?, steps(taken.trim())))
    });
    ran.map(|(size, taken)| {
        let asked = |setting: &str| settings.request.get(setting)?.get(size.to_string()).cloned();
        let card = StageCard {
            steps: Some(taken),
            guidance: asked("guidance"),
            sampler: asked("sampler"),
            thresholding: asked("thresholding"),
        };
        (size, card)
    })
    .collect()
}
