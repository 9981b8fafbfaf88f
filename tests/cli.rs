//! The program `imagen` as a user runs it: what it writes, what it says to bad input, and how it stops.

mod storybook;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The program on the CPU with the storybook model, in a folder of its own.
struct Program {
    folder: TempDir,
    model: PathBuf,
}

impl Program {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), model: storybook::folder() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagen"));
        command.args(arguments).current_dir(self.folder.path()).env("IMAGEN_MODEL", &self.model);
        command.env("TMPDIR", self.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed and returns its standard output.
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a command that must fail and returns its exit code and standard error.
    fn fail(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let message = text(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        assert!(!message.contains("panicked"), "{message}");
        (output.status.code().unwrap(), message)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The shortest generation: one step at 64×64.
const QUICK: [&str; 7] = ["generate", "--device", "cpu", "--steps", "64=1", "--stop-at-stage", "1"];

fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&QUICK[..], more].concat()
}

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
fn bad_input_is_told_what_to_do() {
    let program = Program::new();
    std::fs::write(program.path("no.jsonl"), "{\"promt\":\"a\"}").unwrap();
    std::fs::write(program.path("no.safetensors"), "nothing").unwrap();
    std::fs::create_dir(program.path("folder.png")).unwrap();
    let long = "x".repeat(10_001);
    let prompt = |more: &[&'static str]| [&["-p", "a cat", "-o", "out.png"], more].concat();
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["-p", "", "-o", "out.png"], "prompt: it is empty; say what the picture should show"),
        (vec!["-p", &long, "-o", "out.png"], "at most 10000 are taken; shorten it"),
        (vec!["-o", "out.png"], "no prompt; give one with -p TEXT"),
        (vec!["-p", "a cat"], "--output <OUT.png>"),
        (prompt(&["--quick"]), "unexpected argument '--quick'"),
        (prompt(&["--seed", "-1"]), "-1"),
        (prompt(&["--count", "0"]), "count: must be between 1 and 64, got 0"),
        (prompt(&["--steps", "64=0"]), "steps: must be between 1 and 1000, got 0"),
        (prompt(&["--steps", "64=2000"]), "steps: must be between 1 and 1000, got 2000"),
        (prompt(&["--steps", "65=1"]), "no stage has the size 65; this model has 64, 256, 1024"),
        (prompt(&["--steps", "many"]), "invalid digit"),
        (prompt(&["--cfg-scale", "1000"]), "guidance: must be between 0 and 100, got 1000"),
        (prompt(&["--cfg-scale", "nan"]), "guidance: must be between 0 and 100, got NaN"),
        (prompt(&["--sampler", "euler"]), "choose ddpm, ddim, ddim:ETA"),
        (prompt(&["--threshold", "soft"]), "use none, static[:max] or dynamic[:quantile[:max]]"),
        (prompt(&["--threshold", "dynamic:2"]), "quantile must be between 0 and 1, got 2"),
        (prompt(&["--aug-level", "256=900"]), "aug_level: must be between 0 and 199, got 900"),
        (prompt(&["--stop-at-stage", "0"]), "stop-at-stage: must be 1 to 3, or one of the image sizes 64, 256, 1024"),
        (prompt(&["--start-at-stage", "2"]), "give the picture to start from"),
        (prompt(&["--threads", "0"]), "0 is not in 1..=1024"),
        (prompt(&["--device", "tpu"]), "[possible values: auto, gpu, cpu]"),
        (prompt(&["--embedding", "no.safetensors"]), "no.safetensors is not a usable embedding file"),
        (prompt(&["--initial-noise", "no.safetensors"]), "cannot open no.safetensors"),
        (prompt(&["--initial-noise", "absent.safetensors"]), "cannot use absent.safetensors: No such file"),
        (vec!["--prompts", "no.jsonl", "-o", "out.png"], "line 1: unknown field `promt`"),
        (vec!["-p", "a cat", "-o", "out.jpg"], "must be a file name that ends in .png"),
        (vec!["-p", "a cat", "-o", "folder.png"], "is a folder; choose another name"),
        (vec!["-p", "a cat", "-o", "absent/out.png"], "does not exist; create it or choose another"),
        (prompt(&["--model", "absent"]), "--model absent holds no model (no imagen.json)"),
    ];
    for (arguments, expected) in cases {
        let (code, message) = program.fail(&[&["generate"], &arguments[..]].concat());
        assert!(message.contains(expected), "{arguments:?}: expected {expected:?}, got {message}");
        assert!(code == 1 || code == 2, "{arguments:?}: {code}");
        assert!(!program.path("out.png").exists());
    }
    let output =
        program.command(&quick(&["-p", "a cat", "-o", "out.png"])).env("IMAGEN_MODEL", "absent").output().unwrap();
    assert!(text(&output.stderr).contains("IMAGEN_MODEL absent holds no model"));
    let output =
        program.command(&quick(&["-p", "a cat", "-o", "out.png"])).env_remove("IMAGEN_MODEL").output().unwrap();
    assert!(text(&output.stderr).contains("give its folder with --model or IMAGEN_MODEL"));
}

