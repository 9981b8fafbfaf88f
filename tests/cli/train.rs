//! `imagen train`: a run that is killed goes on as if nothing had been, and whatever goes wrong loses nothing.

use crate::program::{Program, text};
use image::{Rgb, RgbImage};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A cascade of random weights, 16 to 32 to 64 pixels.
pub fn tiny() -> Program {
    let mut program = Program::new();
    program.model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/tiny");
    program
}

pub fn pictures(program: &Program, size: u32) -> String {
    let folder = program.path("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    for (index, caption) in ["a red house", "a blue cat", "a green tree on the left"].iter().enumerate() {
        let colour = [200, 90, 30].map(|value: u8| value.wrapping_mul(index as u8 + 1));
        let edge = |x: u32, y: u32| if x * 3 > size && y * 2 > size { Rgb(colour) } else { Rgb([240, 240, 250]) };
        RgbImage::from_fn(size, size, edge).save(folder.join(format!("{index}.png"))).unwrap();
        std::fs::write(folder.join(format!("{index}.txt")), caption).unwrap();
    }
    "pictures".to_owned()
}

fn train<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["train", "--data", data, "--batch", "2", "--stage", "16", "--train-text"];
    [&usual[..], more].concat()
}

/// Every tensor's bytes.
pub fn tensors(path: &PathBuf) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    goes_on(&["--train-text"], "moment_2/text_encoder.");
}

#[test]
fn a_killed_run_of_adapters_goes_on_to_the_same_bits() {
    let layers = ["--lora-rank", "3", "--lora-layers", "attention,linear,convolution", "--rate", "1e-2"];
    goes_on(&layers, "moment_2/unet.down_blocks.1.attentions.0.to_q.weight.lora.a");
}

/// Three times a run is killed and goes on; `part` is what its checkpoint must hold.
fn goes_on(more: &[&str], part: &str) {
    let program = tiny();
    let data = pictures(&program, 16);
    let run = |out| {
        let usual = ["train", "--data", &data, "--batch", "2", "--stage", "16", "--steps", "30", "--output", out];
        [&usual[..], &["--checkpoint-every", "4"], more].concat()
    };
    program.succeed(&run("whole"));
    let checkpoint = program.path("broken/checkpoint.safetensors");
    for kill in 0..3u64 {
        let before = std::fs::metadata(&checkpoint).ok().and_then(|metadata| metadata.modified().ok());
        let mut child = program.command(&run("broken")).stderr(std::process::Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let newer = || std::fs::metadata(&checkpoint).ok().and_then(|metadata| metadata.modified().ok()) != before;
        while !newer() && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(120));
            std::thread::sleep(Duration::from_millis(1));
        }
        // Wherever it is by then: in a step, or in the midst of a checkpoint. On Unix this is SIGKILL.
        std::thread::sleep(Duration::from_millis(7 * kill));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
    }
    let output = program.run(&run("broken"));
    assert!(
        output.status.success() && text(&output.stderr).contains("Going on after step"),
        "{}",
        text(&output.stderr)
    );
    let (whole, broken) = (tensors(&program.path("whole/checkpoint.safetensors")), tensors(&checkpoint));
    assert!(whole.keys().any(|name| name.starts_with(part)));
    assert_eq!(whole.keys().collect::<Vec<_>>(), broken.keys().collect::<Vec<_>>());
    assert!(whole.iter().all(|(name, bytes)| broken[name] == *bytes));
    let steps = |run: &str| {
        let table = std::fs::read_to_string(program.path(run).join("log.csv")).unwrap();
        table.lines().map(|line| line.split(',').take(2).map(str::to_owned).collect()).collect::<Vec<Vec<String>>>()
    };
    assert_eq!(steps("whole"), steps("broken"));
    assert_eq!(steps("whole").len(), 31);
}

#[test]
fn a_trained_stage_is_exported_and_generates() {
    let program = tiny();
    let data = pictures(&program, 64);
    for (stage, sheet) in [("16", "1"), ("32", "3")] {
        let out = format!("run{stage}");
        let more = ["--stage", stage, "--steps", "3", "--sheet-every", sheet, "--output", &out, "--rate", "1e-2"];
        let usual = ["train", "--data", &data, "--batch", "2", "--max-batch-size", "1", "--workers", "2"];
        program.succeed(&[&usual[..], &more].concat());
        let sheet = image::open(program.path(&out).join("sheet-0000003.png")).unwrap();
        assert_eq!(sheet.width(), 4 * stage.parse::<u32>().unwrap());
        let exported = format!("model{stage}");
        program.succeed(&["train", "export", &out, "-o", &exported, "--quantize", "q8_0"]);
        let generate = ["generate", "--device", "cpu", "--model", &exported, "-p", "a red house", "-o", "house.png"];
        program.succeed(&generate);
        let before = ["generate", "--device", "cpu", "-p", "a red house", "-o", "before.png"];
        program.succeed(&before);
        let bytes = |name| std::fs::read(program.path(name)).unwrap();
        assert_ne!(bytes("house.png"), bytes("before.png"));
        assert!(program.succeed(&["inspect", &exported]).contains("16"));
    }
}

