use super::*;
use crate::weights::header::{self, ParseError};
use proptest::prelude::*;

/// A header of its own making, so that every field can be wrong.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn start(tensors: u64, keys: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(3).u64(tensors).u64(keys)
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn text(mut self, text: &[u8]) -> Self {
        self = self.u64(text.len() as u64);
        self.0.extend(text);
        self
    }

    fn tensor(self, name: &str, dimensions: &[u64], format: u32, offset: u64) -> Self {
        let start = self.text(name.as_bytes()).u32(dimensions.len() as u32);
        dimensions.iter().fold(start, |bytes, &d| bytes.u64(d)).u32(format).u64(offset)
    }

    /// Pads to the alignment and adds `length` bytes of data.
    fn data(mut self, length: usize) -> Self {
        let start = self.0.len().next_multiple_of(32);
        self.0.resize(start + length, 0);
        self
    }

    fn error(&self) -> WeightsError {
        open(&self.0).err().expect("an error")
    }

    fn malformed(&self, reason: &str) {
        match self.error() {
            WeightsError::Malformed { reason: actual, .. } => {
                assert!(actual.contains(reason), "{actual:?}: {reason:?}")
            }
            error => panic!("{error}"),
        }
    }

    fn truncated(&self) {
        let error = self.error();
        assert!(matches!(error, WeightsError::Truncated { .. }), "{error}");
    }
}

#[test]
fn no_gguf_file_is_said_to_be_none() {
    Bytes::default().truncated();
    Bytes(b"GG".to_vec()).truncated();
    Bytes(b"PK\x03\x04 some other kind of file".to_vec()).malformed("not with \"GGUF\"");
    Bytes(b"GGUF".to_vec()).u32(1).u64(0).u64(0).malformed("version is 1");
    Bytes(b"GGUF".to_vec()).u32(4).u64(0).u64(0).malformed("version is 4");
    Bytes(b"GGUF\0\0\0\x03".to_vec()).u64(0).u64(0).malformed("big-endian");
}

#[test]
fn counts_and_lengths_are_held_against_the_file() {
    for count in [2, 1 << 20, 1 << 40, u64::MAX] {
        Bytes::start(count, 0).malformed("tensors");
        Bytes::start(0, count).malformed("metadata entries");
    }
    for length in [100, 1 << 40, u64::MAX - 3, u64::MAX] {
        Bytes::start(0, 1).u64(length).data(64).truncated();
        Bytes::start(0, 1).text(b"k").u32(8).u64(length).data(64).truncated();
        // An array of bytes, of 8-byte numbers, of texts, of arrays.
        Bytes::start(0, 1).text(b"k").u32(9).u32(0).u64(length).data(64).truncated();
        Bytes::start(0, 1).text(b"k").u32(9).u32(10).u64(length).data(64).truncated();
        Bytes::start(0, 1).text(b"k").u32(9).u32(8).u64(length).data(64).malformed("texts");
        Bytes::start(0, 1).text(b"k").u32(9).u32(9).u64(length).data(64).malformed("arrays");
    }
}

#[test]
fn headers_have_a_largest_length() {
    // A file that is large enough for what it claims, without being there.
    let bytes = Bytes::start(0, 1).text(b"k").u32(8).u64(1 << 30).0;
    let Err(ParseError::Failed(error)) = header::parse("test.gguf", &bytes, 1 << 40) else { panic!("no error") };
    assert!(error.to_string().contains("64 MiB"), "{error}");
}

#[test]
fn arrays_are_not_nested_without_end() {
    let nested = (0..100_000).fold(Bytes::start(0, 1).text(b"k").u32(9), |bytes, _| bytes.u32(9).u64(1));
    nested.data(64).malformed("nested");
}

#[test]
fn metadata_must_make_sense() {
    Bytes::start(0, 1).text(b"k").u32(13).data(64).malformed("type 13");
    Bytes::start(0, 1).text(b"k\xff").u32(4).u32(0).data(64).malformed("UTF-8");
    Bytes::start(0, 2).text(b"k").u32(4).u32(0).text(b"k").u32(4).u32(0).data(64).malformed("twice");
    for alignment in [0, 3, 48, 1 << 21] {
        let bytes = Bytes::start(0, 1).text(b"general.alignment").u32(4).u32(alignment);
        bytes.data(64).malformed("general.alignment");
    }
    Bytes::start(0, 1).text(b"general.alignment").u32(8).text(b"32").data(64).malformed("general.alignment");
}

