//! The sky: its colours by time and weather, stars, sun or moon, rainbow and clouds.

use super::{Far, horizon};
use crate::dataset::attributes::{Time, Weather};
use crate::dataset::paint::{Pen, Rgb, WHITE};
use crate::dataset::random::Random;
use crate::dataset::scene::Scene;

pub(super) fn paint(pen: &mut Pen<'_>, scene: &Scene, r: &mut Random) -> Far {
    let horizon = horizon(scene.place);
    let colours = colours(scene);
    let night = scene.time == Time::Night;
    let rain = scene.weather == Weather::Rain;
    pen.sky(&colours, horizon + 0.05);
    if night && !rain {
        stars(pen, 60, horizon, r);
    }
    if !rain {
        light(pen, scene, horizon);
    }
    if scene.rainbow {
        rainbow(pen, horizon);
    }
    clouds(pen, scene, colours[1], r);
    Far { horizon, air: if night { colours[2].light(0.2) } else { colours[2] } }
}

/// From the zenith to the horizon.
fn colours(scene: &Scene) -> [Rgb; 3] {
    let clear = match scene.time {
        Time::Day => [Rgb(86.0, 168.0, 232.0), Rgb(150.0, 208.0, 244.0), Rgb(220.0, 240.0, 250.0)],
        Time::Sunset => [Rgb(88.0, 78.0, 150.0), Rgb(236.0, 124.0, 108.0), Rgb(255.0, 204.0, 124.0)],
        Time::Dawn => [Rgb(136.0, 166.0, 222.0), Rgb(244.0, 188.0, 204.0), Rgb(255.0, 234.0, 196.0)],
        Time::Night => [Rgb(14.0, 20.0, 56.0), Rgb(32.0, 44.0, 98.0), Rgb(66.0, 82.0, 140.0)],
    };
    let cover = if scene.time == Time::Night { Rgb(40.0, 46.0, 70.0) } else { Rgb(150.0, 160.0, 176.0) };
    let share = match scene.weather {
        Weather::Clear => 0.0,
        Weather::Cloudy | Weather::Snow => 0.35,
        Weather::Rain => 0.55,
    };
    clear.map(|colour| colour.mix(cover, share))
}

/// Stars down to this height.
pub(super) fn stars(pen: &mut Pen<'_>, count: usize, height: f32, r: &mut Random) {
    for i in 0..count {
        let (x, y) = (r.unit(), r.unit() * height);
        let (radius, alpha) = (r.within(0.0025, 0.006), r.within(0.6, 1.0));
        let colour = Rgb(255.0, 250.0, 225.0);
        if i % 12 == 0 {
            pen.glow(x, y, radius * 4.0, colour, 0.5);
        }
        pen.oval(x, y, radius, radius, colour.flat().alpha(alpha));
    }
}

/// Sun or moon.
fn light(pen: &mut Pen<'_>, scene: &Scene, horizon: f32) {
    let x = scene.light;
    match scene.time {
        Time::Day => {
            pen.glow(x, 0.15, 0.24, Rgb(255.0, 240.0, 170.0), 0.8);
            pen.oval(x, 0.15, 0.075, 0.075, Rgb(255.0, 222.0, 84.0));
        }
        Time::Night => {
            pen.glow(x, 0.15, 0.24, Rgb(220.0, 226.0, 255.0), 0.5);
            pen.oval(x, 0.15, 0.075, 0.075, Rgb(252.0, 246.0, 214.0));
            for [dx, dy, rx, ry] in [[-0.02, -0.01, 0.016, 0.014], [0.03, 0.02, 0.02, 0.018], [0.02, -0.03, 0.01, 0.01]]
            {
                pen.oval(x + dx, 0.15 + dy, rx, ry, Rgb(226.0, 216.0, 180.0));
            }
        }
        Time::Sunset | Time::Dawn => {
            let sunset = scene.time == Time::Sunset;
            let colour = if sunset { Rgb(255.0, 176.0, 84.0) } else { Rgb(255.0, 226.0, 150.0) };
            pen.glow(x, horizon - 0.03, 0.4, colour, 0.8);
            pen.oval(x, horizon - 0.03, 0.11, 0.11, colour.light(0.3));
        }
    }
}

fn rainbow(pen: &mut Pen<'_>, horizon: f32) {
    let bands = [
        Rgb(226.0, 70.0, 70.0),
        Rgb(244.0, 150.0, 60.0),
        Rgb(250.0, 220.0, 80.0),
        Rgb(90.0, 180.0, 100.0),
        Rgb(80.0, 140.0, 220.0),
        Rgb(150.0, 100.0, 200.0),
    ];
    let foot = horizon + 0.08;
    for (i, band) in bands.into_iter().enumerate() {
        let radius = 0.62 - i as f32 * 0.022;
        // Half a circle as two cubic curves: their handles are this part of the radius.
        let (k, left, right, top) = (radius * 0.552_285, 0.5 - radius, 0.5 + radius, foot - radius);
        let (up, near, away) = (foot - k, 0.5 - k, 0.5 + k);
        let arc =
            format!("M{left} {foot} C{left} {up} {near} {top} .5 {top} C{away} {top} {right} {up} {right} {foot}");
        pen.faint_stroke(&arc, band, 0.023, 0.65);
    }
}

/// Puffs of a cloud in its own size: place and radius.
const PUFFS: [[f32; 3]; 5] =
    [[-1.0, 0.1, 0.55], [0.0, -0.2, 0.8], [0.9, 0.05, 0.6], [-0.45, 0.15, 0.6], [0.45, 0.2, 0.6]];

fn clouds(pen: &mut Pen<'_>, scene: &Scene, sky: Rgb, r: &mut Random) {
    let (count, colour) = match scene.weather {
        Weather::Clear => (r.pick(&[1, 2]), WHITE),
        Weather::Cloudy => (6, Rgb(206.0, 210.0, 218.0)),
        Weather::Rain => (6, Rgb(148.0, 154.0, 168.0)),
        Weather::Snow => (4, WHITE),
    };
    let share = match scene.time {
        Time::Day => 0.06,
        Time::Sunset => 0.35,
        Time::Dawn => 0.25,
        Time::Night => 0.72,
    };
    let colour = colour.mix(sky, share);
    let shadow = colour.mix(sky.dark(0.25), 0.35);
    for _ in 0..count {
        let (x, y) = (r.unit(), r.within(0.06, 0.30));
        let size = r.within(0.07, 0.11) * if scene.weather == Weather::Clear { 1.0 } else { 1.35 };
        let puffs = PUFFS.map(|[dx, dy, radius]| [x + dx * size, y + dy * size, radius * size]);
        for [x, y, radius] in puffs {
            pen.oval(x, y, radius * 1.2, radius * 0.72, shadow.flat().alpha(0.95));
        }
        for [x, y, radius] in puffs {
            pen.oval(x, y - 0.09 * size, radius * 1.12, radius * 0.62, colour.flat().alpha(0.95));
        }
    }
}
