//! The commands of `imagen`.
