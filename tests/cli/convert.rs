//! `imagen convert --quantize`: which tensors get which format, and that `inspect` shows it.

use crate::program::Program;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;
use std::collections::BTreeMap;

const LAYERS: usize = 8;

/// A folder with a text encoder whose rows are blocks of 256, but for those of the attention's way out.
fn encoder(program: &Program) {
    let folder = program.path("hf/text_encoder");
    std::fs::create_dir_all(&folder).unwrap();
    let config = serde_json::json!({
        "architectures": ["T5EncoderModel"], "vocab_size": 20, "d_model": 256, "d_ff": 256, "d_kv": 32, "num_heads": 2,
        "num_layers": LAYERS, "feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 32,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut shapes = vec![
        ("shared.weight".to_owned(), vec![20, 256]),
        ("encoder.final_layer_norm.weight".to_owned(), vec![256]),
        ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight".to_owned(), vec![32, 2]),
    ];
    for layer in 0..LAYERS {
        let mut add = |name: &str, shape: &[usize]| {
            shapes.push((format!("encoder.block.{layer}.layer.{name}.weight"), shape.to_vec()));
        };
        ["q", "k", "v"].iter().for_each(|part| add(&format!("0.SelfAttention.{part}"), &[64, 256]));
        add("0.SelfAttention.o", &[256, 64]);
        ["wi_0", "wi_1", "wo"].iter().for_each(|part| add(&format!("1.DenseReluDense.{part}"), &[256, 256]));
        ["0.layer_norm", "1.layer_norm"].iter().for_each(|norm| add(norm, &[256]));
    }
    let values = |shape: &[usize]| -> Vec<u8> {
        (0..shape.iter().product::<usize>()).flat_map(|i| ((i as f32 * 0.37).sin() * 0.05).to_le_bytes()).collect()
    };
    let data: Vec<Vec<u8>> = shapes.iter().map(|(_, shape)| values(shape)).collect();
    let views = shapes.iter().zip(&data);
    let views = views.map(|((name, shape), data)| (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    std::fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The formats of the converted encoder's tensors, as `inspect` shows them.
fn formats(program: &Program, quantize: &str) -> BTreeMap<String, String> {
    program.succeed(&["convert", "hf", "-o", "out", "--quantize", quantize]);
    let shown = program.succeed(&["inspect", "--json", "--tensors", "out/text_encoder.gguf"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let tensors = shown["list"].as_array().unwrap().iter();
    tensors.map(|t| (t["name"].as_str().unwrap().to_owned(), t["format"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn every_format_is_written_and_shown() {
    let program = Program::new();
    encoder(&program);
    for (name, format, way_out) in [
        ("f32", "F32", "F32"),
        ("f16", "F16", "F16"),
        ("BF16", "BF16", "BF16"),
        ("q8_0", "Q8_0", "Q8_0"),
        ("Q6_K", "Q6_K", "Q8_0"),
        ("q5_k", "Q5_K", "Q8_0"),
        ("q5_0", "Q5_0", "Q5_0"),
        ("text_encoder=q4_k", "Q4_K", "Q5_0"),
        ("f16,text_encoder=q4_0", "Q4_0", "Q4_0"),
    ] {
        let formats = formats(&program, name);
        for (tensor, actual) in &formats {
            let expected = match tensor.as_str() {
                "token_embd.weight" => match name {
                    "f32" => "F32",
                    "BF16" => "BF16",
                    _ => "F16",
                },
                norm if norm.ends_with("norm.weight") || norm.ends_with("attn_rel_b.weight") => "F32",
                out if out.ends_with("attn_o.weight") => way_out,
                _ => format,
            };
            assert_eq!(actual, expected, "{name}: {tensor}");
        }
        assert_eq!(formats.len(), 3 + LAYERS * 9);
        let shown = program.succeed(&["inspect", "out/text_encoder.gguf"]);
        assert!(shown.contains(&format!(" {format}")), "{shown}");
    }
}

#[test]
fn mixtures_give_more_to_what_suffers_most() {
    let program = Program::new();
    encoder(&program);
    for (mixture, usual) in [("Q4_K_M", "Q4_K"), ("q5_k_m", "Q5_K")] {
        let formats = formats(&program, mixture);
        assert_eq!(formats["token_embd.weight"], "Q6_K");
        for layer in 0..LAYERS {
            // As llama.cpp chooses of eight layers.
            let more = if [0, 3, 6, 7].contains(&layer) { "Q6_K" } else { usual };
            let of = |part: &str| &formats[&format!("enc.blk.{layer}.{part}.weight")];
            assert_eq!((of("attn_v"), of("ffn_down")), (&more.to_owned(), &more.to_owned()), "layer {layer}");
            assert_eq!((of("attn_q"), of("ffn_up")), (&usual.to_owned(), &usual.to_owned()), "layer {layer}");
        }
    }
}

#[test]
fn formats_that_do_not_exist_are_named() {
    let program = Program::new();
    encoder(&program);
    for (quantize, expected) in [
        ("q3_k", "\"q3_k\" is none of f32, f16, bf16"),
        ("q8_0,q4_0", "all networks has two formats"),
        ("f16,unet=q8_0", "unet is to be quantised, but there is no such network; there are: text_encoder"),
    ] {
        let (_, message) = program.fail(&["convert", "hf", "-o", "out", "--quantize", quantize]);
        assert!(message.contains(expected), "{message}");
    }
}
