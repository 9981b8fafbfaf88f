//! Tent and mushroom.

use super::{CREAM, FLAG, WOOD};
use crate::dataset::paint::{LINE, Pen, Rgb};

pub(super) fn tent(pen: &mut Pen<'_>, c: Rgb, lamps: bool) {
    pen.fill("M-.60 0 L0 -.90 L.60 0 Z", c.body());
    for k in [-0.42_f32, 0.42] {
        let stripe = format!("M0 -.9 L{} 0 L{} 0 Z", k * 0.86, k * 1.16);
        pen.fill(&stripe, c.light(0.42).flat().alpha(0.85));
    }
    let inside = if lamps { Rgb(255.0, 214.0, 120.0) } else { Rgb(70.0, 52.0, 60.0) };
    pen.fill("M-.22 0 L0 -.62 L.22 0 Z", inside.edged());
    if lamps {
        pen.glow(0.0, -0.14, 0.24, Rgb(255.0, 236.0, 170.0), 0.8);
    }
    pen.fill("M-.22 0 L0 -.62 L-.05 -.3 Q-.1 -.1 -.30 0 Z", c.dark(0.22).flat().line(LINE * 0.7));
    pen.fill("M.22 0 L0 -.62 L.05 -.3 Q.1 -.1 .30 0 Z", c.dark(0.32).flat().line(LINE * 0.7));
    pen.stroke("M0 -.88 L0 -1", WOOD, 0.03);
    pen.fill("M.01 -1.0 L.16 -.955 L.01 -.91 Z", FLAG);
    pen.stroke("M-.6 0 L-.68 .03 M.6 0 L.68 .03", WOOD, 0.014);
}

pub(super) fn mushroom(pen: &mut Pen<'_>, c: Rgb) {
    pen.fill("M-.15 0 Q-.13 -.3 -.13 -.5 L.13 -.5 Q.13 -.3 .17 0 Q0 .04 -.15 0 Z", CREAM.body());
    pen.fill("M-.3 -.46 Q0 -.3 .3 -.46 Q0 -.58 -.3 -.46 Z", CREAM.dark(0.25));
    let cap = "M-.47 -.46 C-.48 -1.12 .48 -1.12 .47 -.46 Q.3 -.36 .2 -.43 Q0 -.36 -.2 -.43 Q-.3 -.36 -.47 -.46 Z";
    pen.fill(cap, c.body());
    pen.faint_stroke("M-.36 -.62 Q-.30 -.82 -.12 -.89", c.light(0.6), 0.03, 0.55);
    let dot = if c.is_pale() { Rgb(206.0, 150.0, 120.0) } else { Rgb(252.0, 250.0, 244.0) };
    let dots = [
        [-0.26, -0.60, 0.07],
        [0.02, -0.78, 0.085],
        [0.27, -0.62, 0.062],
        [-0.08, -0.56, 0.045],
        [0.14, -0.54, 0.035],
        [-0.2, -0.78, 0.04],
        [0.22, -0.8, 0.035],
    ];
    for [x, y, r] in dots {
        pen.oval(x, y, r, r * 0.86, dot.flat().shade(0.12));
    }
}
