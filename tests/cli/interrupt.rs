//! What is kept when a run is cancelled or its output vanishes.

use crate::program::{Program, quick, text};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Starts a command with `--json` and calls `act` once, with the process's id, at the first event of this kind.
pub fn interrupt_at(
    program: &Program,
    arguments: &[&str],
    kind: &str,
    act: impl FnOnce(u32),
) -> (i32, Vec<Value>, String) {
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
