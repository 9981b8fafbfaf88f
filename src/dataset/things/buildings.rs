//! House, castle and lighthouse.

use super::{CREAM, FLAG, GLASS, INK, LAMP, SLATE, WOOD};
use crate::dataset::paint::{LINE, Pen, Rgb, SHADE};

pub(super) fn house(pen: &mut Pen<'_>, c: Rgb, lamps: bool) {
    let roof = c.dark(0.50).mix(Rgb(112.0, 62.0, 54.0), 0.5);
    let window = if lamps { LAMP } else { GLASS };
    // The chimney.
    pen.rect([0.17, -0.96, 0.13, 0.32], Rgb(156.0, 92.0, 78.0).body());
    pen.rect([0.145, -0.98, 0.18, 0.05], Rgb(120.0, 70.0, 62.0).flat().line(LINE * 0.6));
    pen.rect([-0.38, -0.56, 0.76, 0.56], c.body());
    for i in 1..6 {
        let y = -0.56 + i as f32 * 0.095;
        pen.faint_stroke(&format!("M-.36 {y} L.36 {y}"), c.dark(0.3), 0.006, 0.35);
    }
    // The shadow of the eaves.
    pen.fill("M-.38 -.56 L.38 -.56 L.38 -.50 L-.38 -.50 Z", c.dark(0.45).flat().alpha(0.45));
    pen.fill("M-.52 -.52 L0 -1 L.52 -.52 Z", roof.body());
    for i in 1..5 {
        let (y, w) = (-1.0 + i as f32 * 0.096, i as f32 * 0.10);
        pen.faint_stroke(&format!("M{} {y} L{w} {y}", -w), roof.dark(0.35), 0.008, 0.6);
    }
    for x in [-0.30_f32, 0.13] {
        pen.round_rect([x, -0.44, 0.17, 0.19], 0.01, CREAM.flat().line(LINE * 0.7));
        pen.rect([x + 0.02, -0.42, 0.13, 0.15], window.flat().below(window.light(0.35)));
        let (middle, left, right) = (x + 0.085, x + 0.02, x + 0.15);
        pen.stroke(&format!("M{middle} -.42 L{middle} -.27 M{left} -.345 L{right} -.345"), CREAM, 0.016);
        pen.rect([x - 0.01, -0.26, 0.19, 0.03], WOOD);
    }
    pen.oval(0.0, -0.69, 0.07, 0.07, CREAM.flat().line(LINE * 0.7));
    pen.oval(0.0, -0.69, 0.05, 0.05, window);
    let door = if c.0 < 150.0 || c.1 > 120.0 { WOOD } else { Rgb(92.0, 60.0, 46.0) };
    pen.fill("M-.095 0 L-.095 -.26 Q-.095 -.36 0 -.36 Q.095 -.36 .095 -.26 L.095 0 Z", door.edged().shade(0.2));
    pen.oval(0.055, -0.16, 0.017, 0.017, LAMP);
}

fn tower(pen: &mut Pen<'_>, x: f32, width: f32, [wall, top]: [f32; 2], c: Rgb, roof: Rgb) {
    pen.rect([x - width / 2.0, -wall, width, wall], c.body().shade(SHADE * 1.1));
    let (left, right, eaves) = (x - width * 0.68, x + width * 0.68, 0.02 - wall);
    pen.fill(&format!("M{left} {eaves} L{x} {} L{right} {eaves} Z", -top), roof.body());
    let (mast, tip) = (-top - 0.07, x + 0.09);
    pen.stroke(&format!("M{x} {} L{x} {mast}", -top), INK, 0.012);
    pen.fill(&format!("M{x} {} L{tip} {} L{x} {} Z", mast - 0.005, mast + 0.02, mast + 0.045), FLAG);
}

