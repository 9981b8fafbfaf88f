//! A contact sheet that says what the judge read: one HTML page, with everything in it.

use super::score::Attribute;
use super::{EvaluateError, Judged, Layout, Reading};
use crate::image::png;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::fmt::Write;

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>What the judge read</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1rem; display: grid; gap: 1rem;
       grid-template-columns: repeat(auto-fill, minmax(192px, 1fr)) }
figure { margin: 0 }
img { width: 192px; height: 192px; image-rendering: pixelated; display: block }
strong { color: #b00020 }
</style>
";

/// The page: of each picture the caption, what the judge read, and what of the caption it does not show.
///
/// # Errors
/// [`EvaluateError::Image`] for a picture that cannot be encoded.
pub fn sheet(judged: &[Judged]) -> Result<String, EvaluateError> {
    let mut page = HEAD.to_owned();
    for Judged { caption, picture, reading, marks, .. } in judged {
        let png = png::write_plain(picture)?;
        let wrong = marks.iter().filter(|(name, right)| !**right && **name != Attribute::All);
        let wrong: Vec<String> = wrong.map(|(name, _)| word(name)).collect();
        let wrong = match wrong.is_empty() {
            true => String::new(),
            false => format!("<br><strong>not shown: {}</strong>", wrong.join(", ")),
        };
        let (caption, said, data) = (escaped(caption), escaped(&words(reading)), STANDARD.encode(png));
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "<figure><img alt=\"\" src=\"data:image/png;base64,{data}\">\
             <figcaption>{caption}<br><em>{said}</em>{wrong}</figcaption></figure>"
        );
    }
    Ok(page)
}

/// "red house beside blue cat, hills, night, clear".
fn words(reading: &Reading) -> String {
    let between = if reading.layout == Layout::Above { " above " } else { " beside " };
    let things = reading.things.iter().map(|seen| format!("{} {}", seen.colour.name(), word(&seen.kind)));
    let things = things.collect::<Vec<_>>().join(between);
    format!("{things}, {}, {}, {}", word(&reading.place), word(&reading.time), word(&reading.weather))
}

/// The name that a value has in metadata.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
