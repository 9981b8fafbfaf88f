//! What is behind the things: sky and weather, land, sea, the world under water, space; on the unit square.

mod city;
mod ground;
mod land;
mod sky;
mod space;
mod underwater;
mod water;
mod weather;

use super::attributes::{Place, Time};
use super::paint::{Pen, Rgb};
use super::random::Random;
use super::scene::Scene;
use std::fmt::Write;

pub(super) use weather::fall;

/// Draws everything behind the things.
pub(super) fn paint(pen: &mut Pen<'_>, scene: &Scene, r: &mut Random) {
    match scene.place {
        Place::Space => return space::paint(pen, r),
        Place::Underwater => return underwater::paint(pen, scene, r),
        _ => {}
    }
    let far = sky::paint(pen, scene, r);
    let mut pen = pen.tinted(on_ground(scene));
    match scene.place {
        Place::Sea => return water::paint(&mut pen, scene, far, r),
        Place::Hills => land::hills(&mut pen, far, r),
        Place::Mountains => land::mountains(&mut pen, far, r),
        Place::Snow => land::snow(&mut pen, far, r),
        Place::Desert => land::desert(&mut pen, far, r),
        Place::Forest => land::forest(&mut pen, far, r),
        Place::City => city::paint(&mut pen, scene, far, r),
        Place::Meadow | Place::Underwater | Place::Space => {}
    }
    ground::paint(&mut pen, scene, r);
}

/// Where the sky ends, from the top.
const fn horizon(place: Place) -> f32 {
    match place {
        Place::Sea => 0.60,
        Place::Hills | Place::Meadow | Place::Snow | Place::Desert => 0.66,
        Place::Mountains | Place::Forest => 0.70,
        Place::City => 0.72,
        Place::Underwater => 0.84,
        Place::Space => 1.1,
    }
}

/// The light on what lies on the ground.
pub(super) const fn on_ground(scene: &Scene) -> Rgb {
    match (scene.place, scene.time) {
        (Place::Space, _) | (_, Time::Day) => Rgb(1.0, 1.0, 1.0),
        (_, Time::Sunset) => Rgb(0.94, 0.76, 0.70),
        (_, Time::Dawn) => Rgb(0.98, 0.88, 0.90),
        (_, Time::Night) => Rgb(0.36, 0.42, 0.64),
    }
}

/// The light on the things, which stay bright enough to tell their colours.
pub(super) const fn on_things(scene: &Scene) -> Rgb {
    match (scene.place, scene.time) {
        (Place::Underwater, _) => Rgb(0.92, 0.98, 1.0),
        (Place::Space, _) | (_, Time::Day) => Rgb(1.0, 1.0, 1.0),
        (_, Time::Sunset) => Rgb(1.0, 0.93, 0.88),
        (_, Time::Dawn) => Rgb(1.0, 0.97, 0.96),
        (_, Time::Night) => Rgb(0.90, 0.91, 0.99),
    }
}

/// What the air does to far things.
#[derive(Clone, Copy)]
struct Far {
    horizon: f32,
    /// The colour of the air at the horizon.
    air: Rgb,
}

impl Far {
    /// A colour through this much air.
    fn hazy(self, colour: Rgb, share: f32) -> Rgb {
        colour.mix(self.air, share)
    }
}

/// A soft line across the picture at this height, rolling by `swing`, closed below.
fn rolling(r: &mut Random, height: f32, swing: f32, bends: usize) -> String {
    let mut left = -0.05;
    let mut path = format!("M{left} {} ", height + r.within(-swing, swing));
    for bend in 1..=bends {
        let right = -0.05 + 1.1 * bend as f32 / bends as f32;
        let middle = (left + right) / 2.0 + r.within(-0.05, 0.05);
        let (crest, end) = (height + 2.0 * r.within(-swing, swing), height + r.within(-swing, swing));
        // Writing to a string cannot fail.
        let _ = write!(path, "Q{middle} {crest} {right} {end} ");
        left = right;
    }
    path + "L1.05 1.1 L-.05 1.1 Z"
}
