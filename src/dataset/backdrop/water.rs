//! The sea, with waves and the light on them.

use super::Far;
use crate::dataset::attributes::{Time, Weather};
use crate::dataset::paint::{Pen, Rgb};
use crate::dataset::random::Random;
use crate::dataset::scene::Scene;

pub(super) fn paint(pen: &mut Pen<'_>, scene: &Scene, far: Far, r: &mut Random) {
    let top = far.horizon;
    let water = far.hazy(Rgb(70.0, 160.0, 210.0), 0.25);
    pen.rect([-0.1, top, 1.2, 1.1 - top], water.flat().below(Rgb(30.0, 96.0, 164.0)));
    let glitter = match scene.time {
        _ if scene.weather == Weather::Rain => None,
        Time::Day => None,
        Time::Sunset | Time::Dawn => Some(Rgb(255.0, 220.0, 150.0).flat().alpha(0.6)),
        Time::Night => Some(Rgb(226.0, 232.0, 255.0).flat().alpha(0.30)),
    };
    if let Some(ink) = glitter {
        let mut pen = pen.tinted(Rgb(1.0, 1.0, 1.0));
        for i in 0..6 {
            let i = i as f32;
            let frame = [scene.light - 0.09 + i * 0.008, top + 0.02 + i * 0.045, 0.18 - i * 0.016, 0.012];
            pen.round_rect(frame, 0.006, ink);
        }
    }
    for _ in 0..26 {
        let (x, y) = (r.unit(), top + 0.03 + 0.37 * r.unit());
        let size = 0.02 + 0.05 * (y - top);
        let (left, right, crest, trough) = (x - size, x + size, y - size * 0.5, y + size * 0.4);
        let (before, behind) = (x - size / 2.0, x + size / 2.0);
        let wave = format!("M{left} {y} Q{before} {crest} {x} {y} Q{behind} {trough} {right} {y}");
        pen.faint_stroke(&wave, Rgb(226.0, 244.0, 252.0), 0.005, 0.75);
    }
}
