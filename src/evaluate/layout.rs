//! The ways in which a scene's things stand, and where in the picture each of them is.

use crate::dataset::{Relation, Scene};
use serde::{Deserialize, Serialize};

/// How many things there are, and how they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    One,
    /// Two beside each other.
    Two,
    /// Three beside each other.
    Three,
    /// One above another.
    Above,
}

/// Regions of the picture: the whole, halves, thirds, upper and lower half.
pub(super) const REGIONS: usize = 8;

impl Layout {
    pub const ALL: [Self; 4] = [Self::One, Self::Two, Self::Three, Self::Above];

    /// Things.
    pub const fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two | Self::Above => 2,
            Self::Three => 3,
        }
    }

    /// The region of each thing, from left to right or from top to bottom.
    pub(super) const fn regions(self) -> &'static [usize] {
        match self {
            Self::One => &[0],
            Self::Two => &[1, 2],
            Self::Three => &[3, 4, 5],
            Self::Above => &[6, 7],
        }
    }

    /// How the things of a scene stand.
    pub fn of(scene: &Scene) -> Self {
        match scene.items.len() {
            _ if scene.relation == Some(Relation::Above) => Self::Above,
            1 => Self::One,
            2 => Self::Two,
            _ => Self::Three,
        }
    }
}

/// How much each cell of a square grid counts in the mean of each region, `[side · side, REGIONS]`; each column's sum is 1.
pub(super) fn weights(side: usize) -> Vec<f32> {
    let part = |at: usize, from: f32, to: f32| {
        let [low, high] = [at, at + 1].map(|edge| edge as f32 / side as f32);
        (high.min(to) - low.max(from)).max(0.0)
    };
    // Left and right, then upper and lower edge.
    let third = 1.0 / 3.0;
    let (all, first, second) = ([0.0, 1.0], [0.0, 0.5], [0.5, 1.0]);
    let regions: [[[f32; 2]; 2]; REGIONS] = [
        [all, all],
        [first, all],
        [second, all],
        [[0.0, third], all],
        [[third, 2.0 * third], all],
        [[2.0 * third, 1.0], all],
        [all, first],
        [all, second],
    ];
    let mut weights = Vec::with_capacity(side * side * REGIONS);
    for (row, column) in (0..side * side).map(|cell| (cell / side, cell % side)) {
        for [[left, right], [top, bottom]] in regions {
            let area = (right - left) * (bottom - top);
            weights.push(part(column, left, right) * part(row, top, bottom) / area);
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Pairs;

    #[test]
    fn every_region_is_a_mean_of_its_cells() {
        for side in [4, 8] {
            let weights = weights(side);
            for region in 0..REGIONS {
                let sum: f32 = weights.iter().skip(region).step_by(REGIONS).sum();
                assert!((sum - 1.0).abs() < 1e-6, "{region}: {sum}");
            }
            // The first cell is in the left third, and not in the right one.
            assert!(weights[3] > 0.0 && weights[5] == 0.0 && weights[7] == 0.0);
        }
    }

    #[test]
    fn things_stand_in_their_regions() {
        let edges =
            [(0.0, 1.0), (0.0, 0.5), (0.5, 1.0), (0.0, 0.345), (0.32, 0.68), (0.655, 1.0), (0.0, 0.5), (0.5, 1.0)];
        for index in 0..2000 {
            let scene = Scene::new(61, index, Pairs::Usual);
            let layout = Layout::of(&scene);
            assert_eq!(layout.count(), scene.items.len());
            for (item, region) in super::super::reading::in_order(&scene).iter().zip(layout.regions()) {
                let [left, top, width, height] = item.frame();
                let (low, high) = edges[*region];
                let middle = if layout == Layout::Above { top + height / 2.0 } else { left + width / 2.0 };
                assert!((low..=high).contains(&middle), "{}: {item:?}", scene.caption);
            }
        }
    }
}
