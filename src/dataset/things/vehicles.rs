//! Car, sailing boat and rocket.

use super::{CREAM, FLAG, GLASS, INK, LAMP};
use crate::dataset::paint::{LINE, Pen, Rgb, SHADE, WHITE};

pub(super) fn car(pen: &mut Pen<'_>, c: Rgb, lamps: bool) {
    pen.fill("M-.36 -.36 Q-.3 -.72 -.16 -.74 L.16 -.74 Q.30 -.72 .42 -.36 Z", c.body());
    let window = if lamps { LAMP } else { GLASS.light(0.1) };
    let pane = window.flat().below(window.light(0.45)).line(LINE * 0.8);
    pen.fill("M-.27 -.40 Q-.22 -.64 -.14 -.66 L.0 -.66 L.0 -.40 Z", pane);
    pen.fill("M.05 -.40 L.05 -.66 L.13 -.66 Q.24 -.62 .32 -.40 Z", pane);
    pen.fill("M-.70 -.12 L-.70 -.30 Q-.66 -.40 -.40 -.42 L.42 -.42 Q.70 -.38 .70 -.22 L.70 -.12 Z", c.body());
    pen.stroke("M.025 -.40 L.025 -.14", c.dark(0.4), 0.012);
    pen.stroke("M-.1 -.32 L-.04 -.32 M.1 -.32 L.16 -.32", INK, 0.018);
    pen.faint_stroke("M-.66 -.33 Q-.4 -.37 .4 -.375", c.light(0.55), 0.018, 0.8);
    pen.round_rect([-0.73, -0.15, 1.46, 0.06], 0.03, Rgb(190.0, 194.0, 202.0).flat().line(LINE * 0.7));
    pen.oval(0.66, -0.27, 0.045, 0.055, Rgb(255.0, 240.0, 170.0).flat().line(LINE * 0.7));
    pen.round_rect([-0.72, -0.29, 0.05, 0.08], 0.02, Rgb(206.0, 40.0, 40.0));
    for x in [-0.40, 0.40] {
        pen.oval(x, -0.13, 0.155, 0.155, Rgb(48.0, 46.0, 54.0).edged());
        pen.oval(x, -0.13, 0.08, 0.08, Rgb(206.0, 210.0, 216.0).flat().shade(0.2));
        pen.oval(x, -0.13, 0.03, 0.03, Rgb(90.0, 92.0, 100.0));
    }
    if lamps {
        let beam = Rgb(255.0, 240.0, 170.0);
        pen.fill("M.68 -.27 L1.15 -.42 L1.15 -.1 Z", beam.flat().alpha(0.35));
        pen.glow(0.67, -0.27, 0.14, beam, 0.9);
    }
}

pub(super) fn sailboat(pen: &mut Pen<'_>, c: Rgb, lamps: bool) {
    pen.stroke("M0 -.2 L0 -1", Rgb(110.0, 74.0, 52.0), 0.03);
    pen.fill("M.035 -.97 Q.34 -.62 .46 -.29 L.035 -.29 Z", c.body());
    pen.fill("M-.035 -.90 Q-.16 -.52 -.37 -.29 L-.035 -.29 Z", c.light(0.16).body());
    pen.faint_stroke("M.035 -.6 L.27 -.6 M.035 -.44 L.37 -.44", c.dark(0.25), 0.012, 0.7);
    let pennant = if c.0 < 200.0 || c.1 > 90.0 { FLAG } else { Rgb(250.0, 210.0, 60.0) };
    pen.fill("M0 -1.04 L.14 -1.0 L0 -.96 Z", pennant);
    let hull = Rgb(150.0, 98.0, 64.0);
    pen.fill("M-.5 -.22 L.5 -.22 Q.44 0 .3 .02 L-.32 .02 Q-.44 -.02 -.5 -.22 Z", hull.body());
    pen.faint_stroke("M-.46 -.05 Q0 -.015 .42 -.05", hull.dark(0.35), 0.012, 0.6);
    pen.fill("M-.5 -.22 L.5 -.22 L.485 -.165 L-.485 -.165 Z", CREAM.flat().line(LINE * 0.6));
    for x in [-0.2, 0.0, 0.2] {
        pen.oval(x, -0.1, 0.03, 0.03, if lamps { LAMP } else { GLASS }.flat().line(LINE * 0.6));
    }
}

pub(super) fn rocket(pen: &mut Pen<'_>, c: Rgb) {
    pen.glow(0.0, -0.06, 0.26, Rgb(255.0, 170.0, 70.0), 0.55);
    pen.fill("M-.1 -.17 Q-.13 -.02 0 .08 Q.13 -.02 .1 -.17 Z", Rgb(250.0, 140.0, 40.0));
    pen.fill("M-.05 -.17 Q-.07 -.05 0 0 Q.07 -.05 .05 -.17 Z", Rgb(255.0, 232.0, 120.0));
    let fin = c.dark(0.38).mix(Rgb(70.0, 60.0, 100.0), 0.25);
    pen.fill("M-.14 -.46 Q-.31 -.34 -.30 -.1 Q-.22 -.2 -.12 -.2 Z", fin.body());
    pen.fill("M.14 -.46 Q.31 -.34 .30 -.1 Q.22 -.2 .12 -.2 Z", fin.body());
    pen.fill("M0 -1 C.2 -.82 .22 -.46 .13 -.17 L-.13 -.17 C-.22 -.46 -.2 -.82 0 -1 Z", c.body().shade(SHADE * 1.2));
    let nose = "M0 -1 C.09 -.92 .135 -.83 .158 -.74 Q0 -.68 -.158 -.74 C-.135 -.83 -.09 -.92 0 -1 Z";
    pen.fill(nose, fin.body());
    pen.oval(0.0, -0.56, 0.1, 0.1, Rgb(214.0, 218.0, 226.0).edged());
    let glass = Rgb(120.0, 200.0, 236.0);
    pen.oval(0.0, -0.56, 0.07, 0.07, glass.flat().below(glass.light(0.4)));
    pen.stroke("M-.04 -.58 Q-.03 -.61 .01 -.615", WHITE, 0.016);
    pen.fill("M-.147 -.30 L.147 -.30 L.135 -.24 L-.135 -.24 Z", c.light(0.6));
    pen.fill("M-.03 -.4 L.03 -.4 L.03 -.1 L0 -.06 L-.03 -.1 Z", fin.flat().line(LINE * 0.7));
}
