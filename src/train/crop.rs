//! Cutting squares out of planar pictures, and mirroring those whose caption knows no left or right.

/// Whether a mirrored picture still fits its caption.
pub(super) fn may_flip(caption: &str) -> bool {
    let words = caption.split(|letter: char| !letter.is_alphanumeric());
    !words.into_iter().any(|word| {
        ["left", "right", "leftmost", "rightmost", "clockwise", "leftward", "rightward", "lefthand", "righthand"]
            .iter()
            .any(|side| word.eq_ignore_ascii_case(side))
    })
}

/// Mirrors a square picture in place.
pub(super) fn flip(picture: &mut [f32], size: usize) {
    picture.chunks_exact_mut(size).for_each(<[f32]>::reverse);
}

/// A square of a square picture of `from` pixels per side.
pub(super) fn square(picture: &[f32], from: usize, [top, left]: [usize; 2], size: usize) -> Vec<f32> {
    rectangle(picture, from, [top, left], [size, size])
}

/// A rectangle of height and width `sides` of a square picture of `from` pixels per side.
pub(super) fn rectangle(picture: &[f32], from: usize, [top, left]: [usize; 2], sides: [usize; 2]) -> Vec<f32> {
    let [height, width] = sides;
    let planes = picture.chunks_exact(from * from);
    let rows = planes.flat_map(|plane| plane.chunks_exact(from).skip(top).take(height));
    rows.flat_map(|row| &row[left..left + width]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_with_sides_are_not_mirrored() {
        assert!(may_flip("a red house on a bright hill"));
        assert!(!may_flip("a cat LEFT of a tree") && !may_flip("on the right, a duck"));
    }

    #[test]
    fn squares_and_mirrors() {
        let picture: Vec<f32> = (0..18).map(|value| value as f32).collect();
        assert_eq!(square(&picture, 3, [1, 1], 2), [4.0, 5.0, 7.0, 8.0, 13.0, 14.0, 16.0, 17.0]);
        let mut mirrored = picture;
        flip(&mut mirrored, 3);
        assert_eq!(mirrored[..6], [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]);
    }
}
