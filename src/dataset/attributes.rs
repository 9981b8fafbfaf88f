//! What a scene is told by, beside the things in it. The serialised names are those of the metadata.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    Hills,
    Mountains,
    Sea,
    Meadow,
    Snow,
    Desert,
    Forest,
    City,
    Underwater,
    Space,
}

impl Place {
    pub const ALL: [Self; 10] = [
        Self::Hills,
        Self::Mountains,
        Self::Sea,
        Self::Meadow,
        Self::Snow,
        Self::Desert,
        Self::Forest,
        Self::City,
        Self::Underwater,
        Self::Space,
    ];

    /// Under a sky: where there is weather, and a time of day that captions tell.
    pub const fn is_outdoors(self) -> bool {
        !matches!(self, Self::Underwater | Self::Space)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Time {
    Day,
    Sunset,
    Night,
    Dawn,
}

impl Time {
    pub const ALL: [Self; 4] = [Self::Day, Self::Sunset, Self::Night, Self::Dawn];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weather {
    Clear,
    Cloudy,
    Rain,
    Snow,
}

impl Weather {
    pub const ALL: [Self; 4] = [Self::Clear, Self::Cloudy, Self::Rain, Self::Snow];
}

/// A size that is worth a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    Small,
    Big,
}

/// How the first of two things lies to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Relation {
    #[serde(rename = "left of")]
    LeftOf,
    #[serde(rename = "right of")]
    RightOf,
    #[serde(rename = "next to")]
    NextTo,
    #[serde(rename = "above")]
    Above,
}
