//! The model card: README.md, whose front matter names the licence.

use super::{ConvertError, output};
use std::path::Path;

const CARD: &str = "README.md";

/// Copies the card and returns its name, where there is one.
pub(super) fn copy(source: &Path, out: &Path) -> Result<Option<String>, ConvertError> {
    let path = source.join(CARD);
    if !path.is_file() {
        return Ok(None);
    }
    output::write(out, CARD, &output::read(&path, "it was there a moment ago")?)?;
    Ok(Some(CARD.to_owned()))
}

/// The licence that the card's front matter names.
pub(super) fn license(source: &Path) -> Option<String> {
    let card = std::fs::read_to_string(source.join(CARD)).ok()?;
    let mut lines = card.lines();
    if lines.next()?.trim() != "---" {
        return None;
    }
    let named = lines.take_while(|line| line.trim() != "---").find_map(|line| line.strip_prefix("license:"))?;
    Some(spdx(named.trim().trim_matches(['"', '\''])))
}

/// Hugging Face writes SPDX identifiers in lower case.
fn spdx(license: &str) -> String {
    match license {
        "mit" => "MIT".to_owned(),
        "apache-2.0" => "Apache-2.0".to_owned(),
        other => other.to_owned(),
    }
}
