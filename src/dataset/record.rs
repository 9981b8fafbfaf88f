//! What the metadata says of a scene.

use super::attributes::{Place, Relation, Size, Time, Weather};
use super::kind::{Colour, Kind};
use super::scene::{Group, Pairs, Scene};
use serde::Serialize;

/// A scene in words, as one line of `metadata.jsonl` or one `.json` of a shard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record<'a> {
    /// The caption.
    pub text: &'a str,
    /// What is shown; of two, the first lies to the second as `relation` says.
    pub things: Vec<Things>,
    pub relation: Option<Relation>,
    pub place: Place,
    pub time: Time,
    pub weather: Weather,
    pub rainbow: bool,
    /// True where a pair of kind and colour is shown that scenes for training lack.
    pub held_out: bool,
    pub seed: u64,
    pub index: u64,
}

/// Things of one kind and colour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Things {
    pub kind: Kind,
    pub colour: Colour,
    pub count: u8,
    pub size: Option<Size>,
    /// Of each: left, top, width and height, in sides of the picture.
    pub boxes: Vec<[f32; 4]>,
}

impl<'a> Record<'a> {
    pub(super) fn new(scene: &'a Scene) -> Self {
        let boxes = |at| scene.items.iter().filter(move |item| item.group == at).map(|item| item.frame());
        let things = scene.groups.iter().enumerate().map(|(at, &Group { kind, colour, count, size })| Things {
            kind,
            colour,
            count,
            size,
            boxes: boxes(at).collect(),
        });
        Self {
            text: &scene.caption,
            things: things.collect(),
            relation: scene.relation,
            place: scene.place,
            time: scene.time,
            weather: scene.weather,
            rainbow: scene.rainbow,
            held_out: scene.pairs == Pairs::HeldOut,
            seed: scene.seed,
            index: scene.index,
        }
    }
}
