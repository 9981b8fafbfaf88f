//! `imagen finetune`: adapters that other programs read, the model's own samples, and embeddings that are made once.

use crate::program::text;
use crate::train::{pictures, tensors, tiny};
use imagen_web::weights::{FileSource, Weights};
use pollster::block_on;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;

/// Every tensor of a GGUF file in f32.
fn stored(path: &Path) -> BTreeMap<String, Vec<f32>> {
    let mut weights = block_on(Weights::open(Box::new(FileSource::open(path).unwrap()))).unwrap();
    let mut all: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let mut visit = |piece: imagen_web::weights::Piece<'_>| {
        let mut values = Vec::new();
        piece.tensor.format.dequantise(piece.bytes, &mut values).unwrap();
        all.entry(piece.tensor.name.clone()).or_default().extend(values);
        Ok(())
    };
    block_on(weights.stream(&mut visit)).unwrap();
    all
}

/// Values and shapes of a safetensors file.
fn factors(path: &Path) -> BTreeMap<String, (Vec<f64>, Vec<usize>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values = |bytes: &[u8]| {
        bytes.chunks_exact(4).map(|value| f64::from(f32::from_le_bytes(value.try_into().unwrap()))).collect()
    };
    file.tensors().into_iter().map(|(name, view)| (name, (values(view.data()), view.shape().to_vec()))).collect()
}

