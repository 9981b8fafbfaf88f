//! The whole of it: against the Python renderer that storybook was trained with, and against itself at other sizes.

mod disk;
mod grammar;
mod pictures;

use super::{Kind, Pairs, Place, Relation, Scene};
