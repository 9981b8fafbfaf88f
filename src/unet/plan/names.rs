//! Names of weights.

/// A module of the checkpoint, by its path.
pub(super) struct Names(String);

impl Names {
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The module's path.
    pub fn path(&self) -> &str {
        &self.0
    }

    pub fn child(&self, path: &str) -> Self {
        Self(self.of(path))
    }

    /// A tensor of the module.
    pub fn of(&self, name: &str) -> String {
        format!("{}.{name}", self.0)
    }
}
