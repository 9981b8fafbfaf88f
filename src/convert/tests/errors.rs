use super::*;
use crate::unet::UNetError;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// The error of a conversion, which must leave its output as it was.
fn error(cascade: &Cascade) -> ConvertError {
    let before = cascade.contents();
    let error = cascade.convert().expect_err("an error");
    assert!(cascade.contents() == before, "{error}");
    error
}

#[test]
fn a_stage_that_fails_changes_nothing_of_the_model_that_was_there() {
    let cascade = Cascade::new();
    cascade.convert().unwrap();
    let was = cascade.contents();
    cascade.remove("super_res_1/diffusion_pytorch_model.safetensors");
    let written = std::cell::Cell::new(false);
    let mut progress = |progress: Progress<'_>| written.set(written.get() | matches!(progress, Progress::File { .. }));
    let quantize = BlockFormat::F16.into();
    convert(&[cascade.source()], &cascade.out(), &quantize, &mut progress).expect_err("an error");
    assert!(written.get(), "an earlier part was converted");
    assert!(cascade.contents() == was);
}

/// Rewrites the U-Net's weights after `change` was at them.
fn rewrite(cascade: &Cascade, change: impl FnOnce(&mut Vec<(String, Dtype, Vec<usize>, Vec<u8>)>)) {
    let bytes = fs::read(cascade.source().join(UNET)).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let tensor =
        |(name, view): (String, TensorView<'_>)| (name, view.dtype(), view.shape().to_vec(), view.data().to_vec());
    let mut tensors: Vec<_> = read.tensors().into_iter().map(tensor).collect();
    change(&mut tensors);
    let views =
        tensors.iter().map(|(n, dtype, shape, data)| (n, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    cascade.write(UNET, &safetensors::serialize(views, None).unwrap());
}

#[test]
fn a_missing_file_is_named_with_what_to_do() {
    for (file, hint) in [
        ("tokenizer/tokenizer.json", "spiece.model"),
        ("text_encoder/config.json", "sizes"),
        ("text_encoder/model-00002-of-00002.safetensors", "download"),
        ("unet/config.json", "layers"),
        (UNET, "diffusion_pytorch_model.bin"),
        ("scheduler/scheduler_config.json", "schedule"),
    ] {
        let cascade = Cascade::new();
        cascade.remove(file);
        match error(&cascade) {
            ConvertError::Missing { path, hint: actual } => {
                assert!(path.ends_with(file) && actual.contains(hint), "{path}: {actual}")
            }
            error => panic!("{file}: {error}"),
        }
    }
}

#[test]
fn a_folder_without_a_model_is_said_to_be_one() {
    let cascade = Cascade::new();
    for folder in ["tokenizer", "text_encoder", "unet", "super_res_1"] {
        cascade.remove(folder);
    }
    assert!(matches!(error(&cascade), ConvertError::Folder { .. }));
    let nothing = convert(&[cascade.source().join("none")], &cascade.out(), &BlockFormat::F16.into(), &mut |_| ());
    assert!(matches!(nothing, Err(ConvertError::Missing { .. })));
}

#[test]
fn source_and_output_are_two_folders() {
    let cascade = Cascade::new();
    let same = convert(&[cascade.source()], &cascade.source(), &BlockFormat::F16.into(), &mut |_| ());
    assert!(matches!(same, Err(ConvertError::Folder { .. })));
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let cascade = Cascade::new();
    fs::write(cascade.out(), "a file where the folder should be").unwrap();
    assert!(matches!(error(&cascade), ConvertError::Write { path, .. } if path.ends_with("tiny")));
}

#[test]
fn other_models_are_refused_by_class() {
    let cascade = Cascade::new();
    cascade.change("unet/config.json", "UNet2DConditionModel", "FluxTransformer2DModel");
    assert!(matches!(error(&cascade), ConvertError::Class { class, .. } if class == "FluxTransformer2DModel"));
    let cascade = Cascade::new();
    cascade.change("text_encoder/config.json", "T5EncoderModel", "UMT5EncoderModel");
    assert!(matches!(error(&cascade), ConvertError::Class { class, .. } if class == "UMT5EncoderModel"));
}

#[test]
fn unsupported_options_are_named() {
    let cascade = Cascade::new();
    cascade.change("unet/config.json", "\"upcast_attention\": false", "\"class_embed_type\": \"projection\"");
    cascade.change("unet/config.json", "\"class_embed_type\": null,", "");
    let error_of = error(&cascade);
    assert!(
        matches!(&error_of, ConvertError::UNet { error: UNetError::Unsupported { option, .. }, .. } if option == "class_embed_type"),
        "{error_of}"
    );
    for (file, from, to, expected) in [
        ("scheduler/scheduler_config.json", "squaredcos_cap_v2", "sigmoid", "beta_schedule"),
        ("scheduler/scheduler_config.json", "\"epsilon\"", "\"flow\"", "prediction_type"),
        ("scheduler/scheduler_config.json", "learned_range", "learned", "variance_type"),
        ("scheduler/scheduler_config.json", "leading", "karras", "timestep_spacing"),
        ("scheduler/scheduler_config.json", "zero_snr\": false", "zero_snr\": true", "rescale_betas_zero_snr"),
        ("text_encoder/config.json", "max_distance\": 128", "max_distance\": 64", "relative_attention_max_distance"),
    ] {
        let cascade = Cascade::new();
        cascade.change(file, from, to);
        match error(&cascade) {
            ConvertError::Option { option, .. } => assert_eq!(option, expected),
            error => panic!("{expected}: {error}"),
        }
    }
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let safetensors = fs::read(Cascade::new().source().join(UNET)).unwrap();
    for (file, bytes) in [
        ("unet/config.json", &b"{"[..]),
        ("text_encoder/config.json", b"3"),
        ("scheduler/scheduler_config.json", b"no JSON"),
        ("cascade.json", b"{\"stages\": 3}"),
        ("cascade.json", b"{\"stages\": [{\"name\": \"a\"}]}"),
        ("text_encoder/model.safetensors.index.json", b"{}"),
        ("text_encoder/model.safetensors.index.json", b"{\"weight_map\": {\"a\": \"../b.safetensors\"}}"),
        (UNET, b""),
        (UNET, b"GGUF and something that is no safetensors file"),
        (UNET, &safetensors[..safetensors.len() - 1]),
        (UNET, &safetensors[..100]),
    ] {
        let cascade = Cascade::new();
        cascade.write(file, bytes);
        match error(&cascade) {
            ConvertError::Malformed { path, .. } => assert!(path.ends_with(file), "{path} instead of {file}"),
            error => panic!("{file}: {error}"),
        }
    }
    let cascade = Cascade::new();
    cascade.write("tokenizer/tokenizer.json", b"{}");
    assert!(matches!(error(&cascade), ConvertError::Text { path, .. } if path.ends_with("tokenizer.json")));
}

#[test]
fn stages_stay_in_the_folder() {
    for unet in ["../unet", "/unet", "a/b", "..", "."] {
        let cascade = Cascade::new();
        let stage = format!(
            r#"{{"stages": [{{"name": "a", "unet": "{unet}", "scheduler": "s", "image_size": 64, "target": "picture"}}]}}"#
        );
        cascade.write("cascade.json", stage.as_bytes());
        assert!(matches!(error(&cascade), ConvertError::Malformed { .. }), "{unet}");
    }
}

#[test]
fn tensors_that_do_not_suit_the_configuration_are_named() {
    let named = |cascade: &Cascade, expected: &str, reason: &str| match error(cascade) {
        ConvertError::Tensor { tensor, reason: actual, .. } => {
            assert!(tensor == expected && actual.contains(reason), "{tensor}: {actual}");
        }
        error => panic!("{error}"),
    };
    let cascade = Cascade::new();
    rewrite(&cascade, |tensors| tensors.retain(|tensor| tensor.0 != "conv_in.weight"));
    named(&cascade, "conv_in.weight", "missing");
    let cascade = Cascade::new();
    rewrite(&cascade, |tensors| tensors.iter_mut().for_each(|t| t.0 = t.0.replace("conv_out.bias", "conv_out.shift")));
    named(&cascade, "conv_out.shift", "does not have it");
    let cascade = Cascade::new();
    rewrite(&cascade, |tensors| {
        tensors.iter_mut().filter(|t| t.0 == "conv_in.weight").for_each(|t| t.2 = vec![8, 9, 3, 4])
    });
    // The same number of values: only the kernel's own shape tells.
    named(&cascade, "conv_in.weight", "[8, 9, 3, 4]");
    let cascade = Cascade::new();
    rewrite(&cascade, |tensors| {
        tensors.iter_mut().filter(|t| t.0 == "conv_in.weight").for_each(|t| t.3[..2].copy_from_slice(&[0, 0x7c]));
    });
    named(&cascade, "conv_in.weight", "not finite");
    let cascade = Cascade::new();
    cascade.change("text_encoder/config.json", "\"num_layers\": 2", "\"num_layers\": 1");
    let error = error(&cascade);
    assert!(matches!(&error, ConvertError::Tensor { tensor, .. } if tensor.starts_with("encoder.block.1.")), "{error}");
}

#[test]
fn values_beyond_f16_ask_for_another_format() {
    let cascade = Cascade::new();
    rewrite(&cascade, |tensors| {
        let tensor = tensors.iter_mut().find(|t| t.0 == "time_embedding.linear_1.weight").unwrap();
        tensor.1 = Dtype::F32;
        tensor.3 = vec![0; tensor.2.iter().product::<usize>() * 4];
        tensor.3[..4].copy_from_slice(&70_000f32.to_le_bytes());
    });
    let error = cascade.convert_to(BlockFormat::F16).unwrap_err();
    assert!(error.to_string().contains("beyond the range of F16; choose bf16"), "{error}");
}

#[test]
fn networks_that_are_not_there_are_not_quantised() {
    let cascade = Cascade::new();
    let error = cascade.convert_to("f16,super_res_2=q8_0".parse::<Quantization>().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "super_res_2 is to be quantised, but there is no such network; there are: text_encoder, unet, super_res_32"
    );
    assert!(!cascade.out().exists());
}
