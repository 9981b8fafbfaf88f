//! What is in a picture, as the judge reads it or as a scene has it.

use super::layout::Layout;
use crate::dataset::{Colour, Item, Kind, Place, Scene, Time, Weather};
use serde::Serialize;

/// What is in a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    pub layout: Layout,
    /// From left to right, or from top to bottom; as many as the layout has.
    pub things: Vec<Seen>,
    pub place: Place,
    pub time: Time,
    pub weather: Weather,
}

/// One thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub kind: Kind,
    pub colour: Colour,
}

impl Reading {
    /// What a scene has: what the judge should read in its render.
    pub fn of(scene: &Scene) -> Self {
        let things = in_order(scene).iter().map(|item| Seen { kind: item.kind, colour: item.colour }).collect();
        let Scene { place, time, weather, .. } = *scene;
        Self { layout: Layout::of(scene), things, place, time, weather }
    }
}

/// The things of a scene in the order in which they are read.
pub(super) fn in_order(scene: &Scene) -> Vec<Item> {
    let mut items = scene.items.clone();
    match Layout::of(scene) {
        Layout::Above => items.sort_by(|a, b| a.y.total_cmp(&b.y)),
        _ => items.sort_by(|a, b| a.x.total_cmp(&b.x)),
    }
    items
}
