//! The grammar of scenes: what is in one, where and when. Everything about a scene follows from its seed and index.

use super::attributes::{Place, Relation, Size, Time, Weather};
use super::kind::{Colour, HELD_OUT, Habit, Kind};
use super::layout::{Item, lay_out};
use super::random::{Purpose, Random};
use super::{caption, record::Record};

/// Which pairs of kind and colour are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pairs {
    /// None of [`HELD_OUT`].
    #[default]
    Usual,
    /// One of [`HELD_OUT`] in every scene; a second thing is a usual one.
    HeldOut,
    /// This kind in every scene, such as one of [`Kind::NOVEL`]; a second thing is a usual one.
    Of(Kind),
}

/// Things of one kind and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    pub kind: Kind,
    pub colour: Colour,
    /// 1 to 3; of two groups each has 1.
    pub count: u8,
    pub size: Option<Size>,
}

/// One scene: its description, from which [`render`](super::render()) makes a picture of any size.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    pub seed: u64,
    pub index: u64,
    pub pairs: Pairs,
    /// One, or two in the order of `relation`.
    pub groups: Vec<Group>,
    pub relation: Option<Relation>,
    pub place: Place,
    pub time: Time,
    pub weather: Weather,
    pub rainbow: bool,
    /// Where sun or moon stands, from 0 at the left edge to 1 at the right.
    pub light: f32,
    /// From back to front.
    pub items: Vec<Item>,
    pub caption: String,
}

impl Scene {
    /// The scene of this seed and index.
    pub fn new(seed: u64, index: u64, pairs: Pairs) -> Self {
        let mut random = Random::new(seed, index, Purpose::Grammar);
        let r = &mut random;
        let first = match pairs {
            Pairs::Usual => any(r, &Kind::ALL),
            Pairs::HeldOut => r.pick(&HELD_OUT),
            Pairs::Of(kind) => any(r, &[kind]),
        };
        let (groups, relation) = if r.percent(46) { two(r, first) } else { (vec![some(r, first)], None) };
        let time = r.weighted([(Time::Day, 46), (Time::Sunset, 18), (Time::Night, 24), (Time::Dawn, 12)]);
        let weather =
            r.weighted([(Weather::Clear, 64), (Weather::Cloudy, 14), (Weather::Rain, 11), (Weather::Snow, 11)]);
        let place = place(r, &groups);
        let time = match place {
            Place::Space => Time::Night,
            Place::Underwater => r.weighted([(Time::Day, 3), (Time::Night, 1)]),
            _ => time,
        };
        let dry = !place.is_outdoors() || (place == Place::Desert && weather == Weather::Snow);
        let rainbow = time == Time::Day && place.is_outdoors() && r.percent(8);
        let light = if r.percent(50) { r.within(0.10, 0.22) } else { r.within(0.78, 0.90) };
        let items = lay_out(&groups, relation, &mut Random::new(seed, index, Purpose::Layout));
        let weather = if dry { Weather::Clear } else { weather };
        let caption = String::new();
        let mut scene =
            Self { seed, index, pairs, groups, relation, place, time, weather, rainbow, light, items, caption };
        scene.caption = caption::write(&scene, &mut Random::new(seed, index, Purpose::Caption));
        scene
    }

    /// What the metadata says of it.
    pub fn record(&self) -> Record<'_> {
        Record::new(self)
    }
}

/// One of these kinds in a usual colour of it.
fn any(r: &mut Random, kinds: &[Kind]) -> (Kind, Colour) {
    let kind = r.pick(kinds);
    (kind, colour(r, kind))
}

/// A usual colour of this kind. Trees are mostly green; a white snowman's hat and scarf would not be seen.
fn colour(r: &mut Random, kind: Kind) -> Colour {
    if matches!(kind, Kind::Tree | Kind::Pine) && r.percent(40) {
        return Colour::Green;
    }
    let usual =
        |colour: &Colour| !HELD_OUT.contains(&(kind, *colour)) && (kind, *colour) != (Kind::Snowman, Colour::White);
    let colours: Vec<_> = Colour::HUES.iter().chain(kind.more_colours()).copied().filter(usual).collect();
    r.pick(&colours)
}

fn one(r: &mut Random, (kind, colour): (Kind, Colour), count: u8) -> Group {
    let size = r.weighted([(Some(Size::Small), 20), (None, 55), (Some(Size::Big), 25)]);
    Group { kind, colour, count, size }
}

fn some(r: &mut Random, pair: (Kind, Colour)) -> Group {
    let count = r.weighted([(1, 62), (2, 23), (3, 15)]);
    one(r, pair, count)
}

/// Two different things. Fish mostly meet fish; what flies is mostly above what does not.
fn two(r: &mut Random, first: (Kind, Colour)) -> (Vec<Group>, Option<Relation>) {
    let swims = |kind: Kind| kind.habit() == Habit::Swims;
    let flies = |kind: Kind| kind.habit() == Habit::Flies;
    let mut meet = Kind::ALL.to_vec();
    meet.retain(|kind| swims(*kind) == swims(first.0) || r.percent(30));
    let mut second = any(r, &meet);
    while second == first {
        second = any(r, &Kind::ALL);
    }
    let mut pairs = [first, second];
    let mut relation = r.weighted([(Relation::LeftOf, 1), (Relation::RightOf, 1), (Relation::NextTo, 2)]);
    if flies(first.0) != flies(second.0) && r.percent(75) {
        relation = Relation::Above;
        pairs.sort_by_key(|(kind, _)| !flies(*kind));
    }
    (pairs.map(|pair| one(r, pair, 1)).to_vec(), Some(relation))
}

/// A place where these things can be.
fn place(r: &mut Random, groups: &[Group]) -> Place {
    use Place::{City, Desert, Forest, Hills, Meadow, Mountains, Sea, Snow, Space, Underwater};
    let has = |kind: Kind| groups.iter().any(|group| group.kind == kind);
    let all = |is: fn(Kind) -> bool| groups.iter().all(|group| is(group.kind));
    if has(Kind::Sailboat) {
        Sea
    } else if has(Kind::Fish) {
        Underwater
    } else if all(|kind| kind == Kind::Rocket) {
        r.pick(&[Space, Space, Hills, Mountains, City, Desert, Sea, Meadow])
    } else if has(Kind::Snowman) {
        r.pick(&[Snow, Snow, Snow, Hills, Forest, Mountains])
    } else if all(|kind| kind.habit() == Habit::Flies) {
        r.pick(&[Hills, Mountains, Sea, Meadow, Snow, Desert, Forest, City, Space])
    } else {
        r.pick(&[Hills, Mountains, Sea, Meadow, Snow, Desert, Forest, City])
    }
}
