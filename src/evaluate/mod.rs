//! How well a cascade's pictures show what their captions say: the storybook's adherence score.
//!
//! A [`Judge`] is a small convolutional network that says of a picture of 64×64 pixels what is in it: how many things and how they
//! stand ([`Layout`]), kind and colour of each, place, time and weather. It learns that from the renders of
//! [`dataset`](crate::dataset), those of the held-out pairs too: it judges what a model composes of them. Its [`Reading`] of a
//! picture is compared with what the caption tells ([`Told`](crate::dataset::Told)), [`Attribute`] by attribute, and its own
//! accuracy, the score of true renders, stands beside every score.

mod error;
mod example;
mod judge;
mod judged;
mod layout;
mod learn;
mod network;
mod reading;
mod samples;
mod score;
mod sheet;
#[cfg(test)]
mod tests;

pub use error::EvaluateError;
pub use judge::{About, Judge};
pub use judged::Judged;
pub use layout::Layout;
pub use learn::{Lesson, Progress, train};
pub use network::SIZE;
pub use reading::{Reading, Seen};
pub use samples::{Composition, Samples};
pub use score::{Attribute, Marks, Section, Share, Tally, mark};
pub use sheet::sheet;
