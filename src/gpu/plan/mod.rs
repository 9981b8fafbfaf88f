//! A network compiled into a flat list of dispatches.

mod tensor;

pub use tensor::{Shape, Tensor};
