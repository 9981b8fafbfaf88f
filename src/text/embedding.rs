//! A text embedding and its file.
//!
//! A safetensors file with `input_ids` [tokens] and `attention_mask` [tokens] (both I64, as transformers has them) and
//! `embedding` [tokens, d_model] (F32), padding included. Reading also takes other integer and float types, and a
//! leading batch dimension of one, so that a file written by a few lines of Python loads as it is.

use super::TextError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// The text encoder's output for one prompt, padding included.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Token ids, `[tokens]`.
    pub ids: Vec<u32>,
    /// 1 for a token, 0 for padding, `[tokens]`.
    pub mask: Vec<u32>,
    pub tokens: usize,
    pub d_model: usize,
    /// `[tokens, d_model]`, row-major.
    pub values: Vec<f32>,
}

impl Embedding {
    /// The file's bytes.
    ///
    /// # Errors
    /// [`TextError::Embedding`] where the fields do not agree in length.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, TextError> {
        let fail = |reason: String| TextError::Embedding { name: "the embedding".to_owned(), reason };
        let whole = |values: &[u32]| values.iter().flat_map(|&v| i64::from(v).to_le_bytes()).collect::<Vec<u8>>();
        let (ids, mask) = (whole(&self.ids), whole(&self.mask));
        let values: Vec<u8> = self.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let (row, table) = (vec![self.tokens], vec![self.tokens, self.d_model]);
        let views = [
            ("input_ids", Dtype::I64, &row, &ids),
            ("attention_mask", Dtype::I64, &row, &mask),
            ("embedding", Dtype::F32, &table, &values),
        ];
        let views = views.map(|(name, dtype, shape, data)| {
            TensorView::new(dtype, shape.clone(), data).map(|view| (name, view)).map_err(|e| fail(e.to_string()))
        });
        let views = views.into_iter().collect::<Result<Vec<_>, _>>()?;
        safetensors::serialize(views, None).map_err(|e| fail(e.to_string()))
    }

    /// Reads a file's bytes; `name` is the file's, for error messages.
    ///
    /// # Errors
    /// [`TextError::Embedding`] that names the file and what is wrong with it.
    pub fn from_safetensors(name: &str, bytes: &[u8]) -> Result<Self, TextError> {
        read(bytes).map_err(|reason| TextError::Embedding { name: name.to_owned(), reason })
    }
}

/// [`Embedding::from_safetensors`] with the bare reason.
fn read(bytes: &[u8]) -> Result<Embedding, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let table = tensor(&file, "embedding")?;
    let &[tokens, d_model] = unbatched(table.shape(), 2) else {
        return Err(format!("embedding has shape {:?}, expected [tokens, d_model]", table.shape()));
    };
    if tokens == 0 || d_model == 0 {
        return Err(format!("embedding has shape {:?}, which is empty", table.shape()));
    }
    let values = floats(&table)?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err("embedding holds values that are not finite".to_owned());
    }
    let row = |name: &str| {
        let view = tensor(&file, name)?;
        match unbatched(view.shape(), 1) {
            &[length] if length == tokens => integers(&view, name),
            _ => Err(format!("{name} has shape {:?}, expected [{tokens}] as embedding has", view.shape())),
        }
    };
    let (ids, mask) = (row("input_ids")?, row("attention_mask")?);
    if mask.iter().any(|&value| value > 1) {
        return Err("attention_mask holds something other than 0 and 1".to_owned());
    }
    Ok(Embedding { ids, mask, tokens, d_model, values })
}

fn tensor<'a>(file: &SafeTensors<'a>, name: &str) -> Result<TensorView<'a>, String> {
    file.tensor(name).map_err(|_| format!("tensor {name} is missing"))
}

/// The shape without a leading batch dimension of one.
fn unbatched(shape: &[usize], rank: usize) -> &[usize] {
    match shape {
        [1, rest @ ..] if rest.len() == rank => rest,
        _ => shape,
    }
}

fn floats(view: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let data = view.data();
    let pairs = || data.chunks_exact(2).map(|b| [b[0], b[1]]);
    Ok(match view.dtype() {
        Dtype::F32 => data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        Dtype::F16 => pairs().map(|b| half::f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => pairs().map(|b| half::bf16::from_le_bytes(b).to_f32()).collect(),
        other => return Err(format!("embedding is stored as {other:?}, expected F32, F16 or BF16")),
    })
}

fn integers(view: &TensorView<'_>, name: &str) -> Result<Vec<u32>, String> {
    let width = match view.dtype() {
        Dtype::I64 | Dtype::U64 => 8,
        Dtype::I32 | Dtype::U32 => 4,
        Dtype::BOOL | Dtype::U8 => 1,
        other => return Err(format!("{name} is stored as {other:?}, expected I64")),
    };
    let value = |bytes: &[u8]| {
        // Little endian: what does not fit into 32 bits, negative numbers included, has something set above them.
        let mut wide = [0u8; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let value = u64::from_le_bytes(wide);
        u32::try_from(value).ok().filter(|&v| i32::try_from(v).is_ok())
    };
    let values = view.data().chunks_exact(width).map(value).collect::<Option<Vec<u32>>>();
    values.ok_or_else(|| format!("{name} holds a number out of range"))
}
