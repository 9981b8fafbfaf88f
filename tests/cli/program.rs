//! The program `imagen`, run in a folder of its own.

use crate::storybook;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// The program on the CPU with the storybook model, in a folder of its own.
pub struct Program {
    pub folder: TempDir,
    pub model: PathBuf,
}

impl Program {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), model: storybook::folder() }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagen"));
        command.args(arguments).current_dir(self.folder.path()).env("IMAGEN_MODEL", &self.model);
        command.env("TMPDIR", self.folder.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed and returns its standard output.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a command that must fail and returns its exit code and standard error.
    pub fn fail(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let message = text(&output.stderr);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        assert!(!message.contains("panicked"), "{message}");
        (output.status.code().unwrap(), message)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The shortest generation: one step at 64×64.
pub const QUICK: [&str; 7] = ["generate", "--device", "cpu", "--steps", "64=1", "--stop-at-stage", "1"];

pub fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&QUICK[..], more].concat()
}
