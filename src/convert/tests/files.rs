use super::*;
use crate::cascade::manifest::{Conditioning, StageUNet, Target};
use crate::diffusion::{Prediction, Sampler, Spacing, Thresholding, Variance};
use crate::image::resample::Filter;
use crate::text::t5::{FeedForwardKind, T5Config, T5Encoder};
use crate::unet::UNetConfig;
use crate::weights::{FileSource, WeightIndex, Weights, load_module};
use burn::tensor::Device;
use pollster::block_on;
use safetensors::SafeTensors;

const EXPECTED: &[u8] = include_bytes!("../../../tests/fixtures/converted.safetensors");
const CASCADE: &str = r#"{
    "name": "tiny", "version": "2.1.0", "license": "CC0-1.0", "examples": ["a red house"],
    "text": { "max_length": 40 },
    "stages": [
        { "name": "base", "unet": "unet", "scheduler": "scheduler", "image_size": 16, "patch": 2, "prediction": "v",
          "target": "picture", "steps": 25, "guidance": 4.0,
          "thresholding": { "kind": "dynamic", "quantile": 0.9, "max": 1.25 } },
        { "name": "sr", "unet": "super_res_1", "scheduler": "scheduler", "image_size": 32, "patch": 1,
          "target": "residual", "residual_scale": 0.25, "upsample": { "filter": "bicubic" },
          "augment": { "level": 3, "trained_levels": [0, 199] }, "steps": 2, "thresholding": { "kind": "clamp", "max": 4.0 } }
    ]
}"#;

fn patch(unet: &StageUNet) -> usize {
    let StageUNet::Diffusers(config) = unet else { panic!("{unet:?}") };
    config.patch_size
}

fn open(cascade: &Cascade, file: &str) -> Weights {
    block_on(Weights::open(Box::new(FileSource::open(&cascade.out().join(file)).unwrap()))).unwrap()
}

#[test]
fn every_tensor_is_stored_as_gguf_stores_it() {
    let cascade = Cascade::new();
    cascade.write("cascade.json", CASCADE.as_bytes());
    assert_eq!(cascade.convert().unwrap(), Vec::<String>::new());
    let expected = SafeTensors::deserialize(EXPECTED).unwrap();
    let mut compared = 0;
    for network in ["text_encoder", "unet", "super_res_1"] {
        let mut weights = open(&cascade, &format!("{network}.gguf"));
        let mut visit = |piece: crate::weights::Piece<'_>| {
            let name = format!("{network}.{}", piece.tensor.name);
            assert!(piece.bytes == expected.tensor(&name).unwrap().data(), "{name} {}", piece.tensor.format);
            compared += 1;
            Ok(())
        };
        block_on(weights.stream(&mut visit)).unwrap();
    }
    assert_eq!(compared, expected.len());
}

#[test]
fn files_have_the_sizes_and_hashes_of_the_manifest() {
    let cascade = Cascade::new();
    cascade.convert().unwrap();
    for file in cascade.manifest().files().filter(|file| file.file.ends_with(".gguf")) {
        let mut weights = open(&cascade, &file.file);
        weights.expect(file.size, &file.sha256);
        block_on(weights.stream(&mut |_| Ok(()))).unwrap();
    }
    let outputs = ["imagen.json", "super_res_32.gguf", "text_encoder.gguf", "tokenizer.json", "unet.gguf"];
    assert_eq!(cascade.outputs(), outputs);
}

#[test]
fn the_networks_load() {
    let cascade = Cascade::new();
    cascade.convert().unwrap();
    let device = Device::flex();
    let mut weights = open(&cascade, "text_encoder.gguf");
    let config = T5Config::from_metadata("test", weights.metadata(), &WeightIndex::from(&weights)).unwrap();
    assert_eq!((config.d_model, config.num_layers, config.feed_forward), (32, 2, FeedForwardKind::GatedGelu));
    block_on(T5Encoder::load(&mut weights, &device)).unwrap();
    for file in ["unet.gguf", "super_res_32.gguf"] {
        let mut weights = open(&cascade, file);
        weights.require_architecture("imagen-unet").unwrap();
        let config = UNetConfig::from_json(weights.metadata().string("imagen.unet.config").unwrap()).unwrap();
        let network = config.init(&device).unwrap();
        block_on(load_module(network, &mut weights, &str::to_owned, &device)).unwrap();
    }
}

