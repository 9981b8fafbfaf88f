//! What `--max-batch-size` is for: memory. Linux tells how much a process has had.

use crate::peak_memory::peak_of;
use crate::program::Program;
use std::process::Stdio;
use std::time::Duration;

/// The most memory of one update of twelve examples with so many of them at a time, in MiB.
fn peak(program: &Program, at_once: usize) -> u64 {
    let (at_once, output) = (at_once.to_string(), format!("run{at_once}"));
    let data = ["train", "--data", "scenes", "--stage", "256", "--batch", "12", "--steps", "1", "--threads", "2"];
    let arguments = [&data[..], &["--max-batch-size", &at_once, "--output", &output]].concat();
    let mut child = program.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (process, mut peak) = (child.id().to_string(), 0);
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_of(&process).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    peak >> 20
}

#[test]
fn memory_falls_with_the_examples_in_memory() {
    let program = Program::new();
    program.succeed(&["dataset", "storybook", "scenes", "--count", "4", "--size", "256"]);
    let [twelve, six, three] = [12, 6, 3].map(|at_once| peak(&program, at_once));
    println!("twelve examples at a time: {twelve} MiB, six: {six} MiB, three: {three} MiB");
    // Weights and what AdamW keeps of them stay; what a pass keeps for the way back halves.
    assert!(three < six && six * 4 < twelve * 3, "{twelve} {six} {three}");
}
