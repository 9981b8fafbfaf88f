use super::*;
use sha2::{Digest, Sha256};

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn drain(weights: &mut Weights) -> Result<usize, WeightsError> {
    let mut pieces = 0;
    block_on(weights.stream(&mut |_| {
        pieces += 1;
        Ok(())
    }))?;
    Ok(pieces)
}

#[test]
fn the_expected_file_passes() {
    let mut weights = open(FIXTURE).unwrap();
    weights.expect(FIXTURE.len() as u64, &sha256(FIXTURE).to_uppercase());
    assert_eq!(drain(&mut weights).unwrap(), weights.tensors().len());
}

#[test]
fn every_changed_byte_is_found() {
    let expected = sha256(FIXTURE);
    // Text of the metadata, padding behind the header, values, the last byte.
    let text = FIXTURE.windows(10).position(|window| window == b"lighthouse").unwrap();
    let data = open(FIXTURE).unwrap().tensors()[0].offset as usize;
    for at in [text, data - 1, 3000, FIXTURE.len() - 1] {
        let mut bytes = FIXTURE.to_vec();
        bytes[at] ^= 1;
        let mut weights = open(&bytes).unwrap_or_else(|error| panic!("byte {at}: {error}"));
        weights.expect(FIXTURE.len() as u64, &expected);
        let error = drain(&mut weights).unwrap_err();
        assert!(matches!(error, WeightsError::WrongHash { .. }), "byte {at}: {error}");
    }
}

#[test]
fn the_hash_is_checked_where_few_tensors_are_wanted() {
    let mut bytes = FIXTURE.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let mut weights = open(&bytes).unwrap();
    weights.expect(FIXTURE.len() as u64, &sha256(FIXTURE));
    let mut seen = Vec::new();
    let result = block_on(weights.stream_where(&|name| name == "bias", &mut |piece| {
        seen.push(piece.tensor.name.clone());
        Ok(())
    }));
    assert!(matches!(result, Err(WeightsError::WrongHash { .. })));
    assert_eq!(seen, ["bias"]);
}

#[test]
fn another_size_is_an_error_before_anything_is_read() {
    for (size, truncated) in [(FIXTURE.len() as u64 + 1, true), (FIXTURE.len() as u64 - 1, false)] {
        let mut weights = open(FIXTURE).unwrap();
        weights.expect(size, &sha256(FIXTURE));
        match block_on(weights.stream(&mut |_| panic!("a piece of a wrong file"))).unwrap_err() {
            WeightsError::Truncated { expected, .. } => assert!(truncated && expected == size),
            WeightsError::WrongSize { expected, .. } => assert!(!truncated && expected == size),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn another_architecture_is_an_error() {
    let weights = open(FIXTURE).unwrap();
    weights.require_architecture("test").unwrap();
    let error = weights.require_architecture("t5encoder").unwrap_err();
    assert!(matches!(&error, WeightsError::WrongArchitecture { actual, .. } if actual == "test"), "{error}");
    assert!(error.to_string().contains("t5encoder"));
}

#[test]
fn pieces_are_whole_rows_of_at_most_16_mib() {
    // 5 MiB rows: three fit into a piece.
    let columns = (5 << 20) / 4;
    let values: Vec<f32> = (0..4 * columns).map(|i| i as f32).collect();
    let bytes = file(&[("bias", &[3], &[1.0, 2.0, 3.0]), ("large", &[4, columns], &values)]);
    let mut weights = open(&bytes).unwrap();
    let mut pieces = Vec::new();
    let mut all = Vec::new();
    block_on(weights.stream(&mut |piece| {
        assert_eq!(piece.bytes.len(), piece.rows * piece.tensor.row_bytes());
        pieces.push((piece.tensor.name.clone(), piece.first_row, piece.rows));
        if piece.tensor.name == "large" {
            piece.tensor.format.dequantise(piece.bytes, &mut all).unwrap();
        }
        Ok(())
    }))
    .unwrap();
    assert_eq!(pieces, [("bias".into(), 0, 1), ("large".into(), 0, 3), ("large".into(), 3, 1)]);
    assert!(all == values);
}

#[test]
fn the_visitor_stops_the_stream() {
    let mut weights = open(FIXTURE).unwrap();
    let mut pieces = 0;
    let result = block_on(weights.stream(&mut |_| {
        pieces += 1;
        Err(WeightsError::Cancelled)
    }));
    assert!(matches!(result, Err(WeightsError::Cancelled)) && pieces == 1);
}

#[test]
fn rows_that_are_not_there_are_errors() {
    let mut weights = open(FIXTURE).unwrap();
    let error = block_on(weights.read_rows("cube", &[0, 6])).unwrap_err();
    assert!(matches!(error, WeightsError::Shape { .. }), "{error}");
    let error = block_on(weights.read_rows("sphere", &[0])).unwrap_err();
    assert!(matches!(&error, WeightsError::MissingTensor { tensor, .. } if tensor == "sphere"), "{error}");
}

#[test]
fn files_on_disk_are_read_and_missing_ones_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("some.gguf");
    let error = FileSource::open(&path).err().unwrap();
    assert!(matches!(&error, WeightsError::Read { name, .. } if name.ends_with("some.gguf")), "{error}");
    std::fs::write(&path, FIXTURE).unwrap();
    let mut weights = block_on(Weights::open(Box::new(FileSource::open(&path).unwrap()))).unwrap();
    weights.expect(FIXTURE.len() as u64, &sha256(FIXTURE));
    assert_eq!(drain(&mut weights).unwrap(), 12);
    // The file shrinks while it is open.
    std::fs::write(&path, &FIXTURE[..2000]).unwrap();
    assert!(matches!(drain(&mut weights), Err(WeightsError::Read { .. })));
}

#[test]
fn the_writer_refuses_what_does_not_fit() {
    let mut writer = GgufWriter::new("test.gguf", Metadata::new("test"));
    writer.declare("a", &[2, 32], BlockFormat::Q8_0).unwrap();
    for (name, shape) in [("a", &[32][..]), ("b", &[2, 33]), ("b", &[0, 32]), ("b", &[]), ("b", &[1, 1, 1, 1, 32])] {
        let error = writer.declare(name, shape, BlockFormat::Q8_0).unwrap_err();
        assert!(matches!(error, WeightsError::Malformed { .. }), "{error}");
    }
    let mut body = writer.begin(Vec::new()).unwrap();
    assert!(matches!(body.rows(&[0.0; 96]), Err(WeightsError::Malformed { .. })));
    assert!(matches!(body.bytes(&[0; 33]), Err(WeightsError::Malformed { .. })));
    body.rows(&[0.0; 32]).unwrap();
    let error = body.finish().unwrap_err();
    assert!(error.to_string().contains("tensor a"), "{error}");
}
