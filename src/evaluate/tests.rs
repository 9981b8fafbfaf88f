//! What a judge learns, keeps, and how marks follow from captions and readings.

use super::learn::accuracy;
use super::*;
use crate::dataset::{Colour, Kind, Pairs, Place, Scene, Time, Told, Weather};
use std::ops::ControlFlow;
use std::path::Path;

const SHORT: Lesson = Lesson { seed: 3, steps: 12, minutes: None, tried: 96, novel: None };

fn taught(lesson: &Lesson) -> Judge {
    train(lesson, &mut |_| ControlFlow::Continue(())).unwrap().unwrap()
}

fn told(caption: &str) -> Told {
    Told::read(caption).unwrap()
}

fn wrong(caption: &str, reading: &Reading) -> Vec<Attribute> {
    let marks = mark(&told(caption), reading);
    marks.into_iter().filter(|(_, right)| !right).map(|(attribute, _)| attribute).collect()
}

/// Of every scene, ordinary and held-out: its own caption tells nothing that it does not show.
#[test]
fn scenes_show_what_their_captions_say() {
    let mut told_of = Tally::default();
    for index in 0..6_000 {
        let pairs = if index % 2 == 0 { Pairs::Usual } else { Pairs::HeldOut };
        let scene = Scene::new(19, index, pairs);
        let marks = mark(&told(&scene.caption), &Reading::of(&scene));
        assert!(marks.values().all(|right| *right), "{}: {marks:?}", scene.caption);
        told_of.add(&marks);
    }
    // Each attribute is told often enough to be judged.
    assert_eq!(told_of.0.len(), 8, "all but the novel kind");
    assert!(told_of.0.values().all(|share| share.of > 1000), "{told_of:?}");
}

/// Captions of other scenes are mostly not shown: a judge that says yes to everything would score here too.
#[test]
fn scenes_do_not_show_what_other_captions_say() {
    let mut chance = Tally::default();
    for index in 0..3_000 {
        let [scene, other] = [index, index + 1].map(|index| Scene::new(23, index, Pairs::Usual));
        chance.add(&mark(&told(&other.caption), &Reading::of(&scene)));
    }
    let share = |attribute| chance.0[&attribute].value();
    assert!(share(Attribute::All) < 0.01 && share(Attribute::Colours) < 0.02 && share(Attribute::Kinds) < 0.08);
    assert!(share(Attribute::Relation) < 0.05 && share(Attribute::Place) < 0.25 && share(Attribute::Time) < 0.45);
}

#[test]
fn each_fault_is_marked_where_it_is() {
    let seen = |kind, colour| Seen { kind, colour };
    let (cat, car) = (seen(Kind::Cat, Colour::Black), seen(Kind::Car, Colour::Red));
    let (place, time, weather) = (Place::City, Time::Night, Weather::Clear);
    let two = Reading { layout: Layout::Two, things: vec![cat, car], place, time, weather };
    let caption = "a black cat left of a red car in the city at night";
    assert_eq!(wrong(caption, &two), []);
    assert_eq!(wrong("a red car right of a black cat", &two), []);
    assert_eq!(wrong("a red car and a black cat", &two), []);
    assert_eq!(wrong("a red car left of a black cat", &two), [Attribute::Relation, Attribute::All]);
    let above = Reading { layout: Layout::Above, ..two.clone() };
    assert_eq!(wrong(caption, &above), [Attribute::Relation, Attribute::All]);
    assert_eq!(wrong("a red car under a black cat", &above), []);
    // Colours that are swapped are wrong though both are there.
    let swapped = [seen(Kind::Cat, Colour::Red), seen(Kind::Car, Colour::Black)];
    let swapped = Reading { things: swapped.to_vec(), ..two.clone() };
    assert_eq!(wrong(caption, &swapped), [Attribute::Colours, Attribute::All]);
    let elsewhere = Reading { place: Place::Forest, time: Time::Dawn, ..two.clone() };
    assert_eq!(wrong(caption, &elsewhere), [Attribute::Place, Attribute::Time, Attribute::All]);
    let rain = Reading { weather: Weather::Rain, ..two.clone() };
    assert_eq!(wrong("a black cat and a red car on a rainy day", &rain), []);
    assert_eq!(wrong("a black cat and a red car on a rainy day", &two), [Attribute::Weather, Attribute::All]);
    // One of the two is something else, or missing.
    let kite = Reading { things: vec![cat, seen(Kind::Kite, Colour::Red)], ..two.clone() };
    let kinds = [Attribute::Kinds, Attribute::Colours];
    assert_eq!(
        wrong("a black cat and a red car", &kite),
        [&kinds[..], &[Attribute::Relation, Attribute::All]].concat()
    );
    let cats = |things| Reading { layout: Layout::Three, things, ..two.clone() };
    assert_eq!(wrong("two black cats", &cats(vec![cat; 3])), [Attribute::Count, Attribute::All]);
    assert_eq!(wrong("three black cats", &cats(vec![cat, cat, car])), [&kinds[..], &[Attribute::All]].concat());
    // Two of a kind are told apart by their colours.
    let (red, blue) = (seen(Kind::Kite, Colour::Red), seen(Kind::Kite, Colour::Blue));
    let kites = Reading { things: vec![red, blue], ..two };
    assert_eq!(wrong("a red kite left of a blue kite", &kites), []);
    assert_eq!(wrong("a blue kite left of a red kite", &kites), [Attribute::Relation, Attribute::All]);
}

