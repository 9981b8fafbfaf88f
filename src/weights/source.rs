//! Where the bytes of a file come from: a file on disk, memory, or the browser's storage.

use super::WeightsError;
use async_trait::async_trait;

/// Random access to the bytes of one file, in pieces.
#[async_trait(?Send)]
pub trait Source {
    /// The file's name, for error messages.
    fn name(&self) -> &str;
    /// Length in bytes.
    fn len(&self) -> u64;
    /// True for a file of no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Exactly `length` bytes from `offset`, or an error.
    async fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, WeightsError>;
}
