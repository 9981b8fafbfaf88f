//! Space: a nebula, stars and a planet with a ring.

use super::sky::stars;
use crate::dataset::paint::{Pen, Rgb};
use crate::dataset::random::Random;

pub(super) fn paint(pen: &mut Pen<'_>, r: &mut Random) {
    pen.sky(&[Rgb(16.0, 12.0, 44.0), Rgb(40.0, 26.0, 84.0), Rgb(24.0, 30.0, 78.0)], 1.0);
    pen.glow(r.unit(), r.unit(), 0.5, Rgb(120.0, 70.0, 170.0), 0.4);
    stars(pen, 90, 1.0, r);
    let (x, y) = (r.pick(&[0.14, 0.86]), r.within(0.14, 0.26));
    let planet = r.pick(&[Rgb(236.0, 170.0, 90.0), Rgb(120.0, 190.0, 220.0), Rgb(220.0, 120.0, 130.0)]);
    pen.glow(x, y, 0.15, planet, 0.3);
    pen.oval(x, y, 0.09, 0.09, planet.flat().shade(0.4));
    for (dy, half) in [(-0.045, 0.07), (-0.01, 0.085), (0.03, 0.08)] {
        let band = format!("M{} {} Q{x} {} {} {}", x - half, y + dy, y + dy + 0.02, x + half, y + dy);
        pen.faint_stroke(&band, planet.dark(0.3), 0.010, 0.35);
    }
    let ring = format!("M{} {} Q{x} {} {} {}", x - 0.15, y + 0.03, y + 0.08, x + 0.15, y - 0.04);
    pen.stroke(&ring, planet.light(0.5), 0.012);
}
