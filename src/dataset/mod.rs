//! Procedural data sets: storybook scenes, drawn with `tiny-skia` at any size, with captions and metadata.
//!
//! A [`Scene`] follows from a seed and an index: things with kind, colour, count, size and relation, a place, a time,
//! weather, where everything stands, and a caption. [`render()`] draws it, [`write()`] makes a data set of many. The
//! scenes are those that the storybook model was trained on: the same kinds, words and frequencies, drawn anew.

mod attributes;
mod backdrop;
mod caption;
mod error;
mod kind;
mod layout;
mod paint;
mod picture;
mod random;
mod record;
mod scene;
mod sheet;
mod things;
mod tokenizer;
mod told;
mod words;
mod write;

#[cfg(test)]
mod tests;

pub use attributes::{Place, Relation, Size, Time, Weather};
pub use error::DatasetError;
pub use kind::{Colour, HELD_OUT, Habit, Kind};
pub use layout::Item;
pub use picture::render;
pub use record::{Record, Things};
pub use scene::{Group, Pairs, Scene};
pub use sheet::contact_sheet;
pub use tokenizer::{TokenizerError, tokenizer};
pub use told::{Told, ToldThing, Unread};
pub use write::{Form, Order, vacant, write};

use std::ops::RangeInclusive;

/// Captions that [`tokenizer()`] counts the grammar's words in: the rarest are in hundreds of them.
pub const CAPTIONS: u64 = 50_000;

/// Sides, in pixels, that scenes are drawn for.
pub const SIZES: RangeInclusive<u32> = 64..=1024;