#[test]
fn cascade_json_describes_the_stages() {
    let cascade = Cascade::new();
    cascade.write("cascade.json", CASCADE.as_bytes());
    cascade.write("README.md", b"---\nlicense: mit\n---\n# Tiny\n![preview](preview.png)\n");
    cascade.write("preview.png", b"a picture");
    cascade.convert().unwrap();
    let manifest = cascade.manifest();
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("tiny", "2.1.0"));
    assert_eq!((manifest.license.as_str(), manifest.card.as_deref()), ("CC0-1.0", Some("README.md")));
    assert_eq!(manifest.examples, ["a red house"]);
    assert!(cascade.outputs().contains(&"preview.png".to_owned()));
    assert_eq!((manifest.tokenizer.max_length, manifest.tokenizer.lowercase), (40, false));
    let [base, super_res] = manifest.stages.as_slice() else { panic!("{} stages", manifest.stages.len()) };
    assert_eq!((base.name.as_str(), base.image_size, patch(&base.unet)), ("base", 16, 2));
    assert_eq!((base.target, base.conditioning), (Target::Image, None));
    assert_eq!((base.schedule.prediction, base.schedule.variance), (Prediction::VPrediction, Variance::LearnedRange));
    assert_eq!(base.defaults.thresholding, Thresholding::Dynamic { quantile: 0.9, max: 1.25 });
    assert_eq!((base.defaults.steps, base.defaults.guidance), (25, 4.0));
    assert_eq!((super_res.name.as_str(), super_res.image_size), ("sr", 32));
    assert_eq!(super_res.target, Target::Residual { scale: 0.25 });
    let conditioning =
        Conditioning { upsample: Filter::Bicubic, aug_level: 3, aug_levels: Some([0, 199]), aug_schedule: None };
    assert_eq!(super_res.conditioning, Some(conditioning));
    assert_eq!(super_res.schedule.prediction, Prediction::Epsilon, "from the scheduler");
    assert_eq!(super_res.defaults.thresholding, Thresholding::Static { max: 4.0 });
    assert_eq!((super_res.defaults.steps, super_res.defaults.guidance), (2, 1.0));
}

#[test]
fn without_cascade_json_it_is_a_deepfloyd_pipeline() {
    let cascade = Cascade::new();
    cascade.write("README.md", b"---\nlicense: apache-2.0\n---\n");
    cascade.convert_to(BlockFormat::F16).unwrap();
    let manifest = cascade.manifest();
    assert_eq!((manifest.name.as_str(), manifest.license.as_str()), ("tiny", "Apache-2.0"));
    assert_eq!((manifest.tokenizer.max_length, manifest.tokenizer.lowercase), (77, true));
    let [base, super_res] = manifest.stages.as_slice() else { panic!("{} stages", manifest.stages.len()) };
    assert_eq!((base.image_size, patch(&base.unet), base.target), (16, 2, Target::Image));
    assert_eq!((base.schedule.prediction, base.schedule.spacing), (Prediction::Epsilon, Spacing::Leading));
    assert_eq!(base.defaults.thresholding, Thresholding::Dynamic { quantile: 0.95, max: 1.5 });
    assert_eq!((base.defaults.sampler, base.defaults.steps, base.defaults.guidance), (Sampler::Ddpm, 100, 7.0));
    let conditioning =
        Conditioning { upsample: Filter::BilinearAlignCorners, aug_level: 250, aug_levels: None, aug_schedule: None };
    assert_eq!((super_res.image_size, super_res.conditioning), (32, Some(conditioning)));
    assert_eq!((super_res.defaults.steps, super_res.defaults.guidance), (50, 4.0));
}

#[test]
fn progress_reaches_the_total() {
    let cascade = Cascade::new();
    let (mut last, mut files) = (std::collections::BTreeMap::new(), 0);
    let mut progress = |progress: Progress<'_>| match progress {
        Progress::Tensor { file, done, total, .. } => {
            let before = last.insert(file.to_owned(), (done, total));
            assert!(before.is_none_or(|(before, _)| before < done), "{file}");
        }
        Progress::File { .. } => files += 1,
        Progress::Note(note) => panic!("{note}"),
    };
    convert(&[cascade.source()], &cascade.out(), &BlockFormat::Q4_0.into(), &mut progress).unwrap();
    assert_eq!((last.len(), files), (3, 4));
    assert!(last.values().all(|(done, total)| done == total), "{last:?}");
}

