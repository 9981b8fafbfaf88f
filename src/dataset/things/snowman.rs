//! The snowman, whose colour is that of its hat and scarf.

use super::INK;
use crate::dataset::paint::{LINE, Pen, Rgb, SHADE};

pub(super) fn snowman(pen: &mut Pen<'_>, c: Rgb) {
    let snow = Rgb(250.0, 252.0, 255.0);
    let arms = "M-.2 -.5 L-.42 -.66 M-.36 -.62 L-.42 -.58 M.2 -.5 L.42 -.66 M.36 -.62 L.42 -.58";
    pen.stroke(arms, Rgb(110.0, 74.0, 52.0), 0.025);
    for (y, r) in [(-0.22, 0.26), (-0.53, 0.19)] {
        pen.oval(0.0, y, r, r * 0.93, snow.flat().shade(SHADE).line(LINE * 0.8));
    }
    pen.oval(0.0, -0.76, 0.145, 0.14, snow.flat().shade(SHADE * 0.8).line(LINE * 0.8));
    pen.fill("M-.15 -.66 Q0 -.58 .15 -.66 L.16 -.60 Q0 -.51 -.16 -.60 Z", c.edged());
    pen.fill("M.05 -.58 L.15 -.60 L.17 -.34 L.07 -.33 Z", c.edged().shade(0.2));
    pen.stroke("M.075 -.38 L.165 -.39 M.07 -.43 L.16 -.44", c.light(0.6), 0.02);
    pen.round_rect([-0.20, -0.885, 0.40, 0.05], 0.02, c.dark(0.15).edged());
    pen.round_rect([-0.13, -1.03, 0.26, 0.16], 0.02, c.body());
    pen.rect([-0.13, -0.92, 0.26, 0.035], c.light(0.55));
    for x in [-0.05, 0.05] {
        pen.oval(x, -0.79, 0.021, 0.024, INK);
    }
    pen.fill("M-.005 -.765 L.13 -.735 L-.005 -.72 Z", Rgb(240.0, 130.0, 40.0).flat().line(LINE * 0.5));
    for i in 0..5 {
        let angle = 0.5 + i as f32 * 0.53;
        pen.oval(0.075 * angle.cos(), -0.73 + 0.055 * angle.sin(), 0.009, 0.009, INK);
    }
    for y in [-0.47, -0.36, -0.2] {
        pen.oval(0.0, y, 0.02, 0.02, INK);
    }
}
