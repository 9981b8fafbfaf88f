//! The model's files, read through JavaScript: where the bytes lie (network, storage, a folder of the user's) is the
//! page's business. The WASM heap holds one piece of a file at a time.

use super::error;
use crate::cascade::{CascadeError, ModelFiles};
use crate::weights::{self, Source, WeightsError};
use async_trait::async_trait;
use js_sys::{Error, Uint8Array};
use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::*;

/// What JavaScript is asked for at once.
const MAX_READ: usize = 16 << 20;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
/** Random access to the bytes of a file. */
export interface FileSource {
  readonly size: number;
  /** `length` bytes from `offset`; at most 16 MiB are asked for. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** The files of a model, by their plain names. */
export interface ModelSource {
  /** Rejects with a message for the user where there is no such file. */
  open(file: string): Promise<FileSource>;
}
";

#[wasm_bindgen]
extern "C" {
    /// A JavaScript object whose `open(file)` promises a [`JsFile`].
    #[derive(Clone, Debug)]
    #[wasm_bindgen(typescript_type = "ModelSource")]
    pub type JsFiles;

    #[wasm_bindgen(method, catch)]
    async fn open(this: &JsFiles, file: &str) -> Result<JsValue, JsValue>;

    /// A JavaScript object with `size` and `read(offset, length)`, which promises a `Uint8Array`.
    #[derive(Clone, Debug)]
    #[wasm_bindgen(typescript_type = "FileSource")]
    pub type JsFile;

    #[wasm_bindgen(method, getter, catch)]
    fn size(this: &JsFile) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn read(this: &JsFile, offset: f64, length: f64) -> Result<JsValue, JsValue>;
}

#[async_trait(?Send)]
impl ModelFiles for JsFiles {
    fn location(&self) -> String {
        "the page's model".to_owned()
    }

    async fn open(&self, name: &str) -> Result<Box<dyn Source>, CascadeError> {
        let fail = |reason: String| CascadeError::File { name: name.to_owned(), reason };
        let file = JsFiles::open(self, name).await.map_err(|error| fail(message(&error)))?;
        let source = JsSource::new(name.to_owned(), file.unchecked_into()).map_err(|reason| fail(reason.to_owned()))?;
        Ok(Box::new(source))
    }
}

/// Reads a file from its first byte to its last and compares it with its size and its SHA-256 (lower-case hexadecimal).
///
/// # Errors
/// `{ kind: "files", message }` where it is another file; for a file that cannot be read.
#[wasm_bindgen(js_name = verifyFile)]
pub async fn verify_file(name: String, file: JsFile, size: f64, sha256: String) -> Result<(), JsValue> {
    let mut source = JsSource::new(name, file).map_err(error::other)?;
    let result = weights::verify(&mut source, size as u64, &sha256).await;
    result.map_err(|error| error::to_js(&error.into(), false))
}

/// The SHA-256 of some bytes in lower-case hexadecimal, for a page over plain http, where the browser offers none.
#[wasm_bindgen]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// One of the files.
struct JsSource {
    file: JsFile,
    name: String,
    size: u64,
}

impl JsSource {
    fn new(name: String, file: JsFile) -> Result<Self, &'static str> {
        let size = file.size().ok().and_then(|size| size.as_f64());
        let size = size.filter(|size| size.is_finite() && *size >= 0.0).ok_or("its size is not a number")?;
        // A whole number below 2^53.
        Ok(Self { file, name, size: size as u64 })
    }
}

#[async_trait(?Send)]
impl Source for JsSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.size
    }

    async fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, WeightsError> {
        let truncated = |actual: u64| {
            let expected = offset.saturating_add(length as u64);
            WeightsError::Truncated { name: self.name.clone(), expected, actual }
        };
        if offset.checked_add(length as u64).is_none_or(|end| end > self.size) {
            return Err(truncated(self.size));
        }
        let fail = |reason: String| WeightsError::Read { name: self.name.clone(), reason };
        let mut bytes = vec![0; length];
        for (index, part) in bytes.chunks_mut(MAX_READ).enumerate() {
            let at = offset + (index * MAX_READ) as u64;
            let value = self.file.read(at as f64, part.len() as f64).await.map_err(|error| fail(message(&error)))?;
            let piece = value.dyn_into::<Uint8Array>().map_err(|_| fail("the page gave no bytes".to_owned()))?;
            if piece.length() as usize != part.len() {
                return Err(truncated(at + u64::from(piece.length())));
            }
            piece.copy_to(part);
        }
        Ok(bytes)
    }
}

/// The message of whatever JavaScript threw.
pub(super) fn message(error: &JsValue) -> String {
    match error.dyn_ref::<Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    }
}
