//! What falls in front of everything.

use crate::dataset::attributes::Weather;
use crate::dataset::paint::{Pen, Rgb, WHITE};
use crate::dataset::random::Random;

/// Rain or snow, if it is falling.
pub(in crate::dataset) fn fall(pen: &mut Pen<'_>, weather: Weather, r: &mut Random) {
    match weather {
        Weather::Clear | Weather::Cloudy => {}
        Weather::Rain => {
            for _ in 0..70 {
                let (x, y, length) = (r.unit(), r.unit(), r.within(0.02, 0.04));
                let drop = format!("M{x} {y} L{} {}", x - length * 0.35, y + length);
                pen.faint_stroke(&drop, Rgb(214.0, 228.0, 244.0), 0.0045, 0.6);
            }
        }
        Weather::Snow => {
            for _ in 0..70 {
                let (x, y, radius) = (r.unit(), r.unit(), r.within(0.004, 0.010));
                pen.oval(x, y, radius, radius, WHITE.flat().alpha(0.9));
            }
        }
    }
}
