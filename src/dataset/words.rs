//! The words that captions are made of. What stands in a list twice is said twice as often.

use super::attributes::{Place, Time, Weather};

pub(super) const SMALL: [&str; 3] = ["small", "little", "tiny"];
pub(super) const BIG: [&str; 3] = ["big", "large", "huge"];

pub(super) const BESIDE: [&str; 5] = ["next to", "next to", "beside", "and", "and"];
pub(super) const ABOVE: [&str; 4] = ["above", "above", "over", "flying over"];
pub(super) const BELOW: [&str; 2] = ["below", "under"];
/// In front of "left of" and "right of".
pub(super) const SIDES: [&str; 3] = ["", "to the ", "on the "];

pub(super) const RAINBOW: [&str; 2] = ["with a rainbow", "under a rainbow"];
pub(super) const BY_DAY: [&str; 2] = ["by day", "during the day"];
pub(super) const BY_SUNNY_DAY: [&str; 4] = ["by day", "under a blue sky", "on a sunny day", "in the sunshine"];

pub(super) const STYLE_BEFORE: [&str; 5] = [
    "an illustration of",
    "a picture of",
    "a drawing of",
    "a storybook picture of",
    "a children's book illustration of",
];
pub(super) const STYLE_AFTER: [&str; 5] =
    [", illustration", ", storybook style", ", picture book", ", flat illustration", ", storybook illustration"];

/// Of things on the ground, and of anything in space or under water.
pub(super) fn place(place: Place) -> &'static [&'static str] {
    match place {
        Place::Hills => &["on a hill", "in the hills", "among green hills", "on the hills"],
        Place::Mountains => &["in the mountains", "in front of mountains", "near snowy mountains"],
        Place::Sea => &["by the sea", "on an island", "on an island in the sea", "on islands"],
        Place::Meadow => &["in a meadow", "in a green meadow", "in a field", "on the grass"],
        Place::Snow => &["in the snow", "in a snowy field", "in a snow field"],
        Place::Desert => &["in the desert", "on the sand in the desert", "in a sandy desert"],
        Place::Forest => &["in the forest", "in a forest", "in the woods"],
        Place::City => &["in the city", "in front of a city", "in a town"],
        Place::Underwater => &["in the sea", "under the sea", "underwater", "under water"],
        Place::Space => &["in space", "in outer space", "among the stars"],
    }
}

/// Of `floating` boats and ducks among `all` things at sea.
pub(super) fn at_sea(floating: usize, all: usize) -> &'static [&'static str] {
    match floating {
        0 => place(Place::Sea),
        some if some == all => &["on the sea", "at sea", "on the water", "in the sea"],
        _ => &["by the sea", "at the sea", "in the sea"],
    }
}

/// Of things in the air.
pub(super) fn over(over: Place) -> &'static [&'static str] {
    match over {
        Place::Hills => &["over the hills", "above the hills"],
        Place::Mountains => &["over the mountains", "in the mountains"],
        Place::Sea => &["over the sea", "above the sea"],
        Place::Meadow => &["over a meadow", "above a field"],
        Place::Snow => &["over the snow", "above a snowy field"],
        Place::Desert => &["over the desert", "in the desert"],
        Place::Forest => &["over the forest", "above the forest"],
        Place::City => &["over the city", "above the town"],
        Place::Underwater | Place::Space => place(over),
    }
}

/// By day nothing has to be said.
pub(super) fn time(time: Time) -> &'static [&'static str] {
    match time {
        Time::Day => &BY_DAY,
        Time::Sunset => &["at sunset", "in the evening", "at dusk", "under a sunset sky"],
        Time::Dawn => &["at dawn", "at sunrise", "early in the morning"],
        Time::Night => &[
            "at night",
            "at night",
            "under a full moon",
            "in the moonlight",
            "on a starry night",
            "under the moon",
            "under the stars",
        ],
    }
}

/// In clear weather nothing has to be said.
pub(super) fn weather(weather: Weather) -> &'static [&'static str] {
    match weather {
        Weather::Clear => &[],
        Weather::Cloudy => &["under a cloudy sky", "on a cloudy day", "under grey clouds"],
        Weather::Rain => &["in the rain", "on a rainy day", "on a rainy day"],
        Weather::Snow => &["while it is snowing", "in falling snow", "in a snow shower"],
    }
}
