//! Writing GGUF version 3: first the list of tensors, then their rows as they come.

use super::header::DEFAULT_ALIGNMENT;
use super::metadata::{Array, Metadata, Value};
use super::{BlockFormat, TensorInfo, WeightsError};
use std::io::Write;

/// Declares the tensors of a file; [`begin`](Self::begin) then writes the header and takes the values.
///
/// Nothing but the header and one piece of values stands in memory.
#[derive(Debug)]
pub struct GgufWriter {
    name: String,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    /// Length of the data so far, aligned.
    length: u64,
}

impl GgufWriter {
    /// A file called `name` (for messages) with this metadata and no tensors yet.
    pub fn new(name: impl Into<String>, metadata: Metadata) -> Self {
        Self { name: name.into(), metadata, tensors: Vec::new(), length: 0 }
    }

    /// Declares the next tensor; `shape` has the outermost dimension first.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`] for a shape that GGUF cannot hold, rows that are not whole blocks, or a name twice.
    pub fn declare(&mut self, name: &str, shape: &[usize], format: BlockFormat) -> Result<(), WeightsError> {
        let columns = shape.last().copied().unwrap_or(1);
        let fits = (1..=4).contains(&shape.len())
            && !shape.contains(&0)
            && format.row_bytes(columns).is_some()
            && self.tensors.iter().all(|tensor| tensor.name != name);
        if !fits {
            let reason = format!("tensor {name} of shape {shape:?} cannot be stored as {format}, or is there already");
            return Err(WeightsError::Malformed { name: self.name.clone(), reason });
        }
        let tensor = TensorInfo { name: name.to_owned(), shape: shape.to_vec(), format, offset: self.length };
        self.length = (self.length + tensor.bytes()).next_multiple_of(DEFAULT_ALIGNMENT);
        self.tensors.push(tensor);
        Ok(())
    }

    /// Bytes of all tensors declared so far, without the padding between them.
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().map(TensorInfo::bytes).sum()
    }

    /// Writes the header. The values follow through [`GgufBody`], tensor by tensor in the order of their declaration.
    ///
    /// # Errors
    /// [`WeightsError::Write`] with the system's reason.
    pub fn begin<W: Write>(self, out: W) -> Result<GgufBody<W>, WeightsError> {
        let mut header = Vec::new();
        header.extend(b"GGUF");
        header.extend(3u32.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.metadata.iter().len() as u64).to_le_bytes());
        for (key, value) in self.metadata.iter() {
            put_string(&mut header, key);
            put_value(&mut header, value);
        }
        for tensor in &self.tensors {
            put_string(&mut header, &tensor.name);
            header.extend((tensor.shape.len() as u32).to_le_bytes());
            header.extend(tensor.shape.iter().rev().flat_map(|&d| (d as u64).to_le_bytes()));
            header.extend(tensor.format.to_ggml().to_le_bytes());
            header.extend(tensor.offset.to_le_bytes());
        }
        header.resize(header.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
        let mut body = GgufBody { name: self.name, tensors: self.tensors, out, current: 0, written: 0 };
        body.put(&header)?;
        Ok(body)
    }
}

/// Takes the values of the declared tensors, in order.
#[derive(Debug)]
pub struct GgufBody<W: Write> {
    name: String,
    tensors: Vec<TensorInfo>,
    out: W,
    /// The tensor that is being written, and how many of its bytes are.
    current: usize,
    written: u64,
}

impl<W: Write> GgufBody<W> {
    /// The tensor whose rows come next; `None` when all are written.
    pub fn next(&self) -> Option<&TensorInfo> {
        self.tensors.get(self.current)
    }

    /// Writes the next rows of the current tensor in its format.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`] for more values than were declared or not whole rows, [`WeightsError::Write`].
    pub fn rows(&mut self, values: &[f32]) -> Result<(), WeightsError> {
        let Some(tensor) = self.next() else {
            return Err(self.malformed("more values come than tensors were declared"));
        };
        let bytes = tensor.format.quantise(values).map_err(|error| error.of(&tensor.name))?;
        self.bytes(&bytes)
    }

