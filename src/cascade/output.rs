//! What a generation gives back.

use super::CascadeError;
use super::Manifest;
use super::request::Request;
use super::settings;
use crate::image::Picture;
use crate::image::png::Settings;

/// The pictures of all stages that ran, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    pub stages: Vec<StageOutput>,
}

/// The pictures of one stage, as many as the request's count.
#[derive(Clone, Debug, PartialEq)]
pub struct StageOutput {
    /// Index in the manifest.
    pub stage: usize,
    pub image_size: u32,
    pub pictures: Vec<Picture>,
}

impl Output {
    /// The pictures of the last stage.
    pub fn pictures(&self) -> &[Picture] {
        self.stages.last().map_or(&[], |stage| &stage.pictures)
    }
}

/// The settings to write into a picture of `stage` (an index of the manifest).
///
/// # Errors
/// As [`Cascade::generate`](super::Cascade::generate) for a request that cannot run.
pub fn picture_settings(request: &Request, manifest: &Manifest, stage: usize) -> Result<Settings, CascadeError> {
    let stages = settings::resolve(request, manifest)?;
    let ran: Vec<_> = stages.iter().filter(|settings| settings.index <= stage).collect();
    let steps: Vec<String> = ran.iter().map(|stage| format!("{}={}", stage.size, stage.asked)).collect();
    let size = ran.last().map_or(0, |stage| stage.size);
    let first = ran.first();
    let model = format!("{} {}", manifest.name, manifest.version);
    let model = request.adapters.iter().fold(model, |model, adapter| format!("{model} + {adapter}"));
    Ok(Settings {
        prompt: request.prompt.clone(),
        negative_prompt: request.negative_prompt.clone(),
        seed: request.seed,
        sampler: first.map_or_else(String::new, |stage| stage.sampler.to_string()),
        steps: steps.join(","),
        guidance: first.map_or(1.0, |stage| stage.rules.guidance),
        size: [size, size],
        model,
        version: concat!("imagen-web ", env!("CARGO_PKG_VERSION")).to_owned(),
        request: as_json(request),
    })
}

/// By way of text, in which an f32 is the short number that it was written as: as a value it would become 0.8999999761581421.
fn as_json(request: &Request) -> serde_json::Value {
    serde_json::to_string(request).and_then(|text| serde_json::from_str(&text)).unwrap_or_default()
}
