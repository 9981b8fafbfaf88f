//! The settings of a picture and their text form, which other image tools write and read under `parameters`:
//!
//! ```text
//! a red house
//! Negative prompt: blurry
//! Steps: 25, Sampler: ddim, CFG scale: 4, Seed: 7, Size: 1024x1024, Model: storybook, Version: imagen-web 0.1.0
//! ```
//!
//! A value with a comma, colon, quote or line break in it is written as a JSON string.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What made a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What the picture shows.
    pub prompt: String,
    /// What it should not show; may be empty.
    pub negative_prompt: String,
    /// Seed of all noise.
    pub seed: u64,
    /// Name of the sampler.
    pub sampler: String,
    /// Steps, per stage where there are several: `64=25,256=1`.
    pub steps: String,
    /// Classifier-free guidance scale of the first stage.
    pub guidance: f32,
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Name of the model.
    pub model: String,
    /// Program and version.
    pub version: String,
    /// The whole request, kept as JSON under a key of its own; null where there is none.
    pub request: Value,
}

const NEGATIVE: &str = "Negative prompt:";

impl Settings {
    /// The text form, without the request.
    pub fn to_parameters(&self) -> String {
        let mut text = self.prompt.clone();
        if !self.negative_prompt.is_empty() {
            text.push_str(&format!("\n{NEGATIVE} {}", self.negative_prompt));
        }
        let [width, height] = self.size;
        let pairs = [
            ("Steps", self.steps.clone()),
            ("Sampler", self.sampler.clone()),
            ("CFG scale", self.guidance.to_string()),
            ("Seed", self.seed.to_string()),
            ("Size", format!("{width}x{height}")),
            ("Model", self.model.clone()),
            ("Version", self.version.clone()),
        ];
        for (i, (key, value)) in pairs.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}{key}: {}", if i == 0 { "\n" } else { ", " }, quoted(value));
        }
        text
    }

    /// From the text form, lenient: what is missing or not understood keeps its default. Text without a line of
    /// settings is all prompt.
    pub fn from_parameters(text: &str) -> Self {
        let mut settings = Self::default();
        let (words, pairs) = match text.rsplit_once('\n') {
            Some((words, last)) if last.starts_with("Steps:") => (words, last),
            None if text.starts_with("Steps:") => ("", text),
            _ => (text, ""),
        };
        let (prompt, negative) = match words.strip_prefix(NEGATIVE) {
            Some(negative) => ("", negative),
            None => words.split_once(&format!("\n{NEGATIVE}")).unwrap_or((words, "")),
        };
        settings.prompt = prompt.to_owned();
        settings.negative_prompt = negative.strip_prefix(' ').unwrap_or(negative).to_owned();
        for (key, value) in split_pairs(pairs) {
            settings.set(key, value);
        }
        settings
    }

    fn set(&mut self, key: &str, value: String) {
        match key {
            "Steps" => self.steps = value,
            "Sampler" => self.sampler = value,
            "CFG scale" => self.guidance = value.parse().unwrap_or_default(),
            "Seed" => self.seed = value.parse().unwrap_or_default(),
            "Size" => {
                let side = |side: &str| side.parse().ok();
                let sides = value.split_once('x').and_then(|(w, h)| Some([side(w)?, side(h)?]));
                self.size = sides.unwrap_or_default();
            }
            "Model" => self.model = value,
            "Version" => self.version = value,
            _ => {}
        }
    }

    /// Takes the request in, and from it the prompts: the text form cannot tell a prompt that looks like settings
    /// from settings.
    pub(super) fn with_request(mut self, request: Value) -> Self {
        let text = |key: &str| request.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(prompt) = text("prompt") {
            self.prompt = prompt;
            self.negative_prompt = text("negative_prompt").unwrap_or_default();
        }
        self.request = request;
        self
    }
}

fn quoted(value: &str) -> String {
    let plain = !value.contains([',', ':', '"', '\n']) && value.trim() == value;
    if plain { value.to_owned() } else { Value::from(value).to_string() }
}

/// `key: value, key: "quoted, value"` as pairs.
fn split_pairs(line: &str) -> Vec<(&str, String)> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while let Some((key, after)) = rest.split_once(':') {
        let after = after.trim_start();
        let mut json = serde_json::Deserializer::from_str(after).into_iter::<String>();
        let (value, end) = match after.starts_with('"').then(|| json.next()).flatten() {
            Some(Ok(value)) => (value, json.byte_offset()),
            _ => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), end)
            }
        };
        pairs.push((key.trim(), value));
        rest = after[end..].trim_start_matches([',', ' ']);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            prompt: "a red house".into(),
            negative_prompt: "blurry".into(),
            seed: 7,
            sampler: "ddim".into(),
            steps: "25".into(),
            guidance: 4.0,
            size: [1024, 512],
            model: "storybook".into(),
            version: "imagen-web 0.1.0".into(),
            request: Value::Null,
        }
    }

    #[test]
    fn the_text_is_the_shared_form() {
        assert_eq!(
            settings().to_parameters(),
            "a red house\nNegative prompt: blurry\nSteps: 25, Sampler: ddim, CFG scale: 4, Seed: 7, \
             Size: 1024x512, Model: storybook, Version: imagen-web 0.1.0"
        );
        let plain = Settings { negative_prompt: String::new(), steps: "64=25,256=1".into(), ..settings() };
        assert!(plain.to_parameters().starts_with("a red house\nSteps: \"64=25,256=1\", Sampler: ddim"));
    }

    #[test]
    fn the_text_is_read_back() {
        let odd = Settings {
            prompt: "two lines\nof prompt: with, signs".into(),
            steps: "64=25,256=1".into(),
            sampler: "dpm++2m".into(),
            seed: u64::MAX,
            model: "a \"b\", c: d\\".into(),
            guidance: 7.25,
            ..settings()
        };
        for settings in [settings(), odd, Settings { prompt: String::new(), ..settings() }] {
            assert_eq!(Settings::from_parameters(&settings.to_parameters()), settings);
        }
    }

    #[test]
    fn foreign_text_is_read_as_far_as_it_goes() {
        let text = "cat\nSteps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: -1, Size: 512x, \
                    Model hash: e1, Lora hashes: \"a: 1, b: 2\", Version: v1.9";
        let read = Settings::from_parameters(text);
        assert_eq!((read.prompt.as_str(), read.sampler.as_str(), read.guidance), ("cat", "Euler a", 7.0));
        assert_eq!((read.seed, read.size, read.version.as_str()), (0, [0, 0], "v1.9"));
        assert_eq!(Settings::from_parameters("only words").prompt, "only words");
        assert_eq!(Settings::from_parameters(""), Settings::default());
    }
}
