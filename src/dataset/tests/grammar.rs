//! Frequencies and captions against the Python renderer's, counted by `tests/reference/storybook.py`.

use super::{Kind, Pairs, Relation, Scene};
use crate::dataset::{Colour, HELD_OUT};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// How many scenes are compared.
const SCENES: u64 = 20_000;

#[derive(Deserialize)]
struct Reference {
    scenes: u64,
    counts: BTreeMap<String, BTreeMap<String, u64>>,
    spelt: BTreeSet<String>,
    triples: BTreeMap<String, u64>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../tests/fixtures/storybook_scenes.json")).unwrap()
}

fn scenes(pairs: Pairs) -> impl Iterator<Item = Scene> {
    (0..SCENES).map(move |index| Scene::new(17, index, pairs))
}

/// Whether `count` of `of` and `reference` of `of_reference` can be the same frequency: five standard errors apart at
/// most, and for rare ones a handful.
fn agree(count: u64, of: u64, reference: u64, of_reference: u64) -> bool {
    let [n, m] = [of, of_reference].map(|all| all as f64);
    let share = (count + reference) as f64 / (n + m);
    let error = (share * (1.0 - share).max(0.0) * (1.0 / n + 1.0 / m)).sqrt();
    (count as f64 / n - reference as f64 / m).abs() <= 5.0 * error + 3.0 / n
}

/// As the Python renderer's metadata would name these.
fn name(value: &Value) -> String {
    match value {
        Value::String(name) => name.clone(),
        Value::Null => "None".to_owned(),
        Value::Bool(is) => if *is { "True" } else { "False" }.to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn everything_is_as_frequent_as_in_the_reference() {
    let reference = reference();
    let mut counts: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    let mut things = 0;
    for scene in scenes(Pairs::Usual) {
        let record = serde_json::to_value(scene.record()).unwrap();
        let mut count = |key, value: String| *counts.entry(key).or_default().entry(value).or_default() += 1;
        for key in ["relation", "place", "time", "weather", "rainbow"] {
            count(key, name(&record[key]));
        }
        for thing in record["things"].as_array().unwrap() {
            things += 1;
            for key in ["kind", "colour", "count"] {
                count(key, name(&thing[key]));
            }
            count("size", thing["size"].as_str().unwrap_or_default().to_owned());
            count("pair", format!("{} {}", name(&thing["colour"]), name(&thing["kind"])));
        }
    }
    let all: u64 = reference.counts["kind"].values().sum();
    assert_eq!(
        counts.keys().map(|key| key.to_string()).collect::<Vec<_>>(),
        reference.counts.keys().cloned().collect::<Vec<_>>()
    );
    for (key, expected) in &reference.counts {
        let (of, of_reference) = match key.as_str() {
            "kind" | "colour" | "count" | "size" | "pair" => (things, all),
            _ => (SCENES, reference.scenes),
        };
        let found = &counts[key.as_str()];
        let values: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
        for value in values {
            let [count, expected] = [found, expected].map(|counts| counts.get(value).copied().unwrap_or_default());
            assert!(
                agree(count, of, expected, of_reference),
                "{key} {value}: {count} of {of}, {expected} of {of_reference}"
            );
        }
    }
}

/// The words of a caption as `tests/reference/storybook.py` counts them.
fn words<'a>(caption: &'a str, names: &HashMap<String, &'a str>) -> Vec<String> {
    let text = caption.replace(',', " ,");
    let parts: Vec<_> = text.split_whitespace().collect();
    let mut out = vec!["^".to_owned()];
    let mut at = 0;
    while at < parts.len() {
        let longest = (1..=3.min(parts.len() - at)).rev();
        let named = longest.map(|length| (length, parts[at..at + length].join(" ")));
        let found = named.into_iter().find_map(|(length, words)| names.get(&words).map(|name| (length, *name)));
        let (length, word) = found.unwrap_or((1, parts[at]));
        out.push(if word == "an" { "a" } else { word }.to_owned());
        at += length;
    }
    out.push("$".to_owned());
    out
}

#[test]
fn captions_say_what_the_reference_says_as_often() {
    let reference = reference();
    let mut names = HashMap::from([("violet".to_owned(), "C")]);
    for kind in Kind::ALL {
        names.extend(kind.plurals().iter().map(|name| (name.to_string(), "KS")));
    }
    for kind in Kind::ALL {
        names.extend(kind.names().iter().map(|name| (name.to_string(), "K")));
        names.extend(Colour::HUES.iter().chain(kind.more_colours()).map(|colour| (colour.name().to_owned(), "C")));
    }
    let mut triples: BTreeMap<String, u64> = BTreeMap::new();
    for scene in scenes(Pairs::Usual) {
        for triple in words(&scene.caption, &names).windows(3) {
            *triples.entry(triple.join(" ")).or_default() += 1;
        }
    }
    let said: BTreeSet<_> = triples.keys().chain(reference.triples.keys()).collect();
    for triple in said {
        let [count, expected] =
            [&triples, &reference.triples].map(|from| from.get(triple).copied().unwrap_or_default());
        assert!(agree(count, SCENES, expected, reference.scenes), "{triple:?}: {count}, {expected}");
    }
}

#[test]
fn articles_suit_what_follows() {
    for scene in scenes(Pairs::Usual) {
        let words: Vec<_> = scene.caption.split(' ').collect();
        for pair in words.windows(2).filter(|pair| ["a", "an"].contains(&pair[0])) {
            let vowel = pair[1].starts_with(['a', 'e', 'i', 'o', 'u']);
            assert_eq!(pair[0] == "an", vowel, "{}", scene.caption);
        }
    }
}

/// The tokenizer was made before the grammar was complete: what it spells is what it spells of the reference's captions.
#[test]
fn words_are_pieces_of_the_vocabulary() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/storybook/tokenizer.json");
    let tokenizer: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let vocabulary: BTreeSet<_> =
        tokenizer["model"]["vocab"].as_array().unwrap().iter().map(|piece| piece[0].as_str().unwrap()).collect();
    let mut spelt = BTreeSet::new();
    for scene in scenes(Pairs::Usual).chain(scenes(Pairs::HeldOut)) {
        let words = scene.caption.split(' ').map(|word| word.trim_end_matches(','));
        spelt.extend(words.filter(|word| !vocabulary.contains(format!("▁{word}").as_str())).map(str::to_owned));
    }
    assert_eq!(spelt, reference().spelt);
    assert!(vocabulary.contains(","));
}

