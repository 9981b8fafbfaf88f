//! Several weights of a file in one GPU buffer, so that one dispatch does the work of several layers.

/// Weights with equal columns and format, whose rows lie one behind the other; or vectors, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// What the buffer is called: its members' names.
    pub name: String,
    /// Names of the file's tensors, in their order.
    pub members: Vec<String>,
}

impl Stack {
    pub fn new(members: &[&str]) -> Self {
        Self { name: members.join(" + "), members: members.iter().map(|&name| name.to_owned()).collect() }
    }
}