    /// Writes the next rows of the current tensor, already in its format.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), WeightsError> {
        let Some(tensor) = self.next() else {
            return Err(self.malformed("more values come than tensors were declared"));
        };
        let (row, whole) = (tensor.row_bytes(), tensor.bytes());
        let written = self.written + bytes.len() as u64;
        if !bytes.len().is_multiple_of(row) || written > whole {
            let reason = format!("{} bytes do not fit the rest of tensor {}", bytes.len(), tensor.name);
            return Err(self.malformed(&reason));
        }
        self.put(bytes)?;
        self.written = written;
        if written == whole {
            let padding = (whole.next_multiple_of(DEFAULT_ALIGNMENT) - whole) as usize;
            self.put(&[0; DEFAULT_ALIGNMENT as usize][..padding])?;
            self.current += 1;
            self.written = 0;
        }
        Ok(())
    }

    /// Flushes and hands the output back.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`] where values are still missing, [`WeightsError::Write`].
    pub fn finish(mut self) -> Result<W, WeightsError> {
        if let Some(tensor) = self.next() {
            let reason = format!("the values of tensor {} were not all written", tensor.name);
            return Err(self.malformed(&reason));
        }
        let flushed = self.out.flush();
        flushed.map_err(|error| self.unwritable(&error))?;
        Ok(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WeightsError> {
        let written = self.out.write_all(bytes);
        written.map_err(|error| self.unwritable(&error))
    }

    fn unwritable(&self, error: &std::io::Error) -> WeightsError {
        WeightsError::Write { name: self.name.clone(), reason: error.to_string() }
    }

    fn malformed(&self, reason: &str) -> WeightsError {
        WeightsError::Malformed { name: self.name.clone(), reason: reason.to_owned() }
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

macro_rules! put_scalar {
    ($out:expr, $id:expr, $value:expr) => {{
        $out.extend(u32::to_le_bytes($id));
        $out.extend($value.to_le_bytes());
    }};
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(v) => put_scalar!(out, 0, v),
        Value::I8(v) => put_scalar!(out, 1, v),
        Value::U16(v) => put_scalar!(out, 2, v),
        Value::I16(v) => put_scalar!(out, 3, v),
        Value::U32(v) => put_scalar!(out, 4, v),
        Value::I32(v) => put_scalar!(out, 5, v),
        Value::F32(v) => put_scalar!(out, 6, v),
        Value::Bool(v) => put_scalar!(out, 7, u8::from(*v)),
        Value::String(v) => {
            out.extend(8u32.to_le_bytes());
            put_string(out, v);
        }
        Value::Array(v) => {
            out.extend(9u32.to_le_bytes());
            put_array(out, v);
        }
        Value::U64(v) => put_scalar!(out, 10, v),
        Value::I64(v) => put_scalar!(out, 11, v),
        Value::F64(v) => put_scalar!(out, 12, v),
    }
}

macro_rules! put_numbers {
    ($out:expr, $id:expr, $values:expr) => {{
        $out.extend(u32::to_le_bytes($id));
        $out.extend(($values.len() as u64).to_le_bytes());
        $out.extend($values.iter().flat_map(|v| v.to_le_bytes()));
    }};
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    let head = |out: &mut Vec<u8>, id: u32| {
        out.extend(id.to_le_bytes());
        out.extend((array.len() as u64).to_le_bytes());
    };
    match array {
        Array::U8(v) => put_numbers!(out, 0, v),
        Array::I8(v) => put_numbers!(out, 1, v),
        Array::U16(v) => put_numbers!(out, 2, v),
        Array::I16(v) => put_numbers!(out, 3, v),
        Array::U32(v) => put_numbers!(out, 4, v),
        Array::I32(v) => put_numbers!(out, 5, v),
        Array::F32(v) => put_numbers!(out, 6, v),
        Array::U64(v) => put_numbers!(out, 10, v),
        Array::I64(v) => put_numbers!(out, 11, v),
        Array::F64(v) => put_numbers!(out, 12, v),
        Array::Bool(v) => {
            head(out, 7);
            out.extend(v.iter().map(|&b| u8::from(b)));
        }
        Array::String(v) => {
            head(out, 8);
            v.iter().for_each(|text| put_string(out, text));
        }
        Array::Array(v) => {
            head(out, 9);
            v.iter().for_each(|inner| put_array(out, inner));
        }
    }
}
