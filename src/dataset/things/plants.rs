//! Pine, tree and flower.

use crate::dataset::paint::{LINE, Pen, Rgb, SHADE};
use std::f32::consts::TAU;
use tiny_skia::Transform;

pub(super) fn pine(pen: &mut Pen<'_>, c: Rgb) {
    pen.rect([-0.055, -0.16, 0.11, 0.16], Rgb(118.0, 78.0, 54.0).edged().shade(0.3));
    for (i, [y, w, top]) in
        [[-0.12_f32, 0.33_f32, -0.55_f32], [-0.36, 0.265, -0.78], [-0.60, 0.195, -1.0]].into_iter().enumerate()
    {
        // The lower edge in six scallops, from right to left.
        let scallops = [
            (0.82, 0.66, 0.0),
            (0.48, 0.33, 0.01),
            (0.16, 0.0, 0.015),
            (-0.16, -0.33, 0.01),
            (-0.48, -0.66, 0.0),
            (-0.82, -1.0, 0.0),
        ];
        let edge = scallops.map(|(x, end, drop)| format!("Q{} {} {} {} ", w * x, y - 0.045, w * end, y + drop));
        let leaves = c.mix(Rgb(20.0, 60.0, 60.0), 0.18).light(0.06 * i as f32);
        pen.fill(&format!("M0 {top} L{w} {y} {}Z", edge.concat()), leaves.body().shade(SHADE * 1.2));
        let (left, lower, bend) = (-w * 0.45, y - 0.08, -w * 0.2);
        pen.faint_stroke(&format!("M{left} {lower} Q{bend} {} 0 {}", y - 0.05, y - 0.07), c.light(0.4), 0.014, 0.6);
    }
}

pub(super) fn tree(pen: &mut Pen<'_>, c: Rgb) {
    let bark = Rgb(128.0, 86.0, 58.0);
    pen.fill("M-.075 0 Q-.03 -.2 -.05 -.42 L.05 -.42 Q.03 -.2 .085 0 Z", bark.edged().shade(0.3));
    pen.stroke("M0 -.3 L.12 -.46 M0 -.26 L-.12 -.42", bark, 0.035);
    let clumps = [
        [-0.22, -0.52, 0.2],
        [0.22, -0.52, 0.2],
        [-0.2, -0.72, 0.2],
        [0.2, -0.72, 0.2],
        [0.0, -0.82, 0.185],
        [0.0, -0.58, 0.25],
    ];
    for [x, y, r] in clumps {
        pen.oval(x, y, r + LINE, r + LINE, c.dark(0.45));
    }
    for [x, y, r] in clumps {
        pen.oval(x, y, r, r, c);
    }
    let leaves = pen.lit(c);
    let bright = pen.bright();
    pen.glow(bright * 0.12, -0.76, 0.3, leaves.light(0.5), 0.75);
    pen.glow(bright * -0.2, -0.48, 0.3, leaves.dark(0.5), 0.4);
    let strokes = [
        [-0.2, -0.6],
        [0.05, -0.7],
        [0.2, -0.62],
        [-0.05, -0.5],
        [-0.05, -0.86],
        [0.22, -0.46],
        [-0.28, -0.5],
        [0.12, -0.84],
    ];
    for [x, y] in strokes {
        let (left, right, top): (f32, f32, f32) = (x - 0.04, x + 0.04, y - 0.04);
        pen.faint_stroke(&format!("M{left} {y} Q{x} {top} {right} {y}"), c.dark(0.35), 0.013, 0.6);
    }
}

pub(super) fn flower(pen: &mut Pen<'_>, c: Rgb) {
    let green = Rgb(74.0, 150.0, 70.0);
    pen.stroke("M0 0 Q.04 -.3 0 -.6", green.dark(0.3), 0.06);
    pen.stroke("M0 0 Q.04 -.3 0 -.6", green, 0.04);
    for (leaf, vein) in [
        ("M-.01 -.08 Q-.12 -.34 -.32 -.30 Q-.26 -.08 -.01 -.08 Z", "M-.04 -.10 Q-.12 -.22 -.25 -.26"),
        ("M.01 -.08 Q.12 -.34 .32 -.30 Q.26 -.08 .01 -.08 Z", "M.04 -.10 Q.12 -.22 .25 -.26"),
    ] {
        pen.fill(leaf, green.body());
        pen.faint_stroke(vein, green.dark(0.35), 0.01, 0.7);
    }
    for i in 0..7 {
        let angle = i as f32 * TAU / 7.0 + 0.2;
        let place = Transform::from_translate(0.19 * angle.cos(), -0.69 + 0.19 * angle.sin());
        let mut petal = pen.at(place.pre_concat(Transform::from_rotate(angle.to_degrees())));
        petal.oval(0.0, 0.0, 0.13, 0.098, c.edged().shade(0.16));
        petal.faint_stroke("M-.08 0 L.06 0", c.dark(0.25), 0.01, 0.6);
    }
    let yellow = c.0 > 235.0 && c.1 > 190.0 && c.2 < 90.0;
    let middle = if yellow { Rgb(176.0, 96.0, 40.0) } else { Rgb(250.0, 196.0, 50.0) };
    pen.oval(0.0, -0.69, 0.115, 0.115, middle.body());
    for i in 0..6 {
        let angle = i as f32 * 1.05;
        pen.oval(0.06 * angle.cos(), -0.69 + 0.06 * angle.sin(), 0.013, 0.013, middle.dark(0.4));
    }
}
