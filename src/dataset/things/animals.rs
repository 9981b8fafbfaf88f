//! Cat, fish and duck.

use super::INK;
use crate::dataset::paint::{LINE, Pen, Rgb, WHITE};

pub(super) fn cat(pen: &mut Pen<'_>, c: Rgb) {
    let whiskers = if c.sum() > 200.0 { c.dark(0.5) } else { c.light(0.3) };
    let tail = "M.2 -.06 C.48 .0 .42 -.3 .36 -.38 C.32 -.46 .40 -.5 .42 -.44";
    pen.stroke(tail, c.dark(0.5), 0.12);
    pen.stroke(tail, c, 0.092);
    pen.fill("M-.28 0 C-.36 -.3 -.2 -.56 0 -.56 C.2 -.56 .36 -.3 .28 0 Q0 .04 -.28 0 Z", c.body());
    pen.oval(0.0, -0.2, 0.13, 0.17, c.light(0.5).flat().alpha(0.85));
    for x in [-0.11, 0.11] {
        pen.oval(x, -0.03, 0.095, 0.055, c.light(0.22).edged());
    }
    let pink = Rgb(246.0, 168.0, 176.0);
    for (ear, inside) in [
        ("M-.27 -.72 L-.26 -1.0 L-.06 -.9 Z", "M-.235 -.78 L-.23 -.93 L-.11 -.87 Z"),
        ("M.27 -.72 L.26 -1.0 L.06 -.9 Z", "M.235 -.78 L.23 -.93 L.11 -.87 Z"),
    ] {
        pen.fill(ear, c.edged());
        pen.fill(inside, pink);
    }
    pen.oval(0.0, -0.70, 0.29, 0.235, c.body());
    pen.oval(0.0, -0.615, 0.13, 0.09, c.light(0.55).flat().alpha(0.9));
    for x in [-0.12, 0.12] {
        pen.oval(x, -0.74, 0.06, 0.07, Rgb(246.0, 246.0, 220.0).flat().line(LINE * 0.6));
        pen.oval(x, -0.735, 0.035, 0.055, Rgb(40.0, 90.0, 60.0));
        pen.oval(x, -0.735, 0.018, 0.05, Rgb(16.0, 16.0, 20.0));
        pen.oval(x - 0.015, -0.76, 0.012, 0.014, WHITE);
    }
    let all = "M.1 -.63 L.34 -.66 M.1 -.61 L.34 -.59 M-.1 -.63 L-.34 -.66 M-.1 -.61 L-.34 -.59";
    pen.faint_stroke(all, whiskers, 0.009, 0.8);
    pen.fill("M-.03 -.66 L.03 -.66 L0 -.625 Z", Rgb(236.0, 120.0, 130.0));
    pen.stroke("M0 -.625 L0 -.6 Q-.03 -.57 -.06 -.59 M0 -.6 Q.03 -.57 .06 -.59", INK, 0.011);
    pen.faint_stroke("M-.06 -.9 L-.05 -.84 M0 -.92 L0 -.85 M.06 -.9 L.05 -.84", c.dark(0.35), 0.02, 0.8);
}

pub(super) fn fish(pen: &mut Pen<'_>, c: Rgb) {
    let fins = c.dark(0.15).edged();
    let tail = "M-.30 -.36 Q-.5 -.62 -.64 -.66 Q-.56 -.36 -.64 -.06 Q-.5 -.1 -.30 -.36 Z";
    pen.fill(tail, c.dark(0.12).light(0.05).body());
    pen.faint_stroke("M-.42 -.42 L-.57 -.54 M-.44 -.36 L-.57 -.36 M-.42 -.30 L-.57 -.18", c.dark(0.4), 0.012, 0.6);
    pen.fill("M-.16 -.60 Q.02 -.86 .24 -.74 Q.2 -.66 .22 -.58 Z", fins);
    pen.fill("M-.08 -.1 Q-.04 .04 .12 .03 L.16 -.1 Z", fins);
    pen.fill("M-.38 -.36 C-.2 -.74 .36 -.78 .60 -.34 C.36 .04 -.2 .02 -.38 -.36 Z", c.body());
    pen.fill("M-.2 -.2 Q.1 -.02 .5 -.24 C.34 -.02 -.02 .0 -.2 -.2 Z", c.light(0.6).flat().alpha(0.8));
    let scales = [
        [-0.18_f32, -0.42_f32],
        [-0.06, -0.5],
        [-0.06, -0.34],
        [0.06, -0.42],
        [0.06, -0.26],
        [-0.18, -0.28],
        [0.06, -0.56],
    ];
    for [x, y] in scales {
        let scale = format!("M{x} {} Q{} {y} {x} {}", y - 0.06, x + 0.06, y + 0.06);
        pen.faint_stroke(&scale, c.dark(0.4), 0.013, 0.7);
    }
    pen.faint_stroke("M.22 -.56 Q.30 -.36 .22 -.16", c.dark(0.45), 0.016, 0.8);
    pen.fill("M.02 -.3 Q.12 -.36 .14 -.24 Q.06 -.14 -.06 -.18 Z", c.dark(0.2).flat().line(LINE * 0.7));
    pen.oval(0.40, -0.43, 0.075, 0.075, Rgb(252.0, 252.0, 250.0).edged());
    pen.oval(0.42, -0.43, 0.04, 0.045, Rgb(20.0, 20.0, 26.0));
    pen.oval(0.405, -0.45, 0.014, 0.014, WHITE);
    pen.stroke("M.57 -.30 Q.5 -.24 .44 -.26", c.dark(0.6), 0.016);
}

pub(super) fn duck(pen: &mut Pen<'_>, c: Rgb) {
    let body = "M-.46 -.42 Q-.30 -.36 -.2 -.42 Q.0 -.46 .14 -.40 Q.44 -.28 .36 -.1 Q.28 .02 0 .02 \
                C-.36 .02 -.44 -.2 -.46 -.42 Z";
    pen.fill(body, c.body());
    pen.fill("M.04 -.44 Q.08 -.5 .06 -.6 L.32 -.56 Q.38 -.4 .36 -.24 Q.2 -.3 .04 -.3 Z", c);
    // An orange duck's bill is yellow.
    let orange = (120.0..=150.0).contains(&c.1) && c.0 >= 220.0;
    let bill = if orange { Rgb(250.0, 206.0, 70.0) } else { Rgb(244.0, 140.0, 36.0) };
    pen.fill("M.36 -.70 Q.52 -.70 .54 -.62 Q.46 -.57 .36 -.60 Z", bill.edged());
    pen.stroke("M.38 -.645 L.52 -.635", Rgb(170.0, 80.0, 20.0), 0.01);
    pen.oval(0.2, -0.70, 0.195, 0.19, c.body());
    let wing = if c.sum() > 250.0 { c.dark(0.16) } else { c.light(0.2) };
    pen.fill("M-.3 -.34 Q-.1 -.44 .1 -.3 Q.06 -.08 -.12 -.1 Q-.28 -.14 -.3 -.34 Z", wing.edged());
    pen.faint_stroke("M-.18 -.2 Q-.06 -.14 .04 -.22 M-.2 -.27 Q-.06 -.2 .06 -.27", c.dark(0.4), 0.012, 0.7);
    pen.oval(0.27, -0.74, 0.038, 0.045, WHITE);
    pen.oval(0.278, -0.74, 0.024, 0.032, Rgb(18.0, 18.0, 24.0));
    pen.oval(0.27, -0.755, 0.009, 0.009, WHITE);
    pen.stroke("M.16 -.88 Q.14 -.96 .2 -.98", c.dark(0.25), 0.03);
}
