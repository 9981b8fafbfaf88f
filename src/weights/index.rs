//! Which tensors there are, without their values: all that a plan needs to be built.

use super::{BlockFormat, Weights};
use std::collections::BTreeMap;

/// Names, shapes (as stored, outermost dimension first) and formats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightIndex(BTreeMap<String, (Vec<usize>, BlockFormat)>);

impl WeightIndex {
    /// An empty index, to be filled by [`insert`](Self::insert).
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor.
    pub fn insert(&mut self, name: impl Into<String>, shape: impl Into<Vec<usize>>, format: BlockFormat) {
        self.0.insert(name.into(), (shape.into(), format));
    }

    /// Shape and format of a tensor.
    pub fn get(&self, name: &str) -> Option<(&[usize], BlockFormat)> {
        self.0.get(name).map(|(shape, format)| (shape.as_slice(), *format))
    }

    /// True where there is such a tensor.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All tensors by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[usize], BlockFormat)> {
        self.0.iter().map(|(name, (shape, format))| (name.as_str(), shape.as_slice(), *format))
    }
}

impl From<&Weights> for WeightIndex {
    fn from(weights: &Weights) -> Self {
        let tensors = weights.tensors().iter();
        Self(tensors.map(|t| (t.name.clone(), (t.shape.clone(), t.format))).collect())
    }
}
