//! Tests of the manifest: required and unknown fields, values out of range, any bytes.

use super::{CascadeError, Manifest};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A manifest of two stages that is in order.
pub(super) fn sample() -> Value {
    let file = |name: &str| json!({"file": name, "size": 100, "sha256": "ab".repeat(32)});
    let unet = |channels: u32| {
        json!({
            "in_channels": channels, "out_channels": 3, "block_out_channels": [8, 16], "norm_num_groups": 4,
            "down_block_types": ["ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D"],
            "up_block_types": ["ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"],
            "mid_block_type": "UNetMidBlock2D", "cross_attention_dim": 8, "resnet_time_scale_shift": "scale_shift",
            "attention_head_dim": 8, "layers_per_block": 1, "act_fn": "gelu", "patch_size": 1,
        })
    };
    let schedule = json!({"kind": "squaredcos_cap_v2", "train_steps": 1000, "prediction": "v_prediction", "variance": "fixed_small",
        "spacing": "trailing", "steps_offset": 0, "beta_start": 0.0001, "beta_end": 0.02});
    json!({
        "format": 1, "name": "tiny", "version": "1", "license": "MIT", "card": "README.md", "examples": ["a house"],
        "tokenizer": {"file": "tokenizer.json", "size": 100, "sha256": "ab".repeat(32), "max_length": 40, "lowercase": true},
        "text_encoder": file("text_encoder.gguf"),
        "stages": [
            {"name": "base", "image_size": 64, "weights": file("unet.gguf"), "unet": unet(3), "schedule": schedule,
             "target": {"kind": "image"}, "conditioning": null,
             "defaults": {"sampler": "ddim", "steps": 25, "guidance": 4.0, "orthogonal_guidance": false,
                          "thresholding": {"kind": "dynamic", "quantile": 0.95, "max": 1.5}}},
            {"name": "super_res_1", "image_size": 256, "weights": file("super_res_1.gguf"), "unet": unet(6), "schedule": schedule,
             "target": {"kind": "residual", "scale": 0.2},
             "conditioning": {"upsample": "bicubic", "aug_level": 0, "aug_levels": [0, 199]},
             "defaults": {"sampler": "ddim", "steps": 1, "guidance": 1.0, "thresholding": {"kind": "static", "max": 4.0}}},
        ],
    })
}

fn parse(value: &Value) -> Result<Manifest, CascadeError> {
    Manifest::from_json(value.to_string().as_bytes())
}

/// The message of a manifest in which the value at `pointer` was replaced.
fn message(pointer: &str, value: Value) -> String {
    let mut manifest = sample();
    *manifest.pointer_mut(pointer).unwrap() = value;
    parse(&manifest).unwrap_err().to_string()
}

#[test]
fn reads_and_writes_the_same() {
    let manifest = parse(&sample()).unwrap();
    assert_eq!(manifest.stages[1].image_size, 256);
    assert_eq!(manifest.total_bytes(), 400);
    assert_eq!(Manifest::from_json(manifest.to_json().unwrap().as_bytes()).unwrap(), manifest);
}

#[test]
fn unknown_fields_are_ignored() {
    let mut value = sample();
    value["later"] = json!({"a": 1});
    value["stages"][0]["later"] = json!([1, 2]);
    parse(&value).unwrap();
}

#[test]
fn a_missing_required_field_is_named() {
    for (parent, field) in [
        ("", "format"),
        ("", "tokenizer"),
        ("/tokenizer", "sha256"),
        ("/tokenizer", "max_length"),
        ("/text_encoder", "sha256"),
        ("/stages/0", "image_size"),
        ("/stages/0", "weights"),
        ("/stages/1/weights", "size"),
        ("/stages/1/defaults", "guidance"),
        ("/stages/1/conditioning", "upsample"),
    ] {
        let mut value = sample();
        value.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
        let error = parse(&value).unwrap_err().to_string();
        assert!(error.contains(&format!("missing field `{field}`")), "{parent}/{field}: {error}");
    }
}

#[test]
fn parts_may_be_missing_but_not_all() {
    let without = |fields: &[&str]| {
        let mut value = sample();
        for field in fields {
            value.as_object_mut().unwrap().remove(*field).unwrap();
        }
        value["tokenizer"] = json!({"max_length": 40, "lowercase": true});
        parse(&value)
    };
    let manifest = without(&["text_encoder"]).unwrap();
    assert_eq!((manifest.tokenizer.file.as_ref(), manifest.text_encoder.as_ref()), (None, None));
    assert_eq!((manifest.tokenizer.max_length, manifest.tokenizer.lowercase, manifest.stages.len()), (40, true, 2));
    let written = manifest.to_json().unwrap();
    assert_eq!(Manifest::from_json(written.as_bytes()).unwrap(), manifest);
    assert!(without(&["stages"]).unwrap().stages.is_empty());
    let error = without(&["stages", "text_encoder"]).unwrap_err().to_string();
    assert!(error.contains("nothing to run"), "{error}");
}