#[test]
fn settings_come_from_a_file_and_flags_win() {
    let program = tiny();
    let data = pictures(&program, 16);
    let file = format!(
        "data = {data:?}\nstage = 16\nsteps = 2\nbatch = 1\nmin-snr = 5.0\noutput = \"a\"\ndecay = \"constant\"\n"
    );
    std::fs::write(program.path("run.toml"), file).unwrap();
    let lines = program.succeed(&["train", "--json", "--config", "run.toml", "--output", "b", "--rate", "0.004"]);
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<_> = lines.iter().filter(|line| line["event"] == "step").collect();
    assert_eq!((steps.len(), steps[1]["rate"].as_f64()), (2, Some(0.004)));
    assert!(program.path("b/checkpoint.safetensors").is_file() && !program.path("a").exists());
    std::fs::write(program.path("wrong.toml"), "learning-rate = 1").unwrap();
    let (code, message) = program.fail(&["train", "--config", "wrong.toml"]);
    assert!(code == 2 && message.contains("learning-rate") && message.contains("wrong.toml"), "{message}");
}

#[test]
fn bad_settings_are_named() {
    let program = tiny();
    let data = pictures(&program, 16);
    let cases: [(&[&str], &str); 13] = [
        (&["--stage", "128", "--output", "o"], "16, 32, 64"),
        (&["--stage", "16"], "output"),
        (&["--output", "o", "--rate=-1"], "rate"),
        (&["--output", "o", "--batch", "0"], "batch"),
        (&["--output", "o", "--drop-caption", "2"], "drop-caption"),
        (&["--output", "o", "--min-snr", "0"], "min-snr"),
        (&["--output", "o", "--focus", "1:2"], "SHARE:MEAN:DEVIATION"),
        (&["--output", "o", "--stage", "32", "--crops", "7"], "crops"),
        (&["--output", "o", "--beta-2", "1"], "beta-2"),
        (&["--output", "o", "--last-rate=-1"], "last-rate"),
        (&["--output", "o", "--precision", "bf16"], "the CPU trains in f32"),
        (&["--output", "o", "--device", "toaster"], "cpu, gpu or cuda"),
        (&["--output", "o", "--device", "cuda"], if cfg!(feature = "train-cuda") { "CUDA" } else { "train-cuda" }),
    ];
    for (more, expected) in cases {
        let (code, message) = program.fail(&[&["train", "--data", &data][..], more].concat());
        assert!(code == 2 && message.contains(expected), "{more:?}: {code} {message}");
    }
    assert!(!program.path("o").exists());
}

#[test]
fn bad_data_is_told_before_anything_is_written() {
    let program = tiny();
    std::fs::create_dir(program.path("empty")).unwrap();
    let (code, message) = program.fail(&train("empty", &["--output", "o"]));
    assert!(code == 1 && message.contains("put pictures"), "{message}");
    let data = pictures(&program, 4);
    let (code, message) = program.fail(&train(&data, &["--output", "o"]));
    assert!(code == 1 && message.contains("none of the 3 pictures") && message.contains("4×4"), "{message}");
    assert!(!program.path("o").exists());
}

#[test]
fn a_checkpoint_of_another_architecture_is_refused() {
    let program = tiny();
    let data = pictures(&program, 64);
    program.succeed(&train(&data, &["--steps", "1", "--output", "run"]));
    let path = program.path("run/checkpoint.safetensors");
    let before = std::fs::read(&path).unwrap();
    let (code, message) = program.fail(&["train", "--data", &data, "--stage", "16", "--output", "run"]);
    assert!(code == 1 && message.contains("another architecture"), "{message}");
    let (code, message) = program.fail(&["train", "--data", &data, "--stage", "32", "--output", "run"]);
    assert!(code == 1 && message.contains("of stage 16×16"), "{message}");
    assert!(std::fs::read(&path).unwrap() == before);
    // These two have the same U-Net.
    program.succeed(&["train", "--data", &data, "--stage", "32", "--steps", "1", "--output", "other"]);
    let (code, message) = program.fail(&["train", "--data", &data, "--stage", "64", "--output", "other"]);
    assert!(code == 1 && message.contains("of stage 32×32"), "{message}");
    for damaged in [&before[..before.len() / 2], b"no checkpoint"] {
        std::fs::write(&path, damaged).unwrap();
        let (code, message) = program.fail(&train(&data, &["--steps", "2", "--output", "run"]));
        assert!(code == 1 && message.contains("checkpoint.safetensors cannot be used"), "{message}");
    }
}

