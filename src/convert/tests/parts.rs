//! Parts of a cascade by themselves, one after the other into one directory, and several sources at once.

use super::*;
use crate::cascade::Manifest;
use crate::weights::{FileSource, GgufWriter, Metadata, Weights};
use pollster::block_on;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Converts into `out`; returns the notes.
fn run(sources: &[PathBuf], out: &Path) -> Result<Vec<String>, ConvertError> {
    let mut notes = Vec::new();
    let mut progress = |progress: Progress<'_>| {
        if let Progress::Note(note) = progress {
            notes.push(note.to_owned());
        }
    };
    convert(sources, out, &Quantization::default(), &mut progress).map(|()| notes)
}

fn read(out: &Path) -> Manifest {
    Manifest::from_json(&fs::read(out.join("imagen.json")).unwrap()).unwrap()
}

#[test]
fn parts_that_come_one_by_one_make_the_same_cascade() {
    let cascade = Cascade::new();
    cascade.convert_to(BlockFormat::F16).unwrap();
    let whole = cascade.manifest();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("tiny");
    let part = |name: &str| run(&[cascade.source().join(name)], &out).unwrap();
    // A lone U-Net takes the scheduler beside it.
    assert_eq!(part("super_res_1").len(), 2, "no tokenizer, no text encoder");
    assert_eq!((read(&out).stages.len(), read(&out).tokenizer.lowercase), (1, true));
    let notes = part("unet");
    assert!(notes.iter().all(|note| note.contains("has no")), "{notes:?}");
    assert_eq!(part("text_encoder"), Vec::<String>::new(), "the tokenizer lies beside it");
    assert_eq!(read(&out), whole);
    for file in whole.files() {
        let bytes = |folder: &Path| fs::read(folder.join(&file.file)).unwrap();
        assert!(bytes(&out) == bytes(&cascade.out()), "{}", file.file);
    }
    // Again, in another format: the stage takes the old one's place.
    let old = read(&out).stages[1].weights.clone();
    let options = BlockFormat::Q8_0.into();
    convert(&[cascade.source().join("super_res_1")], &out, &options, &mut |_| ()).unwrap();
    assert_eq!(read(&out).stages.len(), 2);
    assert_ne!(read(&out).stages[1].weights, old);
}

#[test]
fn pipelines_of_one_stage_each_are_chained() {
    let cascade = Cascade::new();
    let folder = tempfile::tempdir().unwrap();
    let (first, second, out) = (folder.path().join("IF-I"), folder.path().join("IF-II"), folder.path().join("if"));
    copy(&cascade.source(), &first);
    copy(&cascade.source(), &second);
    fs::remove_dir_all(first.join("super_res_1")).unwrap();
    fs::remove_dir_all(second.join("unet")).unwrap();
    fs::rename(second.join("super_res_1"), second.join("unet")).unwrap();
    copy(&second.join("scheduler"), &second.join("image_noising_scheduler"));
    fs::write(first.join("README.md"), "---\nlicense: other-license\n---\n").unwrap();
    // The order does not matter: sizes tell.
    assert_eq!(run(&[second.clone(), first.clone()], &out).unwrap(), Vec::<String>::new());
    let manifest = read(&out);
    assert_eq!((manifest.name.as_str(), manifest.license.as_str()), ("if", "other-license"));
    let stages: Vec<_> = manifest.stages.iter().map(|s| (s.name.as_str(), s.weights.file.as_str())).collect();
    assert_eq!(stages, [("base", "unet.gguf"), ("super_res_32", "super_res_32.gguf")]);
    let error = run(&[first.clone(), first.clone()], &out).unwrap_err().to_string();
    assert!(error.contains("two of the sources hold a stage of 16×16"), "{error}");
    let noising = second.join("image_noising_scheduler/scheduler_config.json");
    let text = fs::read_to_string(&noising).unwrap().replace("squaredcos_cap_v2", "linear");
    fs::write(&noising, text).unwrap();
    let error = run(&[second], &out).unwrap_err();
    assert!(matches!(error, ConvertError::Option { option: "beta_schedule", .. }), "{error}");
}

#[test]
fn what_was_there_keeps_its_licence_its_card_and_its_prompts() {
    let cascade = Cascade::new();
    let folder = tempfile::tempdir().unwrap();
    let (first, t5, out) = (folder.path().join("first"), folder.path().join("t5"), folder.path().join("out"));
    copy(&cascade.source(), &first);
    fs::remove_dir_all(first.join("super_res_1")).unwrap();
    fs::write(first.join("README.md"), "---\nlicense: other-license\n---\nfirst").unwrap();
    copy(&cascade.source().join("text_encoder"), &t5);
    fs::write(t5.join("README.md"), "---\nlicense: apache-2.0\n---\nsecond").unwrap();
    run(&[first], &out).unwrap();
    let mut manifest = read(&out);
    (manifest.tokenizer.max_length, manifest.tokenizer.lowercase) = (40, false);
    fs::write(out.join("imagen.json"), manifest.to_json().unwrap()).unwrap();
    run(&[t5], &out).unwrap();
    assert_eq!(read(&out).license, "Apache-2.0 AND other-license");
    assert!(fs::read_to_string(out.join("README.md")).unwrap().ends_with("first"));
    // A U-Net of DeepFloyd IF would have 77 tokens in lower case.
    let notes = run(&[cascade.source().join("super_res_1")], &out).unwrap();
    assert!(notes.iter().any(|note| note.contains("40 tokens")), "{notes:?}");
    assert_eq!((read(&out).tokenizer.max_length, read(&out).tokenizer.lowercase), (40, false));
}

