//! The ground that things stand on, with what grows or lies on it.

use super::{horizon, rolling};
use crate::dataset::attributes::{Place, Weather};
use crate::dataset::paint::{Pen, Rgb};
use crate::dataset::random::Random;
use crate::dataset::scene::Scene;

pub(super) fn paint(pen: &mut Pen<'_>, scene: &Scene, r: &mut Random) {
    let place = scene.place;
    let height = horizon(place);
    let snowed = scene.weather == Weather::Snow && place != Place::Desert;
    let (mut far, mut near) = colours(place);
    if snowed {
        far = far.mix(Rgb(250.0, 252.0, 255.0), 0.75);
        near = near.mix(Rgb(225.0, 234.0, 246.0), 0.65);
    }
    let (drop, swing) = match place {
        Place::Hills => (0.03, 0.03),
        Place::Snow | Place::Desert => (0.0, 0.03),
        _ => (0.0, 0.01),
    };
    pen.fill(&rolling(r, height + drop, swing, 2), far.flat().below(near));
    let count = if matches!(place, Place::Snow | Place::Desert) { 20 } else { 46 };
    for i in 0..count {
        let (x, y) = (r.unit(), r.within(height + 0.05, 0.99));
        // What is nearer is larger.
        let size = 0.008 + 0.02 * (y - height);
        if place == Place::Snow || snowed {
            drift(pen, x, y, size, 0.5, Rgb(190.0, 206.0, 232.0));
        } else if place == Place::Desert {
            drift(pen, x, y, size * 2.0, 0.4, Rgb(206.0, 156.0, 90.0));
        } else if place == Place::Meadow && i % 2 == 1 {
            blossom(pen, x, y, size, r);
        } else {
            tuft(pen, x, y, size, near.dark(0.12));
        }
    }
}

/// At the horizon, and in front.
fn colours(place: Place) -> (Rgb, Rgb) {
    let far = match place {
        Place::Hills => Rgb(150.0, 206.0, 100.0),
        Place::Mountains => Rgb(138.0, 192.0, 104.0),
        Place::Snow => Rgb(250.0, 252.0, 255.0),
        Place::Desert => Rgb(240.0, 204.0, 134.0),
        Place::Forest => Rgb(112.0, 172.0, 84.0),
        Place::City => Rgb(176.0, 192.0, 128.0),
        Place::Meadow | Place::Sea | Place::Underwater | Place::Space => Rgb(156.0, 210.0, 96.0),
    };
    let near = match place {
        Place::Snow => Rgb(206.0, 220.0, 240.0),
        Place::Desert => Rgb(214.0, 166.0, 96.0),
        Place::City => Rgb(140.0, 160.0, 110.0),
        _ => far.mix(Rgb(50.0, 120.0, 60.0), 0.55),
    };
    (far, near)
}

/// A ripple in snow or sand.
fn drift(pen: &mut Pen<'_>, x: f32, y: f32, half: f32, bend: f32, colour: Rgb) {
    let path = format!("M{} {y} Q{x} {} {} {y}", x - half, y - half * bend, x + half);
    pen.faint_stroke(&path, colour, 0.004, 0.8);
}

fn blossom(pen: &mut Pen<'_>, x: f32, y: f32, size: f32, r: &mut Random) {
    let colours =
        [Rgb(250.0, 250.0, 244.0), Rgb(250.0, 214.0, 70.0), Rgb(240.0, 130.0, 160.0), Rgb(170.0, 130.0, 220.0)];
    let (petal, radius) = (r.pick(&colours), size * 0.26);
    pen.stroke(&format!("M{x} {y} L{x} {}", y + size), Rgb(86.0, 150.0, 76.0), 0.003);
    for (dx, dy) in [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)] {
        pen.oval(x + dx * radius, y + dy * radius, radius, radius, petal);
    }
    pen.oval(
        x,
        y,
        radius * 0.7,
        radius * 0.7,
        if petal.1 > 205.0 && petal.2 < 90.0 { petal.dark(0.35) } else { colours[1] },
    );
}

/// Three blades of grass.
fn tuft(pen: &mut Pen<'_>, x: f32, y: f32, size: f32, colour: Rgb) {
    let (left, middle, right) = (x - size * 0.7, x + size * 0.2, x + size * 0.9);
    let (a, b, c) = (y - size * 1.3, y - size * 1.6, y - size);
    pen.faint_stroke(&format!("M{left} {a} L{x} {y} L{middle} {b} M{x} {y} L{right} {c}"), colour, 0.004, 0.9);
}
