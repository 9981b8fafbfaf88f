//! The model's files, read through JavaScript: where the bytes lie (network, Blob, storage) is the page's business.

use crate::cascade::{CascadeError, ModelFiles};
use crate::weights::{Source, WeightsError};
use async_trait::async_trait;
use js_sys::{Error, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
/** Random access to the files of a model, by their plain names. */
export interface ModelSource {
  /** Bytes of a file. Rejects with a message for the user where there is none. */
  size(file: string): Promise<number>;
  /** `length` bytes from `offset`. */
  read(file: string, offset: number, length: number): Promise<Uint8Array>;
}
";

#[wasm_bindgen]
extern "C" {
    /// A JavaScript object with `size(file)` and `read(file, offset, length)`, both returning promises.
    #[derive(Clone, Debug)]
    #[wasm_bindgen(typescript_type = "ModelSource")]
    pub type JsFiles;

    #[wasm_bindgen(method, catch)]
    async fn size(this: &JsFiles, file: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn read(this: &JsFiles, file: &str, offset: f64, length: f64) -> Result<JsValue, JsValue>;
}

#[async_trait(?Send)]
impl ModelFiles for JsFiles {
    fn location(&self) -> String {
        "the page's model".to_owned()
    }

    async fn open(&self, name: &str) -> Result<Box<dyn Source>, CascadeError> {
        let fail = |reason: String| CascadeError::File { name: name.to_owned(), reason };
        let size = self.size(name).await.map_err(|error| fail(message(&error)))?;
        let size = size.as_f64().filter(|size| size.is_finite() && *size >= 0.0);
        let size = size.ok_or_else(|| fail("its size is not a number".to_owned()))?;
        // A whole number below 2^53.
        Ok(Box::new(JsSource { files: self.clone(), name: name.to_owned(), size: size as u64 }))
    }
}

/// One of the files.
struct JsSource {
    files: JsFiles,
    name: String,
    size: u64,
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
        let fail = |reason: String| WeightsError::Read { name: self.name.clone(), reason };
        let value = self.files.read(&self.name, offset as f64, length as f64).await;
        let value = value.map_err(|error| fail(message(&error)))?;
        let bytes = value.dyn_into::<Uint8Array>().map_err(|_| fail("the page gave no bytes".to_owned()))?;
        if bytes.length() as usize != length {
            let expected = offset + length as u64;
            let actual = offset + u64::from(bytes.length());
            return Err(WeightsError::Truncated { name: self.name.clone(), expected, actual });
        }
        Ok(bytes.to_vec())
    }
}

/// The message of whatever JavaScript threw.
pub(super) fn message(error: &JsValue) -> String {
    match error.dyn_ref::<Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    }
}
