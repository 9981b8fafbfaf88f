//! The model card: README.md, whose front matter names the licence.

use super::recipe::is_plain;
use super::{ConvertError, output};
use std::path::Path;

const CARD: &str = "README.md";

/// Copies the card with the pictures beside it that it shows, and returns its name, where there is one.
pub(super) fn copy(source: &Path, out: &Path) -> Result<Option<String>, ConvertError> {
    let path = source.join(CARD);
    if !path.is_file() {
        return Ok(None);
    }
    let card = output::read(&path, "it was there a moment ago")?;
    for picture in pictures(&String::from_utf8_lossy(&card)) {
        let path = source.join(picture);
        if path.is_file() {
            output::write(out, picture, &output::read(&path, "the model card shows it")?)?;
        }
    }
    output::write(out, CARD, &card)?;
    Ok(Some(CARD.to_owned()))
}

/// The targets of `![text](target)` that are pictures in the card's own folder.
fn pictures(card: &str) -> impl Iterator<Item = &str> {
    let targets = card.split("![").skip(1).filter_map(|rest| rest.split_once("](")?.1.split_once(')').map(|(t, _)| t));
    targets.filter(|target| is_plain(target) && (target.ends_with(".png") || target.ends_with(".jpg")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_beside_the_card_are_taken() {
        let card =
            "![a](a.png) text ![b](../b.png) ![c](https://example.org/c.png) ![](d.jpg) ![e](e.sh) [f](f.png) ![g";
        assert_eq!(pictures(card).collect::<Vec<_>>(), ["a.png", "d.jpg"]);
    }
}
