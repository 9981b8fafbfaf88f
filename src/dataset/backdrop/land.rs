//! What lies far away on land, in front of the sky.

use super::{Far, rolling};
use crate::dataset::paint::{Pen, Rgb};
use crate::dataset::random::Random;

pub(super) fn hills(pen: &mut Pen<'_>, far: Far, r: &mut Random) {
    let back = far.hazy(Rgb(128.0, 186.0, 120.0), 0.45);
    pen.fill(&rolling(r, far.horizon - 0.13, 0.05, 3), back.flat().below(back.dark(0.12)));
    let front = far.hazy(Rgb(122.0, 186.0, 92.0), 0.12);
    pen.fill(&rolling(r, far.horizon - 0.04, 0.045, 3), front.flat().below(Rgb(88.0, 160.0, 78.0)));
}

pub(super) fn mountains(pen: &mut Pen<'_>, far: Far, r: &mut Random) {
    let foot = far.horizon + 0.05;
    let peaks =
        [(r.within(0.08, 0.2), 0.22, 0.34), (r.within(0.8, 0.92), 0.26, 0.34), (r.within(0.42, 0.58), 0.34, 0.32)];
    for (x, top, half) in peaks {
        let rock = far.hazy(Rgb(124.0, 132.0, 158.0), 0.22);
        pen.fill(&format!("M{} {foot} L{x} {top} L{} {foot} Z", x - half, x + half), rock.flat().shade(0.25));
        // A ridge on the side that lies in the shadow.
        let side = -pen.bright();
        let (crest, low) = (x + side * half * 0.10, x + side * half * 0.16);
        let (middle, edge) = (top + (foot - top) * 0.5, x + side * half);
        let shadow = format!("M{x} {top} L{crest} {middle} L{low} {foot} L{edge} {foot} Z");
        pen.fill(&shadow, rock.dark(0.5).flat().alpha(0.28));
        let height = foot - top;
        let snow = [(0.34, 0.34), (0.12, 0.22), (0.0, 0.32), (-0.14, 0.21), (-0.34, 0.34)];
        let edge = snow.map(|(across, down)| format!("L{} {} ", x + half * across, top + height * down));
        pen.fill(&format!("M{x} {top} {}Z", edge.concat()), Rgb(246.0, 249.0, 255.0).flat().shade(0.10));
    }
}

pub(super) fn snow(pen: &mut Pen<'_>, far: Far, r: &mut Random) {
    let back = far.hazy(Rgb(206.0, 220.0, 238.0), 0.35);
    pen.fill(&rolling(r, far.horizon - 0.10, 0.05, 3), back.flat().below(back.dark(0.10)));
}

pub(super) fn desert(pen: &mut Pen<'_>, far: Far, r: &mut Random) {
    let back = far.hazy(Rgb(226.0, 184.0, 118.0), 0.35);
    pen.fill(&rolling(r, far.horizon - 0.09, 0.05, 2), back.flat().below(back.dark(0.12)));
    let foot = far.horizon + 0.03;
    for x in [r.within(0.03, 0.12), r.within(0.88, 0.97)] {
        let size = r.within(0.07, 0.10);
        let up = |share: f32| far.horizon - size * share;
        let (left, right) = (x - size * 0.45, x + size * 0.45);
        let (trunk, arm, low) = (up(1.6), up(0.5), up(0.3));
        let cactus = format!(
            "M{x} {foot} L{x} {trunk} M{x} {arm} L{right} {arm} L{right} {} M{x} {low} L{left} {low} L{left} {}",
            up(1.0),
            up(0.8)
        );
        let green = Rgb(92.0, 148.0, 92.0);
        pen.stroke(&cactus, green.dark(0.35), 0.027);
        pen.stroke(&cactus, green, 0.021);
        let shine = -0.004;
        let rib = format!("M{} {} L{} {}", x + shine, far.horizon, x + shine, trunk);
        pen.faint_stroke(&rib, green.light(0.4), 0.005, 0.7);
    }
}

pub(super) fn forest(pen: &mut Pen<'_>, far: Far, r: &mut Random) {
    let foot = far.horizon + 0.04;
    for (haze, count, scale) in [(0.42, 10, 1.0), (0.12, 8, 0.85)] {
        let green = far.hazy(Rgb(52.0, 112.0, 84.0), haze);
        for i in 0..count {
            let x = (i as f32 + r.within(0.1, 0.9)) / count as f32 * 1.2 - 0.1;
            let size = r.within(0.24, 0.36) * scale;
            let across = |share: f32| x + size * share;
            let (waist, top) = (far.horizon - size * 0.45, far.horizon - size * 1.1);
            let tree = format!(
                "M{} {foot} L{} {waist} L{} {waist} L{x} {top} L{} {waist} L{} {waist} L{} {foot} Z",
                across(-0.28),
                across(-0.12),
                across(-0.20),
                across(0.20),
                across(0.12),
                across(0.28)
            );
            pen.fill(&tree, green.flat().shade(0.12));
        }
    }
}