#[test]
fn a_sentencepiece_model_will_do_for_a_tokenizer() {
    let cascade = Cascade::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vocabulary");
    fs::remove_file(cascade.source().join("tokenizer/tokenizer.json")).unwrap();
    cascade.write("tokenizer/spiece.model", &fs::read(fixtures.join("spiece.model")).unwrap());
    cascade.convert_to(BlockFormat::F16).unwrap();
    let json = fs::read(cascade.out().join("tokenizer.json")).unwrap();
    let ours = crate::text::Tokenizer::from_bytes(&json, 20, false).unwrap();
    let saved = fs::read(fixtures.join("tokenizer.json")).unwrap();
    let theirs = crate::text::Tokenizer::from_bytes(&saved, 20, false).unwrap();
    let text = "a red house <extra_id_3> 家";
    assert_eq!(ours.encode(text).unwrap(), theirs.encode(text).unwrap());
    cascade.write("tokenizer/spiece.model", b"damaged");
    let error = cascade.convert_to(BlockFormat::F16).unwrap_err();
    assert!(matches!(error, ConvertError::Malformed { path, .. } if path.ends_with("spiece.model")));
}

/// A folder of transformers with the tensors of a GGUF file in F32.
fn unpacked(gguf: &Path, folder: &Path, feed_forward: &str) {
    let mut weights = block_on(Weights::open(Box::new(FileSource::open(gguf).unwrap()))).unwrap();
    let config = T5Config::from_metadata("test", weights.metadata(), &WeightIndex::from(&weights)).unwrap();
    let mut values = std::collections::BTreeMap::new();
    let mut visit = |piece: crate::weights::Piece<'_>| {
        let all: &mut Vec<u8> = values.entry(piece.tensor.name.clone()).or_default();
        all.extend(piece.bytes);
        Ok(())
    };
    block_on(weights.stream(&mut visit)).unwrap();
    let wanted = crate::weights::wanted_tensors(&config.init(&Device::flex()), &str::to_owned);
    let views = wanted.iter().map(|(name, tensor)| {
        let data = &values[&crate::text::t5::llama_cpp_name(name)];
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, tensor.shape.clone(), data).unwrap())
    });
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    let json = serde_json::json!({
        "architectures": ["T5ForConditionalGeneration"], "vocab_size": config.vocab_size, "d_model": config.d_model,
        "d_ff": config.d_ff, "d_kv": config.d_kv, "num_heads": config.num_heads, "num_layers": config.num_layers,
        "feed_forward_proj": feed_forward, "layer_norm_epsilon": config.layer_norm_epsilon,
    });
    fs::write(folder.join("config.json"), json.to_string()).unwrap();
}

/// The files that `tests/text_parity.rs` compares with transformers come out of both generations' folders, too.
#[test]
fn both_generations_of_t5_become_the_files_that_are_compared_with_transformers() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (owner, none) = (tempfile::tempdir().unwrap(), &mut |_: Progress<'_>| ());
    for (file, feed_forward, other, version) in
        [("t5_v1_0_f32.gguf", "relu", "gated-gelu", "v1.0"), ("t5_v1_1_f32.gguf", "gated-gelu", "relu", "v1.1")]
    {
        let (folder, out) = (owner.path().join(version), owner.path().join("out"));
        unpacked(&fixtures.join(file), &folder, feed_forward);
        convert(&[&folder], &out, &BlockFormat::F32.into(), none).unwrap();
        let tensors = |path: &Path| {
            let mut weights = block_on(Weights::open(Box::new(FileSource::open(path).unwrap()))).unwrap();
            let mut all = Vec::new();
            let mut visit = |piece: crate::weights::Piece<'_>| {
                all.push((piece.tensor.name.clone(), piece.bytes.to_vec()));
                Ok(())
            };
            block_on(weights.stream(&mut visit)).unwrap();
            all.sort();
            all
        };
        assert!(tensors(&out.join("text_encoder.gguf")) == tensors(&fixtures.join(file)), "{file}");
        unpacked(&fixtures.join(file), &folder, other);
        let error = convert(&[&folder], &out, &BlockFormat::F32.into(), none).unwrap_err().to_string();
        assert!(error.contains(&format!("is this a T5 {version} checkpoint?")), "{error}");
    }
}
