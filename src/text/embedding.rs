//! A text embedding and its file.
//!
//! A safetensors file with `input_ids` `[tokens]` and `attention_mask` `[tokens]` (both I64, as transformers has them) and
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
        let complete = self.ids.len() == self.tokens && self.mask.len() == self.tokens;
        if !complete || self.tokens.checked_mul(self.d_model) != Some(self.values.len()) {
            let lengths = [self.ids.len(), self.mask.len(), self.values.len()];
            return Err(fail(format!("{} tokens of {} values, but {lengths:?} were given", self.tokens, self.d_model)));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Embedding {
        let values = (0..12).map(|i| i as f32 * 0.25 - 1.0).collect();
        Embedding { ids: vec![5, 1, 0], mask: vec![1, 1, 0], tokens: 3, d_model: 4, values }
    }

    /// A file of the given tensors, whose bytes are zero.
    fn file(tensors: &[(&str, Dtype, &[usize])]) -> Vec<u8> {
        let bytes = [0u8; 4096];
        let view = |&(name, dtype, shape): &(&str, Dtype, &[usize])| {
            let length = shape.iter().product::<usize>() * dtype.bitsize() / 8;
            (name.to_owned(), TensorView::new(dtype, shape.to_vec(), &bytes[..length]).unwrap())
        };
        safetensors::serialize(tensors.iter().map(view), None).unwrap()
    }

    #[test]
    fn what_was_saved_is_read() {
        let bytes = example().to_safetensors().unwrap();
        assert_eq!(Embedding::from_safetensors("a", &bytes).unwrap(), example());
    }

    #[test]
    fn the_names_and_types_are_those_of_transformers() {
        let bytes = example().to_safetensors().unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let found = ["input_ids", "attention_mask", "embedding"].map(|name| {
            let view = file.tensor(name).unwrap();
            (view.dtype(), view.shape().to_vec())
        });
        assert_eq!(found, [(Dtype::I64, vec![3]), (Dtype::I64, vec![3]), (Dtype::F32, vec![3, 4])]);
    }

    #[test]
    fn a_batch_of_one_in_half_precision_is_read() {
        let batch = file(&[
            ("input_ids", Dtype::I32, &[1, 3]),
            ("attention_mask", Dtype::BOOL, &[1, 3]),
            ("embedding", Dtype::F16, &[1, 3, 4]),
        ]);
        let read = Embedding::from_safetensors("a", &batch).unwrap();
        assert_eq!((read.tokens, read.d_model, read.values), (3, 4, vec![0.0; 12]));
    }

    #[test]
    fn a_bad_file_says_what_is_wrong() {
        let (ids, mask) = (("input_ids", Dtype::I64, [3].as_slice()), ("attention_mask", Dtype::I64, [3].as_slice()));
        let cases = [
            (vec![ids, mask], "tensor embedding is missing"),
            (vec![ids, mask, ("embedding", Dtype::F32, &[2, 3, 4])], "expected [tokens, d_model]"),
            (vec![ids, mask, ("embedding", Dtype::F32, &[5, 4])], "expected [5] as embedding has"),
            (vec![ids, mask, ("embedding", Dtype::F32, &[0, 4])], "empty"),
            (vec![ids, mask, ("embedding", Dtype::I64, &[3, 4])], "stored as I64"),
            (vec![mask, ("embedding", Dtype::F32, &[3, 4])], "tensor input_ids is missing"),
        ];
        for (tensors, reason) in cases {
            let error = Embedding::from_safetensors("mine.safetensors", &file(&tensors)).unwrap_err().to_string();
            assert!(error.contains("mine.safetensors") && error.contains(reason), "{error}");
        }
        let broken = Embedding { values: vec![f32::NAN; 12], ..example() }.to_safetensors().unwrap();
        assert!(Embedding::from_safetensors("a", &broken).unwrap_err().to_string().contains("not finite"));
        let odd = Embedding { mask: vec![2, 1, 0], ..example() }.to_safetensors().unwrap();
        assert!(Embedding::from_safetensors("a", &odd).unwrap_err().to_string().contains("0 and 1"));
    }

    #[test]
    fn fields_that_disagree_are_not_saved() {
        assert!(Embedding { tokens: 4, ..example() }.to_safetensors().is_err());
        assert!(Embedding { d_model: usize::MAX, ..example() }.to_safetensors().is_err());
    }

    proptest! {
        #[test]
        fn damaged_files_do_not_panic(at in 0usize..400, byte: u8, end in 0usize..400) {
            let mut bytes = example().to_safetensors().unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len().saturating_sub(end % 40));
            let _ = Embedding::from_safetensors("a", &bytes);
        }

        #[test]
        fn any_bytes_do_not_panic(bytes: Vec<u8>) {
            prop_assert!(Embedding::from_safetensors("a", &bytes).is_err());
        }
    }
}
