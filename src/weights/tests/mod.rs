//! Tests of the weights files: against the `gguf` package (fixtures of `tests/reference/gguf_files.py`), against
//! llama.cpp's quantisers (`tests/reference/block_error.py`), and on any bytes and values.

mod blocks;
mod formats;
mod load;
mod malformed;
mod pieces;
mod stream;

use super::*;
use pollster::block_on;

const FIXTURE: &[u8] = include_bytes!("../../../tests/fixtures/formats.gguf");

fn open(bytes: &[u8]) -> Result<Weights, WeightsError> {
    block_on(Weights::open(Box::new(MemorySource::new("test.gguf", bytes.to_vec()))))
}

/// A file of F32 tensors, written by our own writer.
fn file(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
    let mut writer = GgufWriter::new("test.gguf", Metadata::new("test"));
    for (name, shape, _) in tensors {
        writer.declare(name, shape, BlockFormat::F32).unwrap();
    }
    let mut body = writer.begin(Vec::new()).unwrap();
    for (_, _, values) in tensors {
        body.rows(values).unwrap();
    }
    body.finish().unwrap()
}