#[test]
fn a_checkpoint_that_lacks_a_part_is_refused() {
    let program = tiny();
    let data = pictures(&program, 16);
    program.succeed(&train(&data, &["--steps", "2", "--output", "run"]));
    let path = program.path("run/checkpoint.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for lost in ["average/unet.conv_in.weight", "moment_2/unet.conv_in.weight", "weights/unet.conv_in.weight"] {
        let kept = file.iter().filter(|(name, _)| *name != lost);
        std::fs::write(&path, safetensors::serialize(kept, header.metadata().clone()).unwrap()).unwrap();
        for command in [train(&data, &["--steps", "3", "--output", "run"]), vec!["train", "export", "run", "-o", "out"]]
        {
            let (code, message) = program.fail(&command);
            assert!(code == 1 && message.contains("lacks unet.conv_in.weight"), "{lost}: {message}");
        }
    }
    assert!(!program.path("out").exists());
}

#[test]
fn a_sheet_that_cannot_be_made_loses_nothing() {
    let program = tiny();
    let data = pictures(&program, 16);
    std::fs::create_dir_all(program.path("run")).unwrap();
    std::fs::write(program.path("run/cascade"), "no folder").unwrap();
    let output = program.run(&train(&data, &["--steps", "4", "--sheet-every", "2", "--output", "run"]));
    let message = text(&output.stderr);
    assert!(output.status.success() && message.contains("there is no sheet of step 4"), "{message}");
    assert!(program.path("run/checkpoint.safetensors").is_file());
}

#[test]
fn a_rate_that_diverges_keeps_the_last_good_checkpoint() {
    let program = tiny();
    let data = pictures(&program, 16);
    program.succeed(&train(&data, &["--steps", "25", "--output", "run"]));
    let path = program.path("run/checkpoint.safetensors");
    let good = std::fs::read(&path).unwrap();
    let wild = ["--steps", "400", "--output", "run", "--rate", "1e8", "--clip", "1e9", "--warm-up", "0"];
    let (code, message) = program.fail(&train(&data, &[&wild[..], &["--checkpoint-every", "1000"]].concat()));
    assert!(
        code == 1 && message.contains("diverged") && message.contains("the checkpoint of step 25 is kept"),
        "{message}"
    );
    assert!(std::fs::read(&path).unwrap() == good);
    // One wild update is the last: its weights are finite, but no batch has found them good.
    let last: Vec<&str> = wild.iter().map(|&word| if word == "400" { "26" } else { word }).collect();
    let (code, message) = program.fail(&train(&data, &last));
    assert!(code == 1 && message.contains("diverged"), "{message}");
    assert!(std::fs::read(&path).unwrap() == good);
    // With a checkpoint at every update, what is kept is finite.
    let (_, message) = program.fail(&train(&data, &[&wild[..], &["--checkpoint-every", "1"]].concat()));
    assert!(message.contains("diverged"), "{message}");
    let finite = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap()).is_finite();
    assert!(tensors(&path).values().all(|bytes| bytes.chunks_exact(4).all(finite)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_checkpoint_that_was_there() {
    let program = tiny();
    let data = pictures(&program, 16);
    program.succeed(&train(&data, &["--steps", "1", "--output", "run"]));
    let path = program.path("run/checkpoint.safetensors");
    let before = std::fs::read(&path).unwrap();
    // Whatever is written there fails with "no space left on device".
    std::os::unix::fs::symlink("/dev/full", program.path("run/checkpoint.safetensors.partial")).unwrap();
    let (code, message) = program.fail(&train(&data, &["--steps", "3", "--output", "run"]));
    assert!(code == 1 && message.contains("No space left"), "{message}");
    assert!(std::fs::read(&path).unwrap() == before);
    program.succeed(&train(&data, &["--steps", "3", "--output", "run"]));
}

#[cfg(not(feature = "mpi"))]
#[test]
fn one_of_several_processes_needs_mpi() {
    let program = tiny();
    let data = pictures(&program, 16);
    let output = program.command(&train(&data, &["--output", "o"])).env("OMPI_COMM_WORLD_SIZE", "2").output().unwrap();
    let message = text(&output.stderr);
    assert!(
        !output.status.success() && message.contains("one of 2") && message.contains("--features mpi"),
        "{message}"
    );
    assert!(!program.path("o").exists());
}

/// SIGTERM, by which schedulers announce the end.
#[cfg(unix)]
#[test]
fn a_run_that_is_terminated_keeps_its_last_update() {
    let program = tiny();
    let data = pictures(&program, 16);
    let run = train(&data, &["--steps", "1000000", "--checkpoint-every", "5", "--output", "run"]);
    let mut child = program.command(&run).stderr(std::process::Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !program.path("run/checkpoint.safetensors").is_file() {
        assert!(child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let rows = std::fs::read_to_string(program.path("run/log.csv")).unwrap().lines().count() - 1;
    let output = program.run(&train(&data, &["--steps", "1", "--output", "run"]));
    assert!(text(&output.stderr).contains(&format!("Going on after step {rows}")), "{}", text(&output.stderr));
}