#[test]
fn held_out_pairs_are_kept_apart() {
    let shown = |scene: &Scene| scene.groups.iter().filter(|g| HELD_OUT.contains(&(g.kind, g.colour))).count();
    for scene in scenes(Pairs::Usual) {
        assert_eq!(shown(&scene), 0, "{}", scene.caption);
    }
    let mut pairs = BTreeSet::new();
    for scene in scenes(Pairs::HeldOut) {
        assert_eq!(shown(&scene), 1, "{}", scene.caption);
        assert!(scene.record().held_out);
        pairs.extend(scene.groups.iter().map(|g| (g.kind, g.colour)).filter(|pair| HELD_OUT.contains(pair)));
    }
    assert_eq!(pairs.len(), HELD_OUT.len());
}

#[test]
fn novel_kinds_are_in_no_other_scene() {
    let novel = |scene: &Scene| scene.groups.iter().filter(|group| Kind::NOVEL.contains(&group.kind)).count();
    assert!(scenes(Pairs::Usual).chain(scenes(Pairs::HeldOut)).all(|scene| novel(&scene) == 0));
    for kind in Kind::NOVEL {
        for scene in scenes(Pairs::Of(kind)).take(2000) {
            let names = kind.names().iter().chain(kind.plurals());
            assert_eq!(novel(&scene), 1, "{}", scene.caption);
            assert!(names.into_iter().any(|name| scene.caption.contains(name)), "{}", scene.caption);
            assert!(scene.groups.iter().all(|group| !HELD_OUT.contains(&(group.kind, group.colour))));
        }
    }
}

#[test]
fn the_metadata_is_what_the_caption_says() {
    for scene in scenes(Pairs::Usual) {
        let (caption, record) = (&scene.caption, scene.record());
        for thing in &record.things {
            assert_eq!(thing.boxes.len(), usize::from(thing.count));
            let names = if thing.count > 1 { thing.kind.plurals() } else { thing.kind.names() };
            assert!(names.iter().any(|name| caption.contains(name)), "{caption}: {thing:?}");
            let purple = thing.colour == Colour::Purple && caption.contains("violet");
            let green = matches!(thing.kind, Kind::Tree | Kind::Pine) && thing.colour == Colour::Green;
            assert!(caption.contains(thing.colour.name()) || purple || green, "{caption}: {thing:?}");
        }
        let [first, second] = &record.things[..] else { continue };
        let ([ax, ay, aw, ah], [bx, by, bw, bh]) = (first.boxes[0], second.boxes[0]);
        let apart = (ax + aw / 2.0) - (bx + bw / 2.0);
        match record.relation.unwrap() {
            Relation::LeftOf => assert!(apart < -0.4, "{caption}"),
            Relation::RightOf => assert!(apart > 0.4, "{caption}"),
            Relation::NextTo => assert!(apart.abs() > 0.4, "{caption}"),
            Relation::Above => assert!(ay + ah <= by + 0.1 && ah + bh > 0.0, "{caption}"),
        }
    }
}

#[test]
fn things_stay_in_the_picture() {
    for scene in scenes(Pairs::Usual).chain(Kind::NOVEL.into_iter().flat_map(|kind| scenes(Pairs::Of(kind)))) {
        for item in &scene.items {
            let [x, y, width, height] = item.frame();
            assert!(x > 0.01 && y > 0.01 && x + width < 0.99 && y + height < 0.96, "{}: {item:?}", scene.caption);
        }
    }
}

/// The bits of the format: a seed and an index must mean the same tomorrow, and on every platform.
#[test]
fn a_scene_is_a_pure_function_of_seed_and_index() {
    let mut hash = Sha256::new();
    for seed in [0, 1, u64::MAX] {
        for index in [0, 1, 2, 1 << 40] {
            for pairs in [Pairs::Usual, Pairs::HeldOut] {
                let scene = Scene::new(seed, index, pairs);
                assert_eq!(scene, Scene::new(seed, index, pairs));
                hash.update(serde_json::to_vec(&scene.record()).unwrap());
                hash.update(scene.light.to_bits().to_le_bytes());
                for item in &scene.items {
                    let numbers = [item.x, item.y, item.height, item.tilt, f32::from(u8::from(item.flipped))];
                    numbers.into_iter().for_each(|number| hash.update(number.to_bits().to_le_bytes()));
                }
            }
        }
    }
    assert_eq!(hex::encode(hash.finalize()), "992495ee26eeb52a9842c1c67644e30e4b09ca64cacef52c50f82b2a011e576e");
    let captions: BTreeSet<_> = scenes(Pairs::Usual).map(|scene| scene.caption).collect();
    assert!(captions.len() as u64 > SCENES * 9 / 10, "{}", captions.len());
}
