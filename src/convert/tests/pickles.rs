//! Weights as `torch.save` writes them (`tests/reference/pickles.py`), whole and damaged.

use super::*;
use crate::convert::checkpoint::Checkpoint;
use proptest::prelude::*;

const UNET: &[u8] = include_bytes!("../../../tests/fixtures/pytorch/unet/diffusion_pytorch_model.bin");
const LEGACY: &[u8] = include_bytes!("../../../tests/fixtures/pytorch/super_res_1/diffusion_pytorch_model.bin");
const NETWORKS: [&str; 3] = ["text_encoder", "unet", "super_res_1"];

/// The cascade with its weights as pickles only.
fn pickled() -> Cascade {
    let cascade = Cascade::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch");
    for network in NETWORKS {
        for entry in fs::read_dir(cascade.source().join(network)).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains("safetensors") {
                fs::remove_file(path).unwrap();
            }
        }
        copy(&fixtures.join(network), &cascade.source().join(network));
    }
    cascade
}

fn networks(cascade: &Cascade) -> Vec<Vec<u8>> {
    ["text_encoder", "unet", "super_res_32"]
        .map(|network| fs::read(cascade.out().join(format!("{network}.gguf"))).unwrap())
        .into()
}

#[test]
fn pickles_convert_to_the_same_files_as_safetensors() {
    let (expected, cascade) = (Cascade::new(), pickled());
    expected.convert().unwrap();
    cascade.convert().unwrap();
    assert_eq!(cascade.manifest(), expected.manifest());
    assert_eq!(networks(&cascade), networks(&expected));
}

#[test]
fn other_names_of_pickles_are_found() {
    let expected = pickled();
    expected.convert().unwrap();
    for name in ["fp16.bin", "bf16.bin", "pt", "ckpt"].map(|end| format!("diffusion_pytorch_model.{end}")) {
        let cascade = pickled();
        let folder = cascade.source().join("unet");
        fs::rename(folder.join("diffusion_pytorch_model.bin"), folder.join(&name)).unwrap();
        cascade.convert().unwrap();
        assert_eq!(networks(&cascade), networks(&expected), "{name}");
    }
}

#[test]
fn of_several_variants_the_known_one_is_taken() {
    let cascade = pickled();
    let file = |variant: &str| cascade.source().join(format!("unet/diffusion_pytorch_model.{variant}bin"));
    fs::rename(file(""), file("bf16.")).unwrap();
    fs::write(file("int8."), b"damaged").unwrap();
    let error = cascade.convert().unwrap_err().to_string();
    assert!(error.contains("bf16, int8"), "{error}");
    fs::rename(file("bf16."), file("fp16.")).unwrap();
    cascade.convert().unwrap();
}

#[test]
fn safetensors_are_preferred() {
    let cascade = Cascade::new();
    cascade.write("unet/diffusion_pytorch_model.bin", b"damaged");
    cascade.convert().unwrap();
}

/// Opens a file and reads all that it claims to hold; the error says which file it is.
fn read_all(bytes: &[u8]) -> Result<usize, ConvertError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pytorch_model.bin"), bytes).unwrap();
    let mut total = 0;
    let mut read = || {
        let mut checkpoint = Checkpoint::open(folder.path(), "model")?;
        for name in checkpoint.names().map(str::to_owned).collect::<Vec<_>>() {
            let count = checkpoint.get(&name).unwrap().shape.iter().product();
            assert!(count <= bytes.len(), "{name}: {count} values in {} bytes", bytes.len());
            total += checkpoint.read(&name, 0, count)?.len();
        }
        Ok(total)
    };
    let result = read();
    if let Err(error) = &result {
        let expected = matches!(error, ConvertError::Malformed { path, .. } if path.ends_with("pytorch_model.bin"));
        assert!(expected, "{error}");
    }
    result
}

