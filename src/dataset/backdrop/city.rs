//! A city on the horizon: two rows of houses, windows lit at night.

use super::Far;
use crate::dataset::attributes::Time;
use crate::dataset::paint::{Pen, Rgb};
use crate::dataset::random::Random;
use crate::dataset::scene::Scene;

pub(super) fn paint(pen: &mut Pen<'_>, scene: &Scene, far: Far, r: &mut Random) {
    let night = scene.time == Time::Night;
    for (haze, scale) in [(0.5, 1.0), (0.22, 0.75)] {
        let mut x = -0.03;
        while x < 1.02 {
            let (width, height) = (r.within(0.08, 0.14), r.within(0.16, 0.40) * scale);
            let walls = [Rgb(120.0, 130.0, 160.0), Rgb(140.0, 126.0, 150.0), Rgb(108.0, 128.0, 150.0)];
            let (wall, top) = (far.hazy(r.pick(&walls), haze), far.horizon - height);
            pen.rect([x, top, width, height + 0.05], wall.flat().shade(0.1));
            pen.rect([x - 0.003, top - 0.006, width + 0.006, 0.012], wall.dark(0.25));
            for row in 0..(height / 0.045) as usize {
                for column in 0..((width - 0.02) / 0.03) as usize {
                    if r.percent(60) {
                        let window = [x + 0.018 + column as f32 * 0.03, top + 0.018 + row as f32 * 0.045, 0.014, 0.022];
                        if night {
                            // Lamps are no darker at night.
                            pen.tinted(Rgb(1.0, 1.0, 1.0)).rect(window, Rgb(255.0, 220.0, 120.0).flat().alpha(0.85));
                        } else {
                            pen.rect(window, far.hazy(Rgb(220.0, 232.0, 244.0), 0.2).flat().alpha(0.85));
                        }
                    }
                }
            }
            x += width + r.within(0.0, 0.02);
        }
    }
}
