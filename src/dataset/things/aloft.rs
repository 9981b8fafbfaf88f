//! Hot-air balloon and kite.

use crate::dataset::paint::{LINE, Pen, Rgb};

pub(super) fn balloon(pen: &mut Pen<'_>, c: Rgb, lamps: bool) {
    let ropes = "M-.13 -.28 L-.075 -.12 M.13 -.28 L.075 -.12 M-.05 -.28 L-.03 -.12 M.05 -.28 L.03 -.12";
    pen.stroke(ropes, Rgb(110.0, 84.0, 66.0), 0.012);
    let envelope = "M0 -1 C.5 -1 .46 -.52 .14 -.27 L-.14 -.27 C-.46 -.52 -.5 -1 0 -1 Z";
    pen.fill(envelope, c.flat().shade(0.26));
    let pale = if c.is_pale() { Rgb(190.0, 200.0, 214.0) } else { c.light(0.45) };
    let stripe = "M0 -1 C.24 -1 .22 -.52 .06 -.27 L-.06 -.27 C-.22 -.52 -.24 -1 0 -1 Z";
    pen.fill(stripe, pale.flat().alpha(0.9));
    pen.fill("M0 -1 C.09 -1 .085 -.52 .022 -.27 L-.022 -.27 C-.085 -.52 -.09 -1 0 -1 Z", c);
    pen.fill("M-.335 -.62 Q0 -.5 .335 -.62 L.30 -.53 Q0 -.41 -.30 -.53 Z", c.dark(0.2).flat().alpha(0.85));
    pen.stroke(envelope, c.dark(0.5), LINE);
    pen.fill("M-.14 -.28 L.14 -.28 L.11 -.235 L-.11 -.235 Z", c.dark(0.35));
    if lamps {
        pen.glow(0.0, -0.26, 0.14, Rgb(255.0, 220.0, 120.0), 0.9);
        pen.glow(0.0, -0.5, 0.36, Rgb(255.0, 226.0, 150.0), 0.35);
    }
    pen.round_rect([-0.09, -0.13, 0.18, 0.13], 0.03, Rgb(164.0, 112.0, 66.0).body());
    let wicker = "M-.085 -.09 L.085 -.09 M-.085 -.05 L.085 -.05 M-.03 -.12 L-.03 -.01 M.03 -.12 L.03 -.01";
    pen.stroke(wicker, Rgb(110.0, 72.0, 44.0), 0.01);
}

pub(super) fn kite(pen: &mut Pen<'_>, c: Rgb) {
    pen.stroke("M0 -.36 C.2 -.28 -.18 -.18 .02 -.08 C.16 0 .02 .04 .0 .06", Rgb(120.0, 90.0, 80.0), 0.012);
    for [x, y] in [[0.05_f32, -0.27_f32], [-0.03, -0.16], [0.06, -0.05]] {
        let (above, below) = (y - 0.035, y + 0.035);
        pen.fill(&format!("M{x} {y} L{} {above} L{} {below} Z", x - 0.07, x - 0.07), c.light(0.25));
        pen.fill(&format!("M{x} {y} L{} {above} L{} {below} Z", x + 0.07, x + 0.07), c.dark(0.2));
    }
    let sail = "M0 -1 L.34 -.72 L0 -.36 L-.34 -.72 Z";
    pen.fill(sail, c);
    let pale = if c.is_pale() { Rgb(200.0, 208.0, 222.0) } else { c.light(0.35) };
    pen.fill("M0 -1 L.34 -.72 L0 -.72 Z", pale);
    pen.fill("M0 -.72 L-.34 -.72 L0 -.36 Z", c.dark(0.18));
    pen.stroke("M0 -1 L0 -.36 M-.34 -.72 L.34 -.72", Rgb(110.0, 80.0, 70.0), 0.018);
    pen.stroke(sail, c.dark(0.5), LINE);
}
