//! The grammar of captions: things and their relation, then place, time, weather, in words that vary.

use super::attributes::{Place, Relation, Size, Time, Weather};
use super::kind::{Colour, Habit, Kind};
use super::random::Random;
use super::scene::{Group, Scene};
use super::words::{
    ABOVE, BELOW, BESIDE, BIG, BY_DAY, BY_SUNNY_DAY, RAINBOW, SIDES, SMALL, STYLE_AFTER, STYLE_BEFORE, at_sea, over,
    place, time, weather,
};

/// One caption of this scene.
pub(super) fn write(scene: &Scene, r: &mut Random) -> String {
    let mut words = vec![subject(scene, r)];
    if r.percent(78) {
        words.push(whereabouts(scene, r).to_owned());
    }
    words.extend(moment(scene, r).map(str::to_owned));
    if scene.weather != Weather::Clear && r.percent(80) {
        let night = scene.time == Time::Night;
        words.push(choose(r, weather(scene.weather), |words| !night || !words.contains("day")).to_owned());
    }
    if scene.rainbow && r.percent(90) {
        words.push(r.pick(&RAINBOW).to_owned());
    }
    let words = words.join(" ");
    match r.weighted([(0, 13), (1, 15), (2, 72)]) {
        0 => format!("{} {words}", r.pick(&STYLE_BEFORE)),
        1 => words + r.pick(&STYLE_AFTER),
        _ => words,
    }
}

/// One of those words that suit; there is always one.
fn choose(r: &mut Random, from: &[&'static str], suits: impl Fn(&str) -> bool) -> &'static str {
    let suiting: Vec<_> = from.iter().copied().filter(|words| suits(words)).collect();
    r.pick(&suiting)
}

/// "a red house", "two cats", "a kite above a tree".
fn subject(scene: &Scene, r: &mut Random) -> String {
    let mut phrases = scene.groups.iter().map(|group| phrase(group, r)).collect::<Vec<_>>();
    let Some(relation) = scene.relation else { return phrases.swap_remove(0) };
    let [first, second] = &phrases[..] else { return phrases.swap_remove(0) };
    match relation {
        Relation::NextTo => format!("{first} {} {second}", r.pick(&BESIDE)),
        Relation::Above if r.percent(80) => format!("{first} {} {second}", r.pick(&ABOVE)),
        Relation::Above => format!("{second} {} {first}", r.pick(&BELOW)),
        Relation::LeftOf | Relation::RightOf => {
            let as_told = r.percent(75);
            let side = if (relation == Relation::LeftOf) == as_told { "left of" } else { "right of" };
            let (first, second) = if as_told { (first, second) } else { (second, first) };
            format!("{first} {}{side} {second}", r.pick(&SIDES))
        }
    }
}

/// "a small red house", "three yellow ducks", "a snowman with an orange scarf".
fn phrase(group: &Group, r: &mut Random) -> String {
    let Group { kind, colour, count, size } = *group;
    let several = count > 1;
    let name = r.pick(if several { kind.plurals() } else { kind.names() });
    let size = size.filter(|_| r.percent(75)).map(|size| match size {
        Size::Small => r.pick(&SMALL),
        Size::Big => r.pick(&BIG),
    });
    let hue = if colour == Colour::Purple && r.percent(15) { "violet" } else { colour.name() };
    let evergreen = matches!(kind, Kind::Tree | Kind::Pine) && colour == Colour::Green;
    let told = kind != Kind::Snowman && !(evergreen && r.percent(50));
    let noun = [size, told.then_some(hue), Some(name)].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let clothes = if kind == Kind::Snowman { clothes(hue, several, r) } else { String::new() };
    let article = match count {
        1 if r.percent(5) => "one",
        1 => article(&noun),
        2 => r.pick(&["two", "two", "a pair of"]),
        _ => "three",
    };
    format!("{article} {noun}{clothes}")
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// A snowman's colour is that of its hat and scarf.
fn clothes(hue: &str, several: bool, r: &mut Random) -> String {
    let a = article(hue);
    if several {
        return format!(" with {hue} {}", r.pick(&["scarves", "hats"]));
    }
    match r.weighted([(0, 1), (1, 1), (2, 1), (3, 1)]) {
        0 => format!(" with {a} {hue} scarf"),
        1 => format!(" with {a} {hue} hat"),
        2 => format!(" in {a} {hue} hat and scarf"),
        _ => format!(" with {a} {hue} hat and {a} {hue} scarf"),
    }
}

/// Where: what flies is over it, what floats is on the sea, what stands there is on an island.
fn whereabouts(scene: &Scene, r: &mut Random) -> &'static str {
    let is = |habit: Habit| move |group: &&Group| group.kind.habit() == habit;
    let count = scene.groups.len();
    let flying = scene.groups.iter().filter(is(Habit::Flies)).count();
    if flying == count {
        return r.pick(over(scene.place));
    }
    if scene.place != Place::Sea {
        return r.pick(place(scene.place));
    }
    let floating = scene.groups.iter().filter(is(Habit::Floats)).count();
    let ashore: u8 = scene.groups.iter().filter(|group| !is(Habit::Flies)(group)).map(|group| group.count).sum();
    choose(r, at_sea(floating, count), |words| ashore > 1 || words != "on islands")
}

/// When, where there is a sky to tell it by.
fn moment(scene: &Scene, r: &mut Random) -> Option<&'static str> {
    let underwater = scene.place == Place::Underwater;
    let clear = scene.weather == Weather::Clear;
    match scene.time {
        _ if scene.place == Place::Space => None,
        Time::Day if underwater => None,
        Time::Day => r.percent(20).then(|| r.pick(if clear { &BY_SUNNY_DAY[..] } else { &BY_DAY[..] })),
        told => r.percent(82).then(|| {
            let hidden = scene.weather == Weather::Rain;
            choose(r, time(told), |words| {
                !(hidden && (words.contains("moon") || words.contains("star"))) && (!underwater || words == "at night")
            })
        }),
    }
}
