//! What a scene can show: kinds of things, their colours, and the pairs of both that are kept for tests.

use serde::{Deserialize, Serialize};

/// A colour that captions name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Purple,
    Pink,
    White,
    Black,
    Brown,
}

impl Colour {
    pub const ALL: [Self; 10] = {
        use Colour::{Black, Blue, Brown, Green, Orange, Pink, Purple, Red, White, Yellow};
        [Red, Orange, Yellow, Green, Blue, Purple, Pink, White, Black, Brown]
    };

    /// What any thing may be painted in.
    pub const HUES: [Self; 8] = {
        use Colour::{Blue, Green, Orange, Pink, Purple, Red, White, Yellow};
        [Red, Orange, Yellow, Green, Blue, Purple, Pink, White]
    };

    /// The word of captions and metadata.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
            Self::White => "white",
            Self::Black => "black",
            Self::Brown => "brown",
        }
    }
}

/// Where a thing belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    Stands,
    /// Stands on land and floats at sea.
    Floats,
    Flies,
    Swims,
}

/// A kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    House,
    Castle,
    Lighthouse,
    Tent,
    Pine,
    Tree,
    Flower,
    Mushroom,
    Car,
    Cat,
    Snowman,
    Sailboat,
    Fish,
    Balloon,
    Rocket,
    Duck,
    Kite,
    Windmill,
}

impl Kind {
    /// Kinds of ordinary scenes.
    pub const ALL: [Self; 17] = [
        Self::House,
        Self::Castle,
        Self::Lighthouse,
        Self::Tent,
        Self::Pine,
        Self::Tree,
        Self::Flower,
        Self::Mushroom,
        Self::Car,
        Self::Cat,
        Self::Snowman,
        Self::Sailboat,
        Self::Fish,
        Self::Balloon,
        Self::Rocket,
        Self::Duck,
        Self::Kite,
    ];

    /// Kinds that ordinary scenes never show, and no model has learnt from them: to see how a new one is learnt.
    pub const NOVEL: [Self; 1] = [Self::Windmill];

    pub const fn habit(self) -> Habit {
        match self {
            Self::Balloon | Self::Rocket | Self::Kite => Habit::Flies,
            Self::Sailboat | Self::Duck => Habit::Floats,
            Self::Fish => Habit::Swims,
            _ => Habit::Stands,
        }
    }

    /// True where left and right make a difference that is drawn either way round.
    pub const fn turns(self) -> bool {
        matches!(self, Self::Car | Self::Cat | Self::Fish | Self::Duck | Self::Sailboat)
    }

    /// Width of what is drawn at a height of 1.
    pub const fn width(self) -> f32 {
        match self {
            Self::House => 1.04,
            Self::Castle => 1.13,
            Self::Lighthouse => 0.54,
            Self::Tent => 1.22,
            Self::Pine | Self::Flower => 0.66,
            Self::Tree | Self::Snowman => 0.86,
            Self::Mushroom => 0.95,
            Self::Car => 1.46,
            Self::Cat => 0.90,
            Self::Balloon => 0.74,
            Self::Sailboat => 1.00,
            Self::Fish => 1.30,
            Self::Rocket => 0.62,
            Self::Duck => 1.08,
            Self::Kite => 0.70,
            Self::Windmill => 0.76,
        }
    }

    /// Colours beyond [`Colour::HUES`].
    pub const fn more_colours(self) -> &'static [Colour] {
        match self {
            Self::Mushroom | Self::Duck => &[Colour::Brown],
            Self::Car => &[Colour::Black],
            Self::Cat => &[Colour::Black, Colour::Brown],
            _ => &[],
        }
    }

    /// What captions call one of them; a name that is there twice is twice as frequent.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::House => &["house", "house", "cottage"],
            Self::Castle => &["castle"],
            Self::Lighthouse => &["lighthouse"],
            Self::Tent => &["tent"],
            Self::Pine => &["pine tree", "pine tree", "fir tree", "pine"],
            Self::Tree => &["tree", "tree", "round tree", "leafy tree"],
            Self::Flower => &["flower"],
            Self::Mushroom => &["mushroom", "mushroom", "toadstool"],
            Self::Car => &["car"],
            Self::Cat => &["cat", "cat", "kitten"],
            Self::Snowman => &["snowman"],
            Self::Sailboat => &["sailing boat", "sailboat", "boat"],
            Self::Fish => &["fish"],
            Self::Balloon => &["hot-air balloon", "hot air balloon", "hot-air balloon", "balloon"],
            Self::Rocket => &["rocket", "rocket", "space rocket"],
            Self::Duck => &["duck"],
            Self::Kite => &["kite"],
            Self::Windmill => &["windmill"],
        }
    }

    /// What captions call several of them.
    pub const fn plurals(self) -> &'static [&'static str] {
        match self {
            Self::House => &["houses", "houses", "cottages"],
            Self::Castle => &["castles"],
            Self::Lighthouse => &["lighthouses"],
            Self::Tent => &["tents"],
            Self::Pine => &["pine trees", "fir trees", "pines"],
            Self::Tree => &["trees", "round trees", "leafy trees"],
            Self::Flower => &["flowers"],
            Self::Mushroom => &["mushrooms", "mushrooms", "toadstools"],
            Self::Car => &["cars"],
            Self::Cat => &["cats", "cats", "kittens"],
            Self::Snowman => &["snowmen"],
            Self::Sailboat => &["sailing boats", "sailboats", "boats"],
            Self::Fish => &["fish"],
            Self::Balloon => &["hot-air balloons", "hot air balloons", "balloons"],
            Self::Rocket => &["rockets", "rockets", "space rockets"],
            Self::Duck => &["ducks"],
            Self::Kite => &["kites"],
            Self::Windmill => &["windmills"],
        }
    }
}

/// Pairs that no scene for training shows, to see whether a model composes what it never saw together.
pub const HELD_OUT: [(Kind, Colour); 12] = [
    (Kind::Cat, Colour::Purple),
    (Kind::Rocket, Colour::Green),
    (Kind::Castle, Colour::Pink),
    (Kind::Fish, Colour::Orange),
    (Kind::Car, Colour::White),
    (Kind::House, Colour::Purple),
    (Kind::Mushroom, Colour::Blue),
    (Kind::Sailboat, Colour::Yellow),
    (Kind::Balloon, Colour::Red),
    (Kind::Duck, Colour::Green),
    (Kind::Flower, Colour::White),
    (Kind::Tent, Colour::Orange),
];
