//! Paths, written as SVG path data: M, L, Q, C and Z with absolute coordinates, numbers apart by blanks.

use tiny_skia::{Path, PathBuilder, Rect};

/// The path of these data; none where it has no length, or where a number or a letter is none of the above.
pub(super) fn parse(data: &str) -> Option<Path> {
    let mut path = PathBuilder::new();
    let mut rest = data.trim_start();
    while let Some(command) = rest.chars().next() {
        rest = &rest[command.len_utf8()..];
        let end = rest.find(|c: char| c.is_ascii_uppercase()).unwrap_or(rest.len());
        let (numbers, after) = rest.split_at(end);
        let numbers =
            numbers.split_ascii_whitespace().map(|number| number.parse().ok()).collect::<Option<Vec<f32>>>()?;
        match (command, &numbers[..]) {
            ('M', &[x, y]) => path.move_to(x, y),
            ('L', points) if points.len() % 2 == 0 => {
                points.chunks_exact(2).for_each(|p| path.line_to(p[0], p[1]));
            }
            ('Q', points) if points.len() % 4 == 0 => {
                points.chunks_exact(4).for_each(|p| path.quad_to(p[0], p[1], p[2], p[3]));
            }
            ('C', points) if points.len() % 6 == 0 => {
                points.chunks_exact(6).for_each(|p| path.cubic_to(p[0], p[1], p[2], p[3], p[4], p[5]));
            }
            ('Z', []) => path.close(),
            _ => return None,
        }
        rest = after;
    }
    path.finish()
}

/// A rectangle with round corners.
pub(super) fn rounded([x, y, width, height]: [f32; 4], radius: f32) -> Option<Path> {
    if radius <= 0.0 {
        return Rect::from_xywh(x, y, width, height).map(PathBuilder::from_rect);
    }
    let r = radius.min(width / 2.0).min(height / 2.0);
    let (right, bottom) = (x + width, y + height);
    // A quarter of a circle as one cubic curve: its handles are this part of the radius.
    let k = r * 0.447_715;
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.line_to(right - r, y);
    path.cubic_to(right - k, y, right, y + k, right, y + r);
    path.line_to(right, bottom - r);
    path.cubic_to(right, bottom - k, right - k, bottom, right - r, bottom);
    path.line_to(x + r, bottom);
    path.cubic_to(x + k, bottom, x, bottom - k, x, bottom - r);
    path.line_to(x, y + r);
    path.cubic_to(x, y + k, x + k, y, x + r, y);
    path.close();
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_skia::PathSegment;

    #[test]
    fn data_become_segments() {
        let path = parse("M-.5 0 L1 2 3 4Q0 1 2 .25 C1 1 2 2 3 3 Z").unwrap();
        let segments = path.segments().map(|segment| match segment {
            PathSegment::MoveTo(p) => format!("M{} {}", p.x, p.y),
            PathSegment::LineTo(p) => format!("L{} {}", p.x, p.y),
            PathSegment::QuadTo(a, p) => format!("Q{} {} {} {}", a.x, a.y, p.x, p.y),
            PathSegment::CubicTo(a, b, p) => format!("C{} {} {} {} {} {}", a.x, a.y, b.x, b.y, p.x, p.y),
            PathSegment::Close => "Z".to_owned(),
        });
        let segments = segments.collect::<Vec<_>>().join(" ");
        assert_eq!(segments, "M-0.5 0 L1 2 L3 4 Q0 1 2 0.25 C1 1 2 2 3 3 Z");
    }

    #[test]
    fn other_data_are_refused() {
        for data in ["", "M0 0 L1", "M0 0 Q1 2 3", "M0 0 A1 2 3", "M0 0 l1 1", "0 0", "M0 0 Lx 1", "é"] {
            assert!(parse(data).is_none(), "{data}");
        }
    }
}
