//! Where the things of a scene stand, and how large they are.

use super::attributes::{Relation, Size};
use super::kind::{Colour, Habit, Kind};
use super::random::Random;
use super::scene::Group;

/// One thing in the picture. Lengths are in sides of the picture, y grows downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item {
    pub kind: Kind,
    pub colour: Colour,
    /// Which of the scene's groups it belongs to.
    pub group: usize,
    /// Its middle.
    pub x: f32,
    /// Its foot.
    pub y: f32,
    pub height: f32,
    /// Looks to the left instead of the right.
    pub flipped: bool,
    /// Degrees clockwise around its middle.
    pub tilt: f32,
}

impl Item {
    /// Left, top, width and height of what it takes, before it is tilted.
    pub fn frame(&self) -> [f32; 4] {
        let width = self.kind.width() * self.height;
        [self.x - width / 2.0, self.y - self.height, width, self.height]
    }
}

/// Places the things of all groups, from back to front.
pub(super) fn lay_out(groups: &[Group], relation: Option<Relation>, r: &mut Random) -> Vec<Item> {
    let total = groups.iter().map(|group| usize::from(group.count)).sum();
    let above = relation == Some(Relation::Above);
    // The places from left to right, in the order in which things are listed.
    let mut order = [0, 1, 2];
    if relation == Some(Relation::RightOf) || (relation == Some(Relation::NextTo) && r.percent(50)) {
        order.swap(0, 1);
    }
    let things = groups.iter().enumerate().flat_map(|(at, group)| (0..group.count).map(move |_| (at, group)));
    let mut items = Vec::with_capacity(total);
    for (place, (at, group)) in things.enumerate() {
        let kind = group.kind;
        let mut height = height(group, total, above, r);
        let (x, y) = if above {
            height = height.min(0.42);
            (0.5 + r.within(-0.12, 0.12), if at == 0 { 0.47 } else { 0.93 })
        } else {
            let x = match total {
                1 => 0.5 + r.within(-0.10, 0.10),
                2 => [0.27, 0.73][order[place]] + r.within(-0.02, 0.02),
                _ => [0.19, 0.50, 0.81][place] + r.within(-0.02, 0.02),
            };
            (x, foot(kind, height, total, r))
        };
        // A big car alone is as wide as the picture allows.
        let half = kind.width() * height / 2.0 + 0.015;
        let x = x.clamp(half, 1.0 - half);
        let flipped = kind.turns() && r.percent(50);
        let tilt = match kind {
            Kind::Kite | Kind::Fish => r.within(-8.0, 8.0),
            Kind::Rocket => r.within(-12.0, 12.0),
            _ => 0.0,
        };
        items.push(Item { kind, colour: group.colour, group: at, x, y, height, flipped, tilt });
    }
    items.sort_by(|a, b| a.y.total_cmp(&b.y));
    items
}

/// As large as so many things can be beside each other.
fn height(group: &Group, total: usize, above: bool, r: &mut Random) -> f32 {
    let (usual, widest) = match total {
        1 => (0.56, 0.86),
        2 => (0.42, 0.46),
        _ => (0.34, 0.32),
    };
    let size = match group.size {
        None => 1.0,
        Some(Size::Small) => {
            if total == 1 {
                0.76
            } else {
                0.80
            }
        }
        Some(Size::Big) => {
            if total == 1 {
                1.20
            } else {
                1.12
            }
        }
    };
    let width = group.kind.width();
    let slim = if width < 0.7 { 1.08 } else { 1.0 };
    let room = if above { 1.12 } else { 1.0 };
    (usual * size * slim * r.within(0.95, 1.05)).min(widest * room / width)
}

/// On the ground, in the air, in the water.
fn foot(kind: Kind, height: f32, total: usize, r: &mut Random) -> f32 {
    let alone = total == 1;
    match kind.habit() {
        Habit::Stands | Habit::Floats if alone => 0.88,
        Habit::Stands | Habit::Floats => 0.88 + r.within(-0.02, 0.02),
        Habit::Flies | Habit::Swims if alone => 0.5 + height / 2.0 + r.within(-0.05, 0.05),
        Habit::Swims => 0.5 + height / 2.0 + r.within(-0.17, 0.17),
        Habit::Flies => 0.5 + height / 2.0 + r.within(-0.17, 0.05),
    }
}
