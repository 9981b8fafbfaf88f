//! The program `imagen` as a user runs it: what it writes, what it says to bad input, and how it stops.

mod bad_input;
mod convert;
mod dataset;
mod evaluate;
mod finetune;
mod interrupt;
mod models;
#[cfg(target_os = "linux")]
#[path = "../peak_memory/mod.rs"]
mod peak_memory;
mod program;
#[path = "../storybook/mod.rs"]
mod storybook;
mod train;
#[cfg(target_os = "linux")]
mod train_memory;
#[cfg(feature = "mpi")]
mod train_mpi;
mod train_quality;

use program::{Program, quick, text};
use serde_json::Value;

#[test]
fn generates_and_reads_its_own_picture() {
    let program = Program::new();
    let written =
        program.succeed(&quick(&["-p", "ein rotes Häuschen 🏠 在山上", "-n", "fog", "-s", "9", "-o", "out.png"]));
    assert_eq!(written, "out.png\n");
    let shown = program.succeed(&["inspect", "out.png"]);
    for expected in
        ["64×64 pixels", "ein rotes Häuschen 🏠 在山上", "Negative prompt: fog", "Seed: 9", "64=1", "storybook"]
    {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let value: Value = serde_json::from_str(&program.succeed(&["inspect", "--json", "out.png"])).unwrap();
    assert_eq!(value["settings"]["request"]["steps"]["64"], 1);
}

#[test]
fn an_embedding_stands_for_its_prompt() {
    let program = Program::new();
    program.succeed(&["encode", "--device", "cpu", "-p", "a yellow duck", "-o", "duck.safetensors"]);
    let bytes = std::fs::read(program.path("duck.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
    assert_eq!((shape("input_ids"), shape("attention_mask")), (vec![40], vec![40]));
    assert_eq!(shape("embedding"), [40, 256]);
    program.succeed(&quick(&["--embedding", "duck.safetensors", "-o", "a.png"]));
    program.succeed(&quick(&["-p", "a yellow duck", "-o", "b.png"]));
    let pixels = |name: &str| imagen_web::image::png::read(&std::fs::read(program.path(name)).unwrap()).unwrap().0;
    assert_eq!(pixels("a.png"), pixels("b.png"));
}

#[test]
fn batches_counts_and_stages_get_names() {
    let program = Program::new();
    let lines = "{\"prompt\":\"a cat\",\"seed\":1}\n{\"prompt\":\"a duck\",\"count\":2,\"output\":\"duck.png\"}\n";
    std::fs::write(program.path("prompts.jsonl"), lines).unwrap();
    let written = program.succeed(&quick(&["--prompts", "prompts.jsonl", "-o", "out.png"]));
    assert_eq!(written, "out-1.png\nduck-1.png\nduck-2.png\n");
    let stages = ["generate", "--device", "cpu", "--steps", "64=1,256=1", "--stop-at-stage", "256", "--save-stages"];
    let written = program.succeed(&[&stages[..], &["-p", "a cat", "-o", "cat.png"]].concat());
    assert_eq!(written, "cat.64.png\ncat.png\n");
    let start = ["generate", "--device", "cpu", "--start-at-stage", "2", "--start-picture", "cat.64.png"];
    program.succeed(&[&start[..], &["--stop-at-stage", "2", "-p", "a cat", "-o", "large.png"]].concat());
}

#[test]
fn a_profile_is_a_table_or_json_and_changes_no_picture() {
    let program = Program::new();
    let gpu = ["generate", "--device", "gpu", "--steps", "64=1", "--stop-at-stage", "1", "-p", "a cat", "-s", "4"];
    program.succeed(&[&gpu[..], &["-o", "plain.png"]].concat());
    let output = program.run(&[&gpu[..], &["-o", "table.png", "--profile"]].concat());
    let shown = text(&output.stderr);
    assert!(output.status.success(), "{shown}");
    assert_eq!(text(&output.stdout), "table.png\n", "the table is no result");
    for expected in ["Profile of text encoder", "64×64\ncompiling: ", "step: 1 run of ", "GFLOP/s", "outside kernels"]
    {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let lines = program.succeed(&[&gpu[..], &["-o", "json.png", "--profile", "--json"]].concat());
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let profiles: Vec<Value> = lines.filter(|line| line["event"] == "profile").collect();
    assert_eq!(profiles[1]["image_size"], 64);
    let shares = profiles[1]["phases"][1]["kernels"].as_array().unwrap().iter().map(|k| k["share"].as_f64().unwrap());
    assert!((shares.sum::<f64>() - 1.0).abs() < 1e-9);
    let bytes = |name| std::fs::read(program.path(name)).unwrap();
    assert_eq!((bytes("table.png"), bytes("json.png")), (bytes("plain.png"), bytes("plain.png")));
    // On the CPU there is nothing to time, and the program says so.
    let output = program.run(&quick(&["-p", "a cat", "-o", "cpu.png", "--profile"]));
    assert!(output.status.success() && text(&output.stderr).contains("on the CPU there are none to time"));
}

#[test]
fn a_memory_budget_is_told_and_kept() {
    let program = Program::new();
    let encode = |memory| ["encode", "--device", "gpu", "--gpu-memory", memory, "-p", "a cat", "-o", "cat.safetensors"];
    let output = program.run(&encode("1.5GiB"));
    let shown = text(&output.stderr);
    assert!(output.status.success() && shown.contains("Memory: all parts stay loaded"), "{shown}");
    assert!(shown.contains("of 1.5 GiB"), "{shown}");
    let lines = program.succeed(&[&encode("1073741824")[..], &["--json"]].concat());
    let event = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|e| e["event"] == "memory");
    let event = event.unwrap();
    assert_eq!((&event["residency"], &event["budget"]), (&Value::from("keep_all"), &Value::from(1 << 30)));
    let (code, message) = program.fail(&encode("10KiB"));
    assert!(
        code == 1 && message.contains("budget of 10.0 KiB is too small") && message.contains("MiB are"),
        "{message}"
    );
    let (code, message) = program.fail(&encode("much"));
    assert!(code == 2 && message.contains("--gpu-memory"), "{message}");
    // On the CPU there is no GPU memory to be short of.
    program.succeed(&["encode", "--device", "cpu", "--gpu-memory", "1B", "-p", "a cat", "-o", "cat.safetensors"]);
}

#[test]
fn json_is_one_object_per_line() {
    let program = Program::new();
    let lines = program.succeed(&quick(&["--json", "-p", "a cat", "-o", "out.png"]));
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    for kind in ["loading", "encoding", "stage_started", "step", "stage_finished"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    let result = lines.last().unwrap();
    assert_eq!((&result["event"], &result["device"]), (&Value::from("result"), &Value::from("CPU")));
    assert_eq!(result["files"][0]["path"], "out.png");
}

#[test]
fn tiles_are_timed() {
    let program = Program::new();
    let lines = program.succeed(&["tune", "--json", "--products", "1", "--runs", "1", "--format", "f16"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["ms"].as_f64().unwrap() > 0.0));
    assert_eq!(lines.iter().filter(|line| line["chosen"] == true).count(), 1);
    assert!(program.succeed(&["tune", "--products", "1", "--runs", "1"]).contains("3×3 convolution"));
}