#[test]
fn a_novel_kind_is_judged_by_those_that_know_it() {
    let kind = Kind::NOVEL[0];
    let caption = format!("a red {} next to a blue cat", kind.names()[0]);
    let novel = told(&caption);
    assert_eq!(Section::of(&novel), Section::Novel);
    assert_eq!(Section::of(&told("a purple cat and a red car")), Section::HeldOut);
    assert_eq!(Section::of(&told("a purple car")), Section::Ordinary);
    let seen = |kind| Seen { kind, colour: Colour::Red };
    let (place, time, weather) = (Place::City, Time::Night, Weather::Clear);
    let reading = Reading { layout: Layout::Two, things: vec![seen(kind), seen(Kind::Car)], place, time, weather };
    let marks = mark(&novel, &reading);
    assert_eq!((marks[&Attribute::Novel], marks[&Attribute::Kinds]), (true, false));
    let without = taught(&Lesson { steps: 1, ..SHORT });
    assert!(without.about.knows(&novel).unwrap_err().contains("--novel"));
    let with = taught(&Lesson { steps: 1, novel: Some(kind), ..SHORT });
    assert!(with.about.knows(&novel).is_ok() && with.about.accuracy.contains_key(&Section::Novel));
}

/// Values of `scipy.stats.binomtest(right, of).proportion_ci(method="wilson")`.
#[test]
fn intervals_are_wilsons() {
    let cases = [
        (8, 10, [0.490_162_5, 0.943_317_8]),
        (0, 20, [0.0, 0.161_125_1]),
        (95, 100, [0.888_249_5, 0.978_456_3]),
        (200, 200, [0.981_154_7, 1.0]),
    ];
    for (right, of, expected) in cases {
        let interval = Share { right, of }.interval();
        let close = interval.iter().zip(expected).all(|(value, expected)| (value - expected).abs() < 1e-7);
        assert!(close, "{right} of {of}: {interval:?}");
    }
    assert_eq!(Share::default().interval(), [0.0, 1.0]);
}

/// The same lesson twice, and the file in between.
#[test]
fn a_lesson_follows_from_its_seed_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("judge.safetensors");
    let (first, again, other) = (taught(&SHORT), taught(&SHORT), taught(&Lesson { seed: 4, ..SHORT }));
    first.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() < 2_000_000, "{}", bytes.len());
    again.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    other.save(&path).unwrap();
    assert_ne!(std::fs::read(&path).unwrap(), bytes);
    std::fs::write(&path, &bytes).unwrap();
    let loaded = Judge::load(&path).unwrap();
    assert_eq!((&loaded.about, loaded.about.steps), (&first.about, 12));
    for pairs in [Pairs::Usual, Pairs::HeldOut] {
        let [own, read] = [&first, &loaded].map(|judge| accuracy(judge, &Lesson { seed: 77, ..SHORT }, pairs).unwrap());
        assert_eq!(own, read);
    }
}

#[test]
fn it_learns() {
    let mut losses = Vec::new();
    let judge = train(&Lesson { steps: 60, ..SHORT }, &mut |progress| {
        losses.push(progress.loss);
        ControlFlow::Continue(())
    });
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[50..]) < 0.8 * mean(&losses[..5]), "{losses:?}");
    // Three in five scenes show one thing, and by chance one of four times and one of ten places would be right.
    let own = &judge.unwrap().unwrap().about.accuracy[&Section::Ordinary];
    assert!(own.0[&Attribute::Time].value() > 0.6 && own.0[&Attribute::Place].value() > 0.25, "{own:?}");
}

#[test]
fn a_stopped_or_senseless_lesson_gives_no_judge() {
    let mut steps = 0;
    let stopped = train(&SHORT, &mut |_| {
        steps += 1;
        if steps == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(stopped.unwrap().is_none() && steps == 2);
    for lesson in [
        Lesson { steps: 0, ..SHORT },
        Lesson { minutes: Some(0.0), ..SHORT },
        Lesson { minutes: Some(f64::NAN), ..SHORT },
    ] {
        let refused = train(&lesson, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(refused, Err(EvaluateError::Setting { .. })));
    }
}

#[test]
fn what_is_no_judge_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("judge.safetensors");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Judge::load(&path).err().unwrap().to_string()
    };
    taught(&Lesson { steps: 1, ..SHORT }).save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(refused(b"no judge").contains("judge.safetensors cannot be used"));
    assert!(refused(&bytes[..bytes.len() / 2]).contains("imagen evaluate train-judge"));
    let changed = |from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    };
    assert!(refused(&changed("\\\"house\\\"", "\\\"hause\\\"")).contains("hause"));
    assert!(refused(&changed("hidden.weight", "hodden.weight")).contains("hidden.weight"));
    assert!(Judge::load(Path::new("absent")).is_err());
    let small = image::RgbImage::new(63, 90);
    std::fs::write(&path, &bytes).unwrap();
    let judge = Judge::load(&path).unwrap();
    assert!(judge.judge("a red house", &small).unwrap_err().contains("64×64 are needed"));
    assert!(judge.judge("a red dragon", &image::RgbImage::new(64, 64)).unwrap_err().contains("dragon"));
    let judged = judge.judge("a red house", &image::RgbImage::new(100, 70)).unwrap();
    assert_eq!((judged.picture.width, judged.section), (64, Section::Ordinary));
}

/// The judge that `imagen evaluate train-judge` makes. Takes minutes.
#[test]
#[ignore = "trains for minutes"]
fn a_judge_reads_renders() {
    let judge = taught(&Lesson { seed: 0, steps: 1500, minutes: None, tried: 1000, novel: None });
    for (section, own) in &judge.about.accuracy {
        for (attribute, share) in own.0.iter().filter(|(attribute, _)| **attribute != Attribute::All) {
            assert!(share.value() > 0.75, "{section:?} {attribute:?}: {share:?}");
        }
        assert!(own.0[&Attribute::Kinds].value() > 0.9, "{section:?}: {own:?}");
    }
}