#[test]
fn faults_are_named() {
    for (pointer, value, expected) in [
        ("/format", json!(2), "format is 2"),
        ("/text_encoder/file", json!("../secret"), "text_encoder.file"),
        ("/text_encoder/file", json!("/etc/passwd"), "plain file name"),
        ("/text_encoder/file", json!("unet.gguf"), "used twice"),
        ("/stages/0/weights/size", json!(u64::MAX), "stages[0].weights.size must be between"),
        ("/stages/0/weights/sha256", json!("AB"), "stages[0].weights.sha256"),
        ("/tokenizer/max_length", json!(0), "tokenizer.max_length must be between 1 and 4096, got 0"),
        ("/stages/1/image_size", json!(64), "stages[1].image_size is 64, it must be larger"),
        ("/stages/1/conditioning", json!(null), "stages[1]"),
        ("/stages/0/target", json!({"kind": "residual", "scale": 0.2}), "stages[0].target is a residual"),
        ("/stages/0/defaults/steps", json!(0), "stages[0].defaults.steps"),
        ("/stages/0/defaults/guidance", json!(1e9), "stages[0].defaults.guidance"),
        ("/stages/0/unet/in_channels", json!(6), "stages[0].unet takes 6 channels of pixels, expected 3"),
        ("/stages/0/unet/act_fn", json!("geglu"), "stages[0].unet: the U-Net option `act_fn`"),
        ("/stages/0/unet/out_channels", json!(4), "stages[0].unet gives 4 channels of pixels, expected 3"),
        ("/stages/0/image_size", json!(63), "stages[0].image_size is 63, its U-Net needs a multiple of 2"),
        ("/stages/0/schedule/train_steps", json!(0), "stages[0].schedule"),
        ("/stages/1/conditioning/aug_level", json!(200), "stages[1].conditioning.aug_level must be between 0 and 199"),
        ("/stages/1/conditioning/aug_levels", json!([5, 2]), "aug_levels"),
        (
            "/stages/0/defaults/orthogonal_guidance",
            json!(true),
            "orthogonal_guidance is for networks of imagen-pytorch",
        ),
        ("/stages/0/defaults/thresholding/quantile", json!(1.5), "quantile must be between 0 and 1"),
    ] {
        let error = message(pointer, value);
        assert!(error.contains(expected), "{pointer}: {error}");
    }
}

#[test]
fn pieces_are_as_many_as_the_size_says() {
    let with = |size: u64, pieces: Value| {
        let mut value = sample();
        value["text_encoder"]["size"] = json!(size);
        value["text_encoder"]["pieces"] = pieces;
        parse(&value)
    };
    let (this, other) = ("ab".repeat(32), "cd".repeat(32));
    let listed = with((32 << 20) + 1, json!([this, other, this])).unwrap();
    assert_eq!(listed.text_encoder_file().unwrap().piece_hashes(), [this.clone(), other.clone(), this.clone()]);
    assert_eq!(Manifest::from_json(listed.to_json().unwrap().as_bytes()).unwrap(), listed);
    // One piece is the file; without a list nothing is known of the pieces.
    assert_eq!(
        with(16 << 20, json!([])).unwrap().text_encoder_file().unwrap().piece_hashes(),
        std::slice::from_ref(&this)
    );
    assert!(with((16 << 20) + 1, json!([])).unwrap().text_encoder_file().unwrap().piece_hashes().is_empty());
    for (size, pieces, expected) in [
        (32 << 20, json!([this, other, this]), "text_encoder.pieces lists 3 pieces, a file of 33554432 bytes has 2"),
        ((32 << 20) + 1, json!([this, other]), "text_encoder.pieces lists 2 pieces, a file of 33554433 bytes has 3"),
        (32 << 20, json!([this, "AB"]), "text_encoder.pieces[1] must be 64"),
        (100, json!([other]), "text_encoder.pieces[0] is the whole file"),
    ] {
        let error = with(size, pieces).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_error_or_a_checked_manifest(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(manifest) = Manifest::from_json(&bytes) {
            prop_assert!(manifest.validate().is_ok());
        }
    }

    #[test]
    fn a_damaged_manifest_never_panics(position in 0usize..2000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = sample().to_string().into_bytes();
        let position = position % bytes.len();
        bytes[position] = byte;
        if cut {
            bytes.truncate(position);
        }
        if let Ok(manifest) = Manifest::from_json(&bytes) {
            prop_assert!(manifest.validate().is_ok());
        }
    }
}
