//! The things of a scene. Each is drawn with its foot at (0, 0), 1 high, y downwards, looking to the right.

mod aloft;
mod animals;
mod buildings;
mod plants;
mod shelters;
mod snowman;
mod vehicles;
mod windmill;

use super::kind::Kind;
use super::paint::{Pen, Rgb};

const WOOD: Rgb = Rgb(134.0, 92.0, 62.0);
const CREAM: Rgb = Rgb(250.0, 240.0, 218.0);
const GLASS: Rgb = Rgb(176.0, 220.0, 240.0);
const LAMP: Rgb = Rgb(255.0, 226.0, 120.0);
const SLATE: Rgb = Rgb(84.0, 78.0, 100.0);
const INK: Rgb = Rgb(44.0, 38.0, 52.0);
const FLAG: Rgb = Rgb(228.0, 72.0, 62.0);

/// Draws one thing in this colour; `lamps` says whether its lamps and windows are lit.
pub(super) fn draw(pen: &mut Pen<'_>, kind: Kind, colour: Rgb, lamps: bool) {
    match kind {
        Kind::House => buildings::house(pen, colour, lamps),
        Kind::Castle => buildings::castle(pen, colour, lamps),
        Kind::Lighthouse => buildings::lighthouse(pen, colour, lamps),
        Kind::Tent => shelters::tent(pen, colour, lamps),
        Kind::Mushroom => shelters::mushroom(pen, colour),
        Kind::Pine => plants::pine(pen, colour),
        Kind::Tree => plants::tree(pen, colour),
        Kind::Flower => plants::flower(pen, colour),
        Kind::Car => vehicles::car(pen, colour, lamps),
        Kind::Sailboat => vehicles::sailboat(pen, colour, lamps),
        Kind::Rocket => vehicles::rocket(pen, colour),
        Kind::Cat => animals::cat(pen, colour),
        Kind::Fish => animals::fish(pen, colour),
        Kind::Duck => animals::duck(pen, colour),
        Kind::Snowman => snowman::snowman(pen, colour),
        Kind::Balloon => aloft::balloon(pen, colour, lamps),
        Kind::Kite => aloft::kite(pen, colour),
        Kind::Windmill => windmill::windmill(pen, colour, lamps),
    }
}