#[test]
fn tensors_must_make_sense() {
    let one = |dimensions: &[u64], format, offset| Bytes::start(1, 0).tensor("t", dimensions, format, offset).data(256);
    open(&one(&[8, 8], 0, 0).0).unwrap();
    one(&[1, 1, 1, 1, 1], 0, 0).malformed("5 dimensions");
    one(&[8, 0], 0, 0).malformed("dimension of 0");
    one(&[33], 8, 0).malformed("whole Q8_0 blocks");
    one(&[1 << 40], 0, 0).malformed("rows of");
    one(&[u64::MAX - 31], 8, 0).malformed("rows of");
    one(&[1 << 20, 1 << 30, 1 << 30], 0, 0).malformed("larger than can be addressed");
    one(&[8, 8], 0, 4).malformed("not aligned");
    one(&[8, 8], 0, u64::MAX - 31).malformed("beyond any file");
    one(&[8, 8], 0, 32).truncated();
    one(&[8, 9], 0, 0).truncated();
    let error = one(&[8, 8], 3, 0).error();
    assert!(matches!(&error, WeightsError::UnsupportedFormat { tensor, .. } if tensor == "t"), "{error}");
    let two =
        |second: &str, offset| Bytes::start(2, 0).tensor("t", &[8, 8], 0, 0).tensor(second, &[8], 0, offset).data(512);
    open(&two("u", 256).0).unwrap();
    two("t", 256).malformed("twice");
    two("u", 224).malformed("overlap");
    two("u", 0).malformed("overlap");
}

#[test]
fn tensors_come_in_the_order_of_their_data() {
    let bytes = Bytes::start(2, 0).tensor("late", &[8], 0, 32).tensor("early", &[8], 0, 0).data(64);
    let names: Vec<_> = open(&bytes.0).unwrap().tensors().iter().map(|t| t.name.clone()).collect();
    assert_eq!(names, ["early", "late"]);
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    // The last tensor's end; what follows is padding.
    let end = open(FIXTURE).unwrap().tensors().iter().map(|t| t.offset + t.bytes()).max().unwrap() as usize;
    for length in 0..end {
        let error = open(&FIXTURE[..length]).err().unwrap_or_else(|| panic!("opened with {length} bytes"));
        let expected = matches!(error, WeightsError::Truncated { .. } | WeightsError::Malformed { .. });
        assert!(expected, "{length} bytes: {error}");
    }
}

/// Reads everything that a file claims to hold.
fn read_all(bytes: &[u8]) {
    if let Ok(mut weights) = open(bytes) {
        let mut total = 0;
        let result = block_on(weights.stream(&mut |piece| {
            total += piece.bytes.len();
            let _ = piece.tensor.format.dequantise(piece.bytes, &mut Vec::new());
            Ok(())
        }));
        result.unwrap();
        assert!(total <= bytes.len());
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes);
    }

    #[test]
    fn any_bytes_after_the_magic_do(bytes in proptest::collection::vec(any::<u8>(), 0..400), tensors in 0u64..4, keys in 0u64..4) {
        let mut file = Bytes::start(tensors, keys).0;
        file.extend(bytes);
        read_all(&file);
    }

    #[test]
    fn mutated_files_do(changes in proptest::collection::vec((0usize..1000, any::<u8>()), 1..6)) {
        let mut bytes = FIXTURE.to_vec();
        for (at, value) in changes {
            bytes[at] = value;
        }
        read_all(&bytes);
    }

    #[test]
    fn what_is_written_is_read(
        rows in 1usize..5,
        blocks in 1usize..4,
        names in proptest::collection::hash_set("[a-zäß.]{0,12}", 1..12),
        text in ".{0,40}",
        scale in 1e-3f32..1e3,
    ) {
        // With half a quant of the block's largest value, and the scale's own rounding.
        let formats = [
            (BlockFormat::F32, 0.0),
            (BlockFormat::F16, 1e-3),
            (BlockFormat::Bf16, 8e-3),
            (BlockFormat::Q8_0, 6e-3),
            (BlockFormat::Q4_0, 0.14),
            (BlockFormat::Q5_0, 0.07),
            (BlockFormat::Q4K, 0.14),
            (BlockFormat::Q5K, 0.07),
            (BlockFormat::Q6K, 0.04),
        ];
        let columns = blocks * 256;
        let values: Vec<f32> = (0..rows * columns).map(|i| (i as f32 * 12.9898).sin() * scale).collect();
        let mut metadata = Metadata::new("test");
        metadata.set("text", text.as_str());
        let mut writer = GgufWriter::new("test.gguf", metadata.clone());
        for (i, name) in names.iter().enumerate() {
            writer.declare(name, &[rows, columns], formats[i % 9].0).unwrap();
        }
        let mut body = writer.begin(Vec::new()).unwrap();
        for _ in &names {
            body.rows(&values).unwrap();
        }
        let mut weights = open(&body.finish().unwrap()).unwrap();
        prop_assert_eq!(weights.metadata(), &metadata);
        for (i, name) in names.iter().enumerate() {
            let all: Vec<u32> = (0..rows as u32).collect();
            let read = block_on(weights.read_rows(name, &all)).unwrap();
            let (format, tolerance) = formats[i % 9];
            for (a, b) in read.iter().zip(&values) {
                prop_assert!((a - b).abs() <= tolerance * scale, "{name} {format}: {a} for {b}");
            }
        }
    }
}