#[test]
fn no_part_is_written_over_another() {
    let cascade = Cascade::new();
    let folder = tempfile::tempdir().unwrap();
    let (alone, out) = (folder.path().join("unet"), folder.path().join("out"));
    run(&[cascade.source().join("unet")], &out).unwrap();
    let before = fs::read(out.join("unet.gguf")).unwrap();
    copy(&cascade.source().join("unet"), &alone);
    let config = fs::read_to_string(alone.join("config.json")).unwrap();
    fs::write(alone.join("config.json"), config.replace("\"sample_size\": 8", "\"sample_size\": 16")).unwrap();
    let error = run(&[alone], &out).unwrap_err().to_string();
    assert!(error.contains("two parts of the model would be called unet.gguf"), "{error}");
    assert!(fs::read(out.join("unet.gguf")).unwrap() == before);
}

#[test]
fn a_unet_without_a_scheduler_is_deepfloyds() {
    let folder = tempfile::tempdir().unwrap();
    for pipeline in ["IF-I", "IF-II"] {
        let pipeline = fixture("deepfloyd").join(pipeline);
        let (alone, with, without) =
            (folder.path().join("alone"), folder.path().join("with"), folder.path().join("out"));
        copy(&pipeline.join("unet"), &alone);
        let notes = run(&[alone], &without).unwrap();
        assert!(notes.iter().any(|note| note.contains("without a scheduler")), "{notes:?}");
        run(&[pipeline.join("unet")], &with).unwrap();
        assert_eq!(read(&without).stages, read(&with).stages);
    }
}

#[test]
fn a_text_encoder_in_gguf_is_taken_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("t5");
    let notes = run(&[fixture("t5_v1_1_q8_0.gguf")], &out).unwrap();
    // The fixtures' folder holds a tokenizer.
    assert!(notes.len() == 1 && notes[0].contains("no U-Net yet"), "{notes:?}");
    let original = fs::read(fixture("t5_v1_1_q8_0.gguf")).unwrap();
    assert!(fs::read(out.join("text_encoder.gguf")).unwrap() == original);
    let manifest = read(&out);
    assert_eq!((manifest.name.as_str(), manifest.tokenizer.max_length), ("t5", 77));
    // A vocabulary alone is no encoder.
    assert!(matches!(run(&[fixture("vocabulary/vocabulary.gguf")], &out), Err(ConvertError::Text { .. })));
    assert!(matches!(run(&[fixture("formats.gguf")], &out), Err(ConvertError::Malformed { .. })));
    assert_eq!(read(&out), manifest, "what failed changed nothing");
}

/// Writes some tensors of a file, and nothing that does not change, into another file.
fn rewrite(from: &Path, to: &Path, metadata: &Metadata, wanted: &dyn Fn(usize) -> bool, more: &[&str]) {
    let mut weights = block_on(Weights::open(Box::new(FileSource::open(from).unwrap()))).unwrap();
    let names: Vec<String> = weights.tensors().iter().map(|tensor| tensor.name.clone()).collect();
    let index = |name: &str| names.iter().position(|other| other == name).unwrap();
    let mut writer = GgufWriter::new("part", metadata.clone());
    for tensor in weights.tensors().iter().filter(|tensor| wanted(index(&tensor.name))) {
        writer.declare(&tensor.name, &tensor.shape, tensor.format).unwrap();
    }
    more.iter().for_each(|name| writer.declare(name, &[32], BlockFormat::F32).unwrap());
    let mut body = writer.begin(fs::File::create(to).unwrap()).unwrap();
    let mut write = |piece: crate::weights::Piece<'_>| body.bytes(piece.bytes);
    block_on(weights.stream_where(&|name| wanted(index(name)), &mut write)).unwrap();
    more.iter().for_each(|_| body.bytes(&[0; 128]).unwrap());
    body.finish().unwrap();
}

fn values(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut weights = block_on(Weights::open(Box::new(FileSource::open(path).unwrap()))).unwrap();
    let mut all = Vec::new();
    let mut visit = |piece: crate::weights::Piece<'_>| {
        all.push((piece.tensor.name.clone(), piece.bytes.to_vec()));
        Ok(())
    };
    block_on(weights.stream(&mut visit)).unwrap();
    all
}

#[test]
fn split_files_and_decoders_come_down_to_the_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let whole = fixture("t5_v1_1_q8_0.gguf");
    let encoder = block_on(Weights::open(Box::new(FileSource::open(&whole).unwrap()))).unwrap();
    let split = |mut metadata: Metadata, number: u32| {
        metadata.set("split.no", number);
        metadata.set("split.count", 2u32);
        metadata
    };
    let decoder = ["dec.blk.0.attn_norm.weight", "dec.output_norm.weight"];
    let (one, two) = (path("t5-00001-of-00002.gguf"), path("t5-00002-of-00002.gguf"));
    rewrite(&whole, &one, &split(encoder.metadata().clone(), 0), &|index| index % 2 == 0, &decoder[..1]);
    rewrite(&whole, &two, &split(Metadata::new("t5encoder"), 1), &|index| index % 2 == 1, &decoder[1..]);
    for source in [&one, &two] {
        run(std::slice::from_ref(source), &path("out")).unwrap();
        let (mut actual, mut expected) = (values(&path("out").join("text_encoder.gguf")), values(&whole));
        actual.sort();
        expected.sort();
        assert!(actual == expected);
    }
    let joined = block_on(Weights::open(Box::new(FileSource::open(&path("out/text_encoder.gguf")).unwrap()))).unwrap();
    assert_eq!(joined.metadata().u32("split.count"), None);
    assert_eq!(joined.metadata().architecture(), "t5encoder");
    fs::remove_file(&two).unwrap();
    assert!(
        matches!(run(&[one], &path("out")), Err(ConvertError::Missing { path, .. }) if path.ends_with("00002.gguf"))
    );
}