pub(super) fn castle(pen: &mut Pen<'_>, c: Rgb, lamps: bool) {
    let roof = c.dark(0.48).mix(Rgb(90.0, 50.0, 96.0), 0.35);
    let window = if lamps { LAMP } else { INK };
    tower(pen, 0.0, 0.26, [0.68, 0.93], c, roof);
    let merlons = (0..8).map(|i| {
        let (x, y) = (-0.32 + i as f32 * 0.08, if i % 2 == 0 { -0.44 } else { -0.50 });
        format!("L{x} {y} L{} {y} ", x + 0.08)
    });
    let wall = format!("M-.32 0 {}L.32 0 Z", merlons.collect::<String>());
    pen.fill(&wall, c.light(0.05).body().shade(SHADE * 0.7));
    for x in [-0.40, 0.40] {
        tower(pen, x, 0.24, [0.60, 0.88], c, roof);
    }
    let bricks = [
        [-0.22, -0.30],
        [0.20, -0.33],
        [-0.24, -0.12],
        [0.22, -0.14],
        [-0.42, -0.2],
        [0.38, -0.28],
        [-0.36, -0.4],
        [0.43, -0.1],
    ];
    for [x, y] in bricks {
        pen.round_rect([x, y, 0.07, 0.03], 0.01, c.dark(0.3).flat().alpha(0.5));
    }
    for (x, foot) in [(-0.40_f32, -0.42_f32), (0.0, -0.54), (0.40, -0.42)] {
        let (left, right, shoulder, top) = (x - 0.04, x + 0.04, foot - 0.06, foot - 0.13);
        let arch = format!("M{left} {foot} L{left} {shoulder} Q{x} {top} {right} {shoulder} L{right} {foot} Z");
        pen.fill(&arch, window.flat().line(LINE * 0.5));
    }
    pen.fill("M-.12 0 L-.12 -.18 Q-.12 -.31 0 -.31 Q.12 -.31 .12 -.18 L.12 0 Z", Rgb(96.0, 62.0, 46.0).edged());
    let bars = "M-.06 0 L-.06 -.27 M0 0 L0 -.3 M.06 0 L.06 -.27 M-.12 -.1 L.12 -.1 M-.12 -.2 L.12 -.2";
    pen.stroke(bars, INK, 0.01);
}

pub(super) fn lighthouse(pen: &mut Pen<'_>, c: Rgb, lamps: bool) {
    let other = if c.is_pale() { Rgb(176.0, 186.0, 200.0) } else { Rgb(247.0, 245.0, 240.0) };
    if lamps {
        for beam in ["M0 -.86 L-1.1 -1.06 L-1.1 -.66 Z", "M0 -.86 L1.1 -1.06 L1.1 -.66 Z"] {
            pen.fill(beam, Rgb(255.0, 240.0, 170.0).flat().alpha(0.28));
        }
    }
    let rock = Rgb(128.0, 122.0, 128.0);
    pen.fill("M-.27 0 Q-.24 -.09 -.1 -.08 Q.1 -.1 .2 -.06 Q.27 -.03 .27 0 Z", rock.body());
    let half = |y: f32| 0.185 - 0.085 * y / 0.74;
    for i in 0..5 {
        let (low, high) = (i as f32 * 0.148, (i + 1) as f32 * 0.148);
        let (y0, y1, w0, w1) = (-0.04 - low, -0.04 - high, half(low), half(high));
        let band = format!("M{} {y0} L{} {y1} L{w1} {y1} L{w0} {y0} Z", -w0, -w1);
        pen.fill(&band, if i % 2 == 0 { c } else { other }.flat().shade(SHADE * 1.2));
    }
    pen.stroke("M-.185 -.04 L-.1 -.78 M.185 -.04 L.1 -.78", c.dark(0.5), LINE);
    pen.rect([-0.15, -0.80, 0.30, 0.035], SLATE.flat().line(LINE * 0.6));
    pen.rect([-0.085, -0.91, 0.17, 0.11], if lamps { LAMP } else { Rgb(255.0, 238.0, 170.0) }.edged());
    pen.stroke("M0 -.91 L0 -.8", SLATE, 0.014);
    if lamps {
        pen.glow(0.0, -0.86, 0.26, LAMP, 0.9);
    }
    pen.fill("M-.13 -.905 Q-.08 -1 0 -1.01 Q.08 -1 .13 -.905 Z", c.dark(0.12).body());
    pen.fill("M-.055 -.04 L-.055 -.13 Q0 -.2 .055 -.13 L.055 -.04 Z", WOOD.edged());
    for y in [-0.34, -0.62] {
        pen.round_rect([-0.028, y, 0.056, 0.08], 0.025, if lamps { LAMP } else { INK });
    }
}
