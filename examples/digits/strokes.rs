//! Digits as a pen draws them: curves in a square of side 1, each time a little different.

use fastrand::Rng;
use tiny_skia::{LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};

/// Pixels per side, as in MNIST.
pub const SIZE: usize = 28;

/// A part of a line: to a point, or along a Bézier curve.
#[derive(Clone, Copy)]
enum Part {
    To([f32; 2]),
    Along([[f32; 2]; 3]),
}
use Part::{Along, To};

/// Where the pen begins, and what follows.
fn digit(digit: u8) -> ([f32; 2], &'static [Part]) {
    match digit {
        0 => (
            [0.5, 0.1],
            &[Along([[0.15, 0.1], [0.15, 0.9], [0.5, 0.9]]), Along([[0.85, 0.9], [0.85, 0.1], [0.5, 0.1]])],
        ),
        1 => ([0.35, 0.28], &[To([0.55, 0.1]), To([0.55, 0.9])]),
        2 => (
            [0.25, 0.3],
            &[
                Along([[0.25, 0.02], [0.75, 0.02], [0.75, 0.32]]),
                Along([[0.75, 0.52], [0.4, 0.7], [0.25, 0.9]]),
                To([0.78, 0.9]),
            ],
        ),
        3 => (
            [0.27, 0.18],
            &[
                Along([[0.45, 0.02], [0.74, 0.1], [0.72, 0.3]]),
                Along([[0.7, 0.45], [0.55, 0.48], [0.43, 0.48]]),
                Along([[0.6, 0.48], [0.78, 0.55], [0.76, 0.72]]),
                Along([[0.73, 0.96], [0.4, 0.95], [0.24, 0.82]]),
            ],
        ),
        4 => ([0.62, 0.9], &[To([0.62, 0.1]), To([0.2, 0.65]), To([0.82, 0.65])]),
        5 => (
            [0.73, 0.1],
            &[
                To([0.32, 0.1]),
                To([0.29, 0.46]),
                Along([[0.5, 0.34], [0.77, 0.44], [0.75, 0.68]]),
                Along([[0.73, 0.96], [0.4, 0.95], [0.24, 0.82]]),
            ],
        ),
        6 => (
            [0.66, 0.1],
            &[
                Along([[0.4, 0.2], [0.24, 0.45], [0.25, 0.68]]),
                Along([[0.27, 0.97], [0.75, 0.97], [0.75, 0.68]]),
                Along([[0.75, 0.43], [0.35, 0.43], [0.26, 0.68]]),
            ],
        ),
        7 => ([0.23, 0.12], &[To([0.77, 0.12]), To([0.44, 0.9])]),
        8 => (
            [0.5, 0.48],
            &[
                Along([[0.18, 0.4], [0.24, 0.1], [0.5, 0.1]]),
                Along([[0.76, 0.1], [0.82, 0.4], [0.5, 0.48]]),
                Along([[0.16, 0.56], [0.18, 0.9], [0.5, 0.9]]),
                Along([[0.82, 0.9], [0.84, 0.56], [0.5, 0.48]]),
            ],
        ),
        _ => (
            [0.73, 0.35],
            &[
                Along([[0.66, 0.6], [0.27, 0.57], [0.27, 0.32]]),
                Along([[0.27, 0.03], [0.74, 0.03], [0.73, 0.35]]),
                To([0.66, 0.9]),
            ],
        ),
    }
}

/// One picture of a digit, white on black, a byte per pixel.
pub fn draw(which: u8, random: &mut Rng) -> Vec<u8> {
    let mut canvas = Pixmap::new(SIZE as u32, SIZE as u32).expect("the size is not 0");
    let mut within = |low: f32, high: f32| low + (high - low) * random.f32();
    let (lean, stretch, turn) = (within(-0.2, 0.2), within(0.85, 1.1), within(-9.0, 9.0));
    let (x, y, size) = (within(-1.5, 1.5), within(-1.5, 1.5), within(18.0, 22.0));
    let stroke =
        Stroke { width: within(0.07, 0.14), line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
    let place = Transform::from_translate(SIZE as f32 / 2.0 + x, SIZE as f32 / 2.0 + y)
        .pre_concat(Transform::from_rotate(turn))
        .pre_concat(Transform::from_row(size * stretch, 0.0, lean * size, size, 0.0, 0.0))
        .pre_translate(-0.5, -0.5);
    let mut paint = Paint::default();
    paint.set_color_rgba8(255, 255, 255, 255);
    if let Some(path) = path(which, &mut within) {
        canvas.stroke_path(&path, &paint, &stroke, place, None);
    }
    canvas.pixels().iter().map(|pixel| pixel.red()).collect()
}

/// The digit's line, every point of it moved a little.
fn path(which: u8, within: &mut impl FnMut(f32, f32) -> f32) -> Option<Path> {
    let mut moved = |[x, y]: [f32; 2]| (x + within(-0.03, 0.03), y + within(-0.03, 0.03));
    let (start, parts) = digit(which);
    let mut path = PathBuilder::new();
    let (x, y) = moved(start);
    path.move_to(x, y);
    for part in parts {
        match *part {
            To(point) => {
                let (x, y) = moved(point);
                path.line_to(x, y);
            }
            Along(points) => {
                let [(ax, ay), (bx, by), (x, y)] = points.map(&mut moved);
                path.cubic_to(ax, ay, bx, by, x, y);
            }
        }
    }
    path.finish()
}