fn refused(bytes: &[u8], expected: &str) {
    let error = read_all(bytes).expect_err(expected).to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_file_that_ends_early_is_refused() {
    let (zip, legacy) = (read_all(UNET).unwrap(), read_all(LEGACY).unwrap());
    assert_eq!((zip, legacy), (64_500, 16_334));
    for file in [UNET, LEGACY] {
        let lengths = (0..200).chain((200..file.len()).step_by(997)).chain([file.len() - 1]);
        lengths.for_each(|length| assert!(read_all(&file[..length]).is_err(), "{length} of {} bytes", file.len()));
    }
}

/// An old file whose object is what these opcodes build.
fn legacy(object: &[u8]) -> Vec<u8> {
    let start = LEGACY.windows(2).position(|pair| pair == b"}q").unwrap();
    let end = start + LEGACY[start..].iter().position(|&byte| byte == b'.').unwrap();
    let mut file = LEGACY[..=end].to_vec();
    file.extend(object);
    // No storages.
    file.extend(b"\x80\x02].");
    file
}

#[test]
fn a_pickle_executes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("executed");
    let command = format!("touch {}", proof.display());
    for module in ["os", "posix", "subprocess", "builtins"] {
        let mut object = format!("c{module}\nsystem\n(X").into_bytes();
        object.extend((command.len() as u32).to_le_bytes());
        object.extend(command.as_bytes());
        object.extend(b"tR.");
        refused(&legacy(&object), "dictionary");
    }
    assert!(!proof.exists());
}

#[test]
fn what_a_pickle_claims_is_held_against_the_file() {
    // A tensor that its stride of 0 repeats, and storages larger than the file.
    for (count, shape) in [(1u32, 1u32 << 30), (1 << 28, 1 << 28), (u32::MAX >> 1, 1)] {
        let mut object = [
            &b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n"[..],
            b"((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0",
            b"0X\x03\0\0\0cpuJ",
        ]
        .concat();
        object.extend(count.to_le_bytes());
        object.extend(b"NtQK\0J");
        object.extend(shape.to_le_bytes());
        object.extend(if count == 1 { b"\x85K\0\x85" } else { b"\x85K\x01\x85" });
        object.extend(b"\x89}tRs.");
        assert!(read_all(&legacy(&object)).is_err(), "{count} {shape}");
    }
    // An index without an end.
    refused(&legacy(&vec![b'N'; 17 << 20]), "16 MiB");
    // Lengths of texts, of every width.
    for opcode in
        [&b"X\xff\xff\xff\x7f"[..], b"T\xff\xff\xff\x7f", b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x8c\xff"]
    {
        assert!(read_all(&legacy(opcode)).is_err());
    }
}

#[test]
fn other_files_are_said_to_be_none() {
    refused(b"", "torch.save");
    refused(b"\x80\x02}.", "torch.save");
    refused(b"GGUF\x03\0\0\0", "torch.save");
    refused(b"PK\x03\x04 no archive", "");
}

/// A file with some bytes of it changed.
fn changed(file: &[u8], changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for &(at, value) in changes {
        let at = at % bytes.len();
        bytes[at] = value;
    }
    bytes
}

/// The length of the pickle at the start of a file, and of the table at the end of an archive, or a little more.
const INDEX: usize = 12_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mutated_archives_give_values_or_an_error(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6), place in 0..3
    ) {
        let start = match place {
            0 => 0,
            1 => UNET.len() - INDEX,
            _ => UNET.len() - 200,
        };
        let span = INDEX.min(UNET.len() - start);
        let changes: Vec<_> = changes.into_iter().map(|(at, value)| (start + at % span, value)).collect();
        let _ = read_all(&changed(UNET, &changes));
    }

    #[test]
    fn mutated_old_files_do(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
        let changes: Vec<_> = changes.into_iter().map(|(at, value)| (at % INDEX, value)).collect();
        let _ = read_all(&changed(LEGACY, &changes));
    }

    #[test]
    fn any_opcodes_do(object in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_all(&legacy(&object));
    }
}