/// A copy of the model in which one file was changed.
fn damaged(program: &mut Program, name: &str, edit: impl FnOnce(&Path)) {
    let copy = program.path(&format!("model-{name}"));
    std::fs::create_dir_all(&copy).unwrap();
    for entry in std::fs::read_dir(storybook::folder()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    edit(&copy);
    program.model = copy;
}

/// Changes the manifest.
fn edit_manifest(folder: &Path, edit: impl FnOnce(&mut Value)) {
    let path = folder.join("imagen.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut manifest);
    std::fs::write(path, manifest.to_string()).unwrap();
}

#[test]
fn damaged_models_are_told_apart() {
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let truncate = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    type Edit<'a> = Box<dyn Fn(&Path) + 'a>;
    let cases: Vec<(&str, Edit<'_>, &str)> = vec![
        (
            "missing",
            Box::new(|folder| std::fs::remove_file(folder.join("unet.gguf")).unwrap()),
            "cannot open unet.gguf: there is no such file in",
        ),
        ("truncated", Box::new(|folder| truncate(&folder.join("unet.gguf"))), "unet.gguf ends early"),
        ("hash", Box::new(|folder| flip(&folder.join("text_encoder.gguf"))), "text_encoder.gguf has the wrong SHA-256"),
        (
            "architecture",
            Box::new(|folder| {
                edit_manifest(folder, |manifest| {
                    let unet = manifest["stages"][0]["weights"].take();
                    manifest["stages"][0]["weights"] = manifest["text_encoder"].take();
                    manifest["text_encoder"] = unet;
                });
            }),
            "t5encoder",
        ),
        (
            "other-network",
            Box::new(|folder| {
                edit_manifest(folder, |manifest| {
                    let base = manifest["stages"][0]["weights"].take();
                    manifest["stages"][0]["weights"] = manifest["stages"][1]["weights"].take();
                    manifest["stages"][1]["weights"] = base;
                });
            }),
            "tensor",
        ),
        (
            "field",
            Box::new(|folder| {
                edit_manifest(folder, |manifest| {
                    drop(manifest["stages"][1].as_object_mut().unwrap().remove("image_size"))
                });
            }),
            "missing field `image_size`",
        ),
        (
            "path",
            Box::new(|folder| edit_manifest(folder, |manifest| manifest["text_encoder"]["file"] = "../x".into())),
            "text_encoder.file is \"../x\"; it must be a plain file name",
        ),
    ];
    for (name, edit, expected) in cases {
        let mut program = Program::new();
        damaged(&mut program, name, edit);
        let (code, message) = program.fail(&quick(&["-p", "a cat", "-o", "out.png"]));
        assert!(message.contains(expected), "{name}: expected {expected:?}, got {message}");
        assert_eq!(code, 1, "{name}");
        if name != "architecture" && name != "other-network" {
            let model = program.model.display().to_string();
            let (_, message) = program.fail(&["inspect", &model]);
            assert!(message.contains(expected), "inspect {name}: expected {expected:?}, got {message}");
        }
    }
}

#[test]
fn inspect_shows_what_a_model_needs() {
    let program = Program::new();
    let model = program.model.display().to_string();
    let shown = program.succeed(&["inspect", &model]);
    for expected in ["storybook", "1024×1024", "size and SHA-256 match", "dispatches per step", "at peak"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let value: Value = serde_json::from_str(&program.succeed(&["inspect", "--json", &model])).unwrap();
    assert_eq!(value["stages"].as_array().unwrap().len(), 3);
    assert!(value["stages"][2]["peak_bytes"].as_u64().unwrap() < 1 << 30);
    let weights = program.model.join("unet.gguf").display().to_string();
    assert!(program.succeed(&["inspect", "--tensors", &weights]).contains("conv_in.weight"));
    let (_, message) = program.fail(&["inspect", "absent"]);
    assert!(message.contains("cannot read absent"), "{message}");
}

/// Starts a command with `--json` and calls `act` once, with the process's id, at the first event of this kind.
fn interrupt_at(program: &Program, arguments: &[&str], kind: &str, act: impl FnOnce(u32)) -> (i32, Vec<Value>, String) {
    let mut command = program.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut act, mut events) = (Some(act), Vec::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if event["event"] == kind
            && let Some(act) = act.take()
        {
            act(child.id());
        }
        events.push(event);
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), events, text(&output.stderr))
}

#[cfg(unix)]
#[test]
fn cancelling_keeps_finished_stages() {
    let program = Program::new();
    let arguments =
        ["generate", "--json", "--device", "cpu", "--steps", "64=1,256=500", "-p", "a cat", "-o", "out.png"];
    let (code, events, message) = interrupt_at(&program, &arguments, "stage_finished", |id| {
        assert!(Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap().success());
    });
    assert_eq!(code, 130, "{message}");
    assert!(message.contains("cancelled; the finished stages were kept"), "{message}");
    assert!(program.path("out.64.png").is_file());
    assert!(!program.path("out.png").exists());
    let result = events.iter().find(|event| event["event"] == "result").unwrap();
    assert_eq!(result["files"][0]["path"], "out.64.png");
}

#[cfg(unix)]
#[test]
fn a_picture_whose_folder_vanished_is_kept_elsewhere() {
    let program = Program::new();
    std::fs::create_dir(program.path("gone")).unwrap();
    let arguments = quick(&["--json", "-p", "a cat", "-o", "gone/out.png"]);
    let (code, events, message) =
        interrupt_at(&program, &arguments, "encoding", |_| std::fs::remove_dir_all(program.path("gone")).unwrap());
    assert_eq!(code, 1, "{message}");
    assert!(message.contains("cannot write gone/out.png") && message.contains("was kept as"), "{message}");
    let result = events.iter().find(|event| event["event"] == "result").unwrap();
    let kept = PathBuf::from(result["files"][0]["path"].as_str().unwrap());
    assert!(kept.is_file() && kept.starts_with(program.folder.path()));
}
