//! A windmill: a tower with a cap, and four sails in front of it.

use super::{CREAM, GLASS, LAMP, WOOD};
use crate::dataset::paint::{LINE, Pen, Rgb, SHADE};

/// What the sails turn around.
const HUB: [f32; 2] = [0.0, -0.62];
/// From the hub to a sail's tip.
const SAIL: f32 = 0.39;

pub(super) fn windmill(pen: &mut Pen<'_>, c: Rgb, lamps: bool) {
    let cap = c.dark(0.50).mix(Rgb(112.0, 62.0, 54.0), 0.5);
    let window = if lamps { LAMP } else { GLASS };
    pen.fill("M-.25 0 L-.15 -.60 L.15 -.60 L.25 0 Z", c.body().shade(SHADE * 1.2));
    for i in 1..5 {
        let (y, half) = (i as f32 * -0.12, 0.24 - i as f32 * 0.02);
        pen.faint_stroke(&format!("M{} {y} L{half} {y}", -half), c.dark(0.3), 0.007, 0.4);
    }
    pen.fill("M-.18 -.59 Q-.17 -.76 0 -.79 Q.17 -.76 .18 -.59 Z", cap.body());
    for y in [-0.30, -0.47] {
        pen.round_rect([-0.045, y, 0.09, 0.10], 0.03, window.flat().line(LINE * 0.7));
    }
    pen.fill("M-.08 0 L-.08 -.14 Q0 -.24 .08 -.14 L.08 0 Z", WOOD.edged());
    // A quarter turn after the other, from a little to the right of upwards.
    let mut along = [0.39, -0.92];
    for _ in 0..4 {
        sail(pen, along);
        along = [-along[1], along[0]];
    }
    pen.oval(HUB[0], HUB[1], 0.04, 0.04, WOOD.edged());
}

/// A sail in this direction: cloth on one side of its beam, in a frame of three fields.
fn sail(pen: &mut Pen<'_>, [x, y]: [f32; 2]) {
    let at = |along: f32, across: f32| {
        let [left, top] = [HUB[0] + along * x - across * y, HUB[1] + along * y + across * x];
        format!("{left} {top}")
    };
    let (inner, width) = (0.10, 0.115);
    let cloth = format!("M{} L{} L{} L{} Z", at(inner, 0.0), at(SAIL, 0.0), at(SAIL, width), at(inner, width));
    pen.fill(&cloth, CREAM.flat().line(LINE));
    for i in 1..3 {
        let along = inner + (SAIL - inner) * i as f32 / 3.0;
        pen.stroke(&format!("M{} L{}", at(along, 0.0), at(along, width)), WOOD, 0.012);
    }
    pen.stroke(&format!("M{} L{}", at(0.0, 0.0), at(SAIL, 0.0)), WOOD.dark(0.25), 0.028);
}
