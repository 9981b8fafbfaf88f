//! `mpirun -n 2 imagen train`: one run by two processes. With Open MPI, whose `mpirun` and variables these are.

use crate::program::{Program, text};
use crate::train::{pictures, tensors, tiny};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs `imagen train` as several processes, the arguments of each kind behind each other.
fn mpirun(program: &Program, kinds: &[(&str, Vec<&str>)]) -> Command {
    let mut command = Command::new("mpirun");
    command.current_dir(program.folder.path()).env("IMAGEN_MODEL", &program.model);
    // Containers' only user is root, and Open MPI's session folder has a long name of its own.
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.args(["--oversubscribe", "--bind-to", "none"]);
    for (index, (count, arguments)) in kinds.iter().enumerate() {
        command.args((index > 0).then_some(":")).args(["-n", count, env!("CARGO_BIN_EXE_imagen")]).args(arguments);
    }
    command
}

fn train<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    train_on("pictures", output, more)
}

fn train_on<'a>(data: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["train", "--data", data, "--stage", "16", "--train-text", "--threads", "1", "--output", output];
    [&usual[..], more].concat()
}

fn losses(program: &Program, run: &str) -> Vec<f64> {
    let table = fs::read_to_string(program.path(run).join("log.csv")).unwrap();
    table.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().parse().unwrap()).collect()
}

#[test]
fn two_processes_learn_what_one_learns() {
    let program = tiny();
    pictures(&program, 16);
    // Of five examples one process makes three and the other two.
    let settings =
        ["--steps", "30", "--batch", "5", "--max-batch-size", "2", "--rate", "3e-3", "--checkpoint-every", "10"];
    program.succeed(&train("one", &settings));
    let output = mpirun(&program, &[("2", train("two", &settings))]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "two/checkpoint.safetensors\n", "one process tells");
    let (one, two) = (losses(&program, "one"), losses(&program, "two"));
    assert_eq!((one.len(), two.len()), (30, 30));
    let worst = one.iter().zip(&two).map(|(one, two)| (one / two - 1.0).abs()).fold(0.0, f64::max);
    println!("losses differ by at most {worst:.1e}");
    assert!(worst < 0.01, "{one:?} {two:?}");
    assert!(one[29] < 0.9 * one[0], "it learns: {one:?}");
    let files = fs::read_dir(program.path("two")).unwrap().map(|file| file.unwrap().file_name());
    let files: Vec<_> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(files.iter().filter(|name| name.starts_with("events")).count(), 1, "{files:?}");
    let [one, two] = ["one", "two"].map(|run| tensors(&program.path(run).join("checkpoint.safetensors")));
    for (name, one) in &one {
        let floats = |bytes: &[u8]| bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let (one, two): (Vec<f32>, Vec<f32>) = (floats(one), floats(&two[name]));
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let (distance, size) = (norm(&mut one.iter().zip(&two).map(|(a, b)| a - b)), norm(&mut one.iter().copied()));
        if name.starts_with("weights/") {
            assert!(distance <= 1e-2 * size.max(1e-3), "{name}: {distance:.1e} of {size:.1e}");
        }
    }
    // What one began, two go on with.
    let more = ["--steps", "33", "--batch", "5", "--rate", "3e-3"];
    let output = mpirun(&program, &[("2", train("one", &more))]).output().unwrap();
    assert!(output.status.success() && text(&output.stderr).contains("Going on after step 30"));
    assert_eq!(losses(&program, "one").len(), 33);
}

#[test]
fn what_one_process_fails_in_ends_all() {
    let program = tiny();
    pictures(&program, 16);
    let begun = Instant::now();
    fs::create_dir(program.path("empty")).unwrap();
    let usual = ["--steps", "100000", "--batch", "2", "--checkpoint-every", "3"];
    let failed = |kinds: &[(&str, Vec<&str>)]| {
        let output = mpirun(&program, kinds).output().unwrap();
        assert!(!output.status.success());
        text(&output.stderr)
    };
    let message = failed(&[("1", train("a", &usual)), ("1", train_on("empty", "a", &usual))]);
    assert!(message.contains("put pictures") && message.contains("another process of this run failed"), "{message}");
    let message = failed(&[("1", train_on("empty", "a", &usual)), ("1", train("a", &usual))]);
    assert!(message.contains("put pictures"), "{message}");
    let more = [&usual[..], &["--workers", "2"]].concat();
    fs::create_dir(program.path("fewer")).unwrap();
    for name in ["0.png", "0.txt"] {
        fs::copy(program.path("pictures").join(name), program.path("fewer").join(name)).unwrap();
    }
    let message = failed(&[("1", train("a", &usual)), ("1", train_on("fewer", "a", &more))]);
    assert!(message.contains("the same checkpoint or data"), "{message}");
    let message = failed(&[("2", train("b", &["--batch", "1"]))]);
    assert!(message.contains("1 examples are not enough for 2 processes"), "{message}");
    // Only the process that leads writes, and finds the disk full.
    fs::create_dir(program.path("c")).unwrap();
    std::os::unix::fs::symlink("/dev/full", program.path("c/checkpoint.safetensors.partial")).unwrap();
    let message = failed(&[("2", train("c", &usual))]);
    assert!(message.contains("No space left") && message.contains("another process of this run failed"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(120), "none waits for one that has ended");
}

#[test]
fn all_stop_where_one_is_asked_to() {
    let program = tiny();
    pictures(&program, 16);
    let arguments = train("run", &["--steps", "1000000", "--batch", "2", "--checkpoint-every", "5"]);
    let mut launcher =
        mpirun(&program, &[("2", arguments)]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !program.path("run/checkpoint.safetensors").is_file() {
        assert!(launcher.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    let children = format!("/proc/{0}/task/{0}/children", launcher.id());
    let children = fs::read_to_string(children).unwrap();
    let last = children.split_whitespace().last().unwrap();
    assert!(Command::new("kill").args(["-TERM", last]).status().unwrap().success());
    let output = launcher.wait_with_output().unwrap();
    assert!(!output.status.success() && text(&output.stderr).contains("the same command goes on"));
    // The checkpoint is that of the last update.
    let lines = program.succeed(&train("run", &["--steps", "1", "--batch", "2", "--json"]));
    let started = lines.lines().next().unwrap();
    let started: serde_json::Value = serde_json::from_str(started).unwrap();
    assert_eq!(started["step"].as_u64().unwrap() as usize, losses(&program, "run").len());
}
