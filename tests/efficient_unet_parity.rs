//! The second U-Net against imagen-pytorch: its defaults, its presets scaled down, no text, and every other option.

mod efficient_unet;

use efficient_unet::{CASES, Fixture, unet::relative_error};
use imagen_web::efficient_unet::EfficientUNetConfig;
use imagen_web::unet::UNetError;
use imagen_web::weights::BlockFormat;
use serde_json::json;

#[test]
fn one_step_is_the_packages() {
    for name in CASES {
        let fixture = Fixture::open(name);
        let error = relative_error(&fixture.predict(&fixture.model(BlockFormat::F32)), &fixture.output);
        println!("{name}: relative error {error:.2e}");
        assert!(error <= 1e-3, "{name}: {error}");
    }
}

#[test]
fn what_is_not_supported_is_named() {
    for (option, value) in [
        ("use_linear_attn", json!([false, true])),
        ("use_linear_cross_attn", json!(true)),
        ("cross_embed_downsample", json!(true)),
        ("cond_images_channels", json!(3)),
        ("self_cond", json!(true)),
        ("combine_upsample_fmaps", json!(true)),
        ("init_conv_to_final_conv_residual", json!(true)),
        ("pixel_shuffle_upsample", json!(false)),
        ("init_cross_embed", json!(false)),
        ("channels", json!(1)),
        ("an_option_of_tomorrow", json!(1)),
    ] {
        match EfficientUNetConfig::from_json(&json!({ "dim": 16, option: value }).to_string()) {
            Err(UNetError::Unsupported { option: named, .. }) => assert_eq!(named, option),
            other => panic!("{option}: {other:?}"),
        }
    }
}

#[test]
fn what_is_contradictory_is_named() {
    for (option, value) in [
        ("dim", json!(0)),
        ("dim_mults", json!([2, 4])),
        ("dim_mults", json!([])),
        ("dim_mults", json!([1, u32::MAX])),
        ("num_resnet_blocks", json!([1, 2])),
        ("attn_heads", json!(1)),
        ("attn_dim_head", json!(0)),
        ("final_conv_kernel_size", json!(2)),
        ("init_cross_embed_kernel_sizes", json!([])),
        ("max_text_len", json!(513)),
        ("ff_mult", json!(-1.0)),
        ("learned_sinu_pos_emb_dim", json!(7)),
    ] {
        let mut config = json!({ "dim": 16 });
        config[option] = value;
        match EfficientUNetConfig::from_json(&config.to_string()) {
            Err(UNetError::Invalid { option: named, .. }) => assert_eq!(named, option),
            other => panic!("{option}: {other:?}"),
        }
    }
}
