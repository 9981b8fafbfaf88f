//! The world under water: rays of light, sand, weeds and bubbles.

use super::rolling;
use crate::dataset::attributes::Time;
use crate::dataset::paint::{Pen, Rgb};
use crate::dataset::random::Random;
use crate::dataset::scene::Scene;

pub(super) fn paint(pen: &mut Pen<'_>, scene: &Scene, r: &mut Random) {
    let light = if scene.time == Time::Night { Rgb(0.36, 0.42, 0.64) } else { Rgb(1.0, 1.0, 1.0) };
    let water = [Rgb(120.0, 214.0, 232.0), Rgb(46.0, 150.0, 206.0), Rgb(22.0, 92.0, 160.0)];
    pen.sky(&water.map(|colour| colour.under(light)), 1.0);
    for i in 0..4 {
        let x = i as f32 * 0.28 + r.within(-0.05, 0.1);
        let ray = format!("M{x} 0 L{} 0 L{} .9 L{} .9 Z", x + 0.1, x + 0.02, x - 0.14);
        pen.fill(&ray, Rgb(230.0, 250.0, 255.0).flat().alpha(0.10));
    }
    let mut ground = pen.tinted(light);
    let sand = Rgb(236.0, 212.0, 156.0).flat().below(Rgb(196.0, 164.0, 108.0));
    ground.fill(&rolling(r, 0.86, 0.02, 3), sand);
    for _ in 0..7 {
        let x = if r.percent(50) { r.within(0.02, 0.2) } else { r.within(0.8, 0.98) };
        let height = r.within(0.12, 0.26);
        let colour = r.pick(&[Rgb(60.0, 150.0, 96.0), Rgb(44.0, 124.0, 84.0), Rgb(210.0, 92.0, 110.0)]);
        let (low, high, tip) = (0.9 - height * 0.4, 0.9 - height * 0.7, 0.9 - height);
        let weed = format!("M{x} .9 C{} {low} {} {high} {} {tip}", x + 0.05, x - 0.05, x + 0.02);
        ground.stroke(&weed, colour.dark(0.3), 0.021);
        ground.stroke(&weed, colour, 0.016);
    }
    for _ in 0..12 {
        let (x, y, size) = (r.unit(), r.unit() * 0.8, r.within(0.006, 0.014));
        pen.oval(x, y, size, size, Rgb(240.0, 252.0, 255.0).flat().alpha(0.22));
        let (left, right, up, down) = (x - size, x + size, y - 1.3 * size, y + 1.3 * size);
        let rim = format!("M{left} {y} C{left} {up} {right} {up} {right} {y} C{right} {down} {left} {down} {left} {y}");
        pen.faint_stroke(&rim, Rgb(240.0, 252.0, 255.0), 0.004, 0.8);
    }
}
