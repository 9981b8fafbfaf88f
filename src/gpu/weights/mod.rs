//! Packed weights in read-only GPU buffers, uploaded in pieces and left quantised.

mod layout;
mod repack;
mod stack;
mod streamed;
#[cfg(test)]
mod tests;
mod upload;

pub use layout::{GpuFormat, Layout};
pub use stack::Stack;
pub use streamed::StreamedWeights;
pub(super) use streamed::slots;
pub use upload::GpuWeights;

/// A weight as an operation under construction sees it.
#[derive(Clone, Debug)]
pub struct Weight {
    pub name: String,
    pub layout: Layout,
}