fn mean_square(a: &[u8], b: &[u8]) -> f64 {
    let [a, b] = [a, b].map(|bytes| image::load_from_memory(bytes).unwrap().into_rgb8().into_raw());
    let squares = a.iter().zip(&b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    squares.sum::<f64>() / a.len() as f64
}

const LAYERS: [&str; 2] = ["--lora-layers", "attention,linear,convolution"];

#[test]
fn merged_weights_are_the_base_and_the_product() {
    let program = tiny();
    let data = pictures(&program, 16);
    let usual = ["finetune", "--pictures", &data, "-o", "run", "--steps", "30", "--rate", "2e-2", "--sheet-every", "0"];
    let more = ["--lora-rank", "3", "--lora-scale", "0.5", "--prior-share", "0"];
    let written = program.succeed(&[&usual[..], &more, &LAYERS].concat());
    assert_eq!(written, "run/adapter.safetensors\n");
    program.succeed(&["train", "export", "run", "-o", "merged", "--quantize", "f32"]);
    let (base, merged) = (stored(&program.model.join("unet.gguf")), stored(&program.path("merged/unet.gguf")));
    let factors = factors(&program.path("run/adapter.safetensors"));
    let mut kinds = [0, 0];
    for (name, base) in &base {
        let name_of = |factor: &str| format!("unet.{}.{factor}.weight", name.trim_end_matches(".weight"));
        let [down, up] = ["lora_A", "lora_B"].map(|factor| factors.get(&name_of(factor)));
        let (Some((down, down_shape)), Some((up, up_shape))) = (down, up) else {
            assert!(
                !name.contains("to_q.weight") && !name.contains("conv1.weight") && !name.contains("time_emb_proj.w")
            );
            assert_eq!(base, &merged[name], "{name}");
            continue;
        };
        let (rank, outputs) = (down_shape[0], up_shape[0]);
        let columns = down.len() / rank;
        let window = down_shape.get(2..).unwrap_or_default().iter().product::<usize>();
        assert!(rank == 3 && up.len() == outputs * rank && base.len() == outputs * columns, "{name}");
        kinds[usize::from(down_shape.len() == 4)] += 1;
        let mut largest = 0.0f64;
        for (at, (&base, &merged)) in base.iter().zip(&merged[name]).enumerate() {
            let (output, column) = (at / columns, at % columns);
            // In a GGUF file the channels of a window lie together, in PyTorch the windows of a channel.
            let column = column % down_shape[1] * window + column / down_shape[1];
            let product = (0..rank).map(|r| up[output * rank + r] * down[r * columns + column]).sum::<f64>();
            assert!((f64::from(base) + product - f64::from(merged)).abs() < 2e-6, "{name} {at}");
            largest = largest.max(product.abs());
        }
        assert!(largest > 1e-4, "{name} learnt nothing");
    }
    assert!(kinds[0] > 10 && kinds[1] > 5 && factors.len() == 2 * (kinds[0] + kinds[1]), "{kinds:?}");
    // The file does while a model is loaded what the export did for good.
    let generate = |more: &[&str], out: &str| {
        let usual = ["generate", "--device", "cpu", "-p", "a red house", "--stop-at-stage", "1", "-o", out];
        program.succeed(&[&usual[..], more].concat());
        std::fs::read(program.path(out)).unwrap()
    };
    let before = generate(&[], "before.png");
    let adapted = generate(&["--lora", "run/adapter.safetensors"], "adapted.png");
    let merged = generate(&["--model", "merged"], "merged.png");
    let (same, other) = (mean_square(&adapted, &merged), mean_square(&adapted, &before));
    assert!(other > 4.0 && same < other / 200.0, "{same} and {other}");
}

#[test]
fn kept_embeddings_change_no_bit() {
    let program = tiny();
    let data = pictures(&program, 16);
    let run = |out: &str, more: &[&str]| {
        let usual = ["train", "--data", &data, "--stage", "16", "--steps", "12", "--batch", "3", "--output", out];
        program.succeed(&[&usual[..], &["--drop-caption", "0.3"], more].concat());
        let log = std::fs::read_to_string(program.path(out).join("log.csv")).unwrap();
        let losses = log.lines().map(|line| line.split(',').take(4).collect::<Vec<_>>().join(","));
        (losses.collect::<Vec<_>>(), tensors(&program.path(out).join("checkpoint.safetensors")))
    };
    let without = run("without", &["--text-cache", "0"]);
    assert!(!program.path("without/text-embeddings").exists());
    let with = run("with", &[]);
    assert!(without == with);
    // Three captions and the empty one, 40 tokens of 32 values each.
    let file = std::fs::read(program.path("with/text-embeddings")).unwrap();
    assert_eq!(file.len(), 48 + 4 * (36 + 4 * 40 * 32));
    // A second run asks the file alone; one that was spoilt, the encoder again.
    std::fs::remove_file(program.path("with/checkpoint.safetensors")).unwrap();
    assert!(run("with", &[]) == without);
    assert!(std::fs::read(program.path("with/text-embeddings")).unwrap() == file);
    std::fs::remove_file(program.path("with/checkpoint.safetensors")).unwrap();
    let spoilt: Vec<u8> =
        file.iter().enumerate().map(|(at, byte)| if at % 999 == 500 { !byte } else { *byte }).collect();
    std::fs::write(program.path("with/text-embeddings"), spoilt).unwrap();
    assert!(run("with", &[]) == without);
    // What there is no room for is asked every time.
    assert!(run("bounded", &["--text-cache", "6kB"]) == without);
    assert_eq!(std::fs::metadata(program.path("bounded/text-embeddings")).unwrap().len(), 48 + 36 + 4 * 40 * 32);
}

#[test]
fn samples_of_the_model_are_made_once() {
    let program = tiny();
    let data = pictures(&program, 16);
    std::fs::write(program.path("prompts.txt"), "a blue tree\n\n  two boats \n").unwrap();
    let run = |more: &[&str]| {
        let usual = ["finetune", "--json", "--pictures", &data, "-o", "run", "--steps", "2", "--prior-pictures", "5"];
        let lines = program.succeed(&[&usual[..], &["--prior-prompts", "prompts.txt"], more].concat());
        let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
        let started = lines.iter().find(|line| line["event"] == "started").unwrap();
        (count("prior"), count("sheet"), started["pictures"].as_u64().unwrap())
    };
    // Three pictures are listed twice, beside as many samples.
    assert_eq!(run(&[]), (5, 2, 12));
    let read = |name: &str| std::fs::read(program.path("run/prior").join(name)).unwrap();
    let list = text(&read("metadata.jsonl"));
    let lines: Vec<serde_json::Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let captions: Vec<_> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(captions, ["a blue tree", "two boats", "a blue tree", "two boats", "a blue tree"]);
    let generate = ["generate", "--device", "cpu", "-p", "two boats", "-s", "1000003", "--stop-at-stage", "1"];
    program.succeed(&[&generate[..], &["-o", "boats.png"]].concat());
    let boats = std::fs::read(program.path("boats.png")).unwrap();
    assert_eq!(mean_square(&boats, &read("0003.png")), 0.0);
    // A run that was killed while it made them goes on; what is there is not made again.
    let (third, fourth) = (read("0003.png"), read("0004.png"));
    let whole: Vec<&str> = list.lines().take(3).collect();
    std::fs::write(program.path("run/prior/metadata.jsonl"), whole.join("\n") + "\n{\"file_na").unwrap();
    std::fs::remove_file(program.path("run/prior/0004.png")).unwrap();
    assert_eq!(run(&[]).0, 2);
    assert!(read("0003.png") == third && read("0004.png") == fourth && text(&read("metadata.jsonl")) == list);
    assert_eq!(run(&[]).0, 0);
    // Other prompts are other samples.
    std::fs::write(program.path("prompts.txt"), "a yellow sun").unwrap();
    assert_eq!(run(&[]).0, 5);
}

#[test]
fn settings_that_contradict_each_other_are_named() {
    let program = tiny();
    let data = pictures(&program, 16);
    std::fs::write(program.path("empty.txt"), "\n").unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["--fresh"], "fresh"),
        (&["--train-text"], "train-text"),
        (&["--prior-share", "1"], "prior-share"),
        (&["--prior-prompts", "empty.txt"], "prior-prompts"),
        (&["--prior-pictures", "0"], "prior-pictures"),
        (&["--lora-scale", "0"], "lora-scale"),
        (&["--lora-layers", "norms"], "attention, linear, convolution"),
        (&["--text-cache", "much"], "text-cache"),
    ];
    for (more, expected) in cases {
        let (code, message) = program.fail(&[&["finetune", "--pictures", &data, "-o", "o"][..], more].concat());
        assert!(code == 2 && message.contains(expected), "{more:?}: {code} {message}");
    }
    let (code, message) = program.fail(&["finetune", "-o", "o"]);
    assert!(code == 2 && message.contains("data"), "{message}");
    assert!(!program.path("o").exists());
}

#[test]
fn adapters_of_another_kind_are_not_gone_on_with() {
    let program = tiny();
    let data = pictures(&program, 16);
    let run = |more: &[&'static str]| {
        let usual = ["train", "--data", &data, "--stage", "16", "--steps", "1", "--batch", "1", "-o", "run"];
        program.run(&[&usual[..], more].concat())
    };
    assert!(run(&["--lora-rank", "2"]).status.success());
    let before = std::fs::read(program.path("run/checkpoint.safetensors")).unwrap();
    for more in [&["--lora-rank", "3"][..], &["--lora-rank", "2", "--lora-scale", "2"], &[]] {
        let output = run(more);
        assert!(text(&output.stderr).contains("other adapters"), "{more:?}: {}", text(&output.stderr));
    }
    assert_eq!(std::fs::read(program.path("run/checkpoint.safetensors")).unwrap(), before);
}
