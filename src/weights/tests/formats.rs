use super::*;
use safetensors::SafeTensors;

const EXPECTED: &[u8] = include_bytes!("../../../tests/fixtures/formats.safetensors");
/// Formats that `gguf` writes.
const WRITTEN: [(&str, BlockFormat); 6] = [
    ("f32", BlockFormat::F32),
    ("f16", BlockFormat::F16),
    ("bf16", BlockFormat::Bf16),
    ("q8_0", BlockFormat::Q8_0),
    ("q4_0", BlockFormat::Q4_0),
    ("q5_0", BlockFormat::Q5_0),
];
/// Formats that it only reads.
const READ: [(&str, BlockFormat); 3] =
    [("q4_k", BlockFormat::Q4K), ("q5_k", BlockFormat::Q5K), ("q6_k", BlockFormat::Q6K)];

fn expected(name: &str) -> Vec<u8> {
    SafeTensors::deserialize(EXPECTED).unwrap().tensor(name).unwrap().data().to_vec()
}

fn floats(name: &str) -> Vec<f32> {
    expected(name).as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn values_equal_those_of_gguf_bit_for_bit() {
    let mut weights = open(FIXTURE).unwrap();
    for (name, format) in WRITTEN.into_iter().chain(READ) {
        let tensor = format!("{name}.weight");
        let info = weights.tensor(&tensor).unwrap();
        assert_eq!(info.format, format);
        let rows: Vec<u32> = (0..info.rows() as u32).collect();
        let values = block_on(weights.read_rows(&tensor, &rows)).unwrap();
        assert_eq!(bits(&values), bits(&floats(&format!("{name}.dequantised"))), "{name}");
    }
}

#[test]
fn blocks_equal_those_of_gguf_byte_for_byte() {
    for (name, format) in WRITTEN {
        let blocks = format.quantise(&floats(&format!("{name}.values"))).unwrap();
        assert_eq!(blocks, expected(&format!("{name}.stored")), "{name}");
    }
}

#[test]
fn what_is_read_and_written_again_is_the_file_of_gguf() {
    let mut weights = open(FIXTURE).unwrap();
    let mut writer = GgufWriter::new("test.gguf", weights.metadata().clone());
    for tensor in weights.tensors() {
        writer.declare(&tensor.name, &tensor.shape, tensor.format).unwrap();
    }
    let mut body = writer.begin(Vec::new()).unwrap();
    block_on(weights.stream(&mut |piece| body.bytes(piece.bytes))).unwrap();
    assert!(body.finish().unwrap() == FIXTURE, "our file differs from that of gguf");
}

#[test]
fn metadata_of_every_type_is_read() {
    let weights = open(FIXTURE).unwrap();
    let metadata = weights.metadata();
    assert_eq!(metadata.architecture(), "test");
    assert_eq!(metadata.u32("test.u8"), Some(200));
    assert_eq!(metadata.get("test.i8"), Some(&Value::I8(-100)));
    assert_eq!(metadata.u32("test.i8"), None, "negative");
    assert_eq!(metadata.u32("test.u16"), Some(60_000));
    assert_eq!(metadata.get("test.i16"), Some(&Value::I16(-30_000)));
    assert_eq!(metadata.u32("test.u32"), Some(4_000_000_000));
    assert_eq!(metadata.get("test.i32"), Some(&Value::I32(-2_000_000_000)));
    assert_eq!(metadata.get("test.u64"), Some(&Value::U64((1 << 63) + 1)));
    assert_eq!(metadata.u32("test.u64"), None, "too large");
    assert_eq!(metadata.get("test.i64"), Some(&Value::I64(-(1 << 62))));
    assert_eq!(metadata.f32("test.f32"), Some(1e-6));
    assert_eq!(metadata.f32("test.f64"), Some(0.1));
    assert_eq!(metadata.bool("test.bool"), Some(true));
    assert_eq!(metadata.string("test.string"), Some("Grüße, 世界"));
    assert_eq!(metadata.array("test.numbers"), Some(&Array::I32(vec![1, -2, 3])));
    assert_eq!(metadata.array("test.floats"), Some(&Array::F32(vec![0.5, -1.5])));
    let words = ["▁a", "", "lighthouse"].map(String::from).to_vec();
    assert_eq!(metadata.array("test.words"), Some(&Array::String(words)));
    assert_eq!(metadata.array("test.truths"), Some(&Array::Bool(vec![true, false])));
    assert_eq!(metadata.string("test.none"), None);
}

#[test]
fn shapes_have_the_outermost_dimension_first() {
    let mut weights = open(FIXTURE).unwrap();
    assert_eq!(weights.tensor("hypercube").unwrap().shape, [2, 3, 4, 5]);
    assert_eq!(weights.tensor("cube").unwrap().rows(), 6);
    let row = block_on(weights.read_rows("cube", &[5, 0])).unwrap();
    let all = floats("cube.values");
    assert_eq!(row, [&all[20..24], &all[..4]].concat());
    assert_eq!(weights.tensor("bias").unwrap().rows(), 1);
}

#[test]
fn version_2_is_the_same_layout() {
    let mut bytes = FIXTURE.to_vec();
    bytes[4] = 2;
    assert_eq!(open(&bytes).unwrap().tensors().len(), open(FIXTURE).unwrap().tensors().len());
}

#[test]
fn ragged_values_and_bytes_are_errors() {
    let ragged = |error| matches!(error, Err(FormatError::Ragged { .. }));
    assert!(ragged(BlockFormat::Q8_0.quantise(&[0.0; 33]).map(drop)));
    assert!(ragged(BlockFormat::Q4_0.dequantise(&[0; 17], &mut Vec::new())));
    assert!(ragged(BlockFormat::F32.dequantise(&[0; 3], &mut Vec::new())));
    assert!(ragged(BlockFormat::Q6K.dequantise(&[0; 209], &mut Vec::new())));
    assert!(ragged(BlockFormat::Q4K.quantise(&[0.0; 224]).map(drop)));
}

#[test]
fn ggml_types_map_both_ways() {
    for id in 0..1000 {
        match BlockFormat::from_ggml(id) {
            Ok(format) => assert_eq!(format.to_ggml(), id),
            Err(error) => assert_eq!(error, FormatError::Unknown(id)),
        }
    }
    assert_eq!((0..1000).filter(|&id| BlockFormat::from_ggml(id).is_ok()).count(), 9);
}
