//! `examples/digits`: a cascade for IDX files is trained, exported, and draws.

#[path = "../examples/digits/prepare.rs"]
mod prepare;
#[path = "../examples/digits/strokes.rs"]
mod strokes;

use fastrand::Rng;
use std::path::Path;
use std::process::Command;

fn here(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

/// A folder with data and model where the example's settings expect them, and the program in it.
struct Digits(tempfile::TempDir);

impl Digits {
    fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare::data(&folder.path().join("out/digits/data"), count, 5).unwrap();
        prepare::model(Path::new(&here("models/storybook")), &folder.path().join("out/digits/model")).unwrap();
        Self(folder)
    }

    fn imagen(&self, arguments: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagen"));
        let output = command.args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Both stages, as the README says, with these settings over the files' own.
    fn train(&self, base: &[&str], super_resolution: &[&str]) {
        let config = |name: &str| here(&format!("examples/digits/{name}.toml"));
        self.imagen(&[&["train", "--config", &config("base")][..], base].concat());
        self.imagen(&["train", "export", "out/digits/base", "-o", "out/digits/half"]);
        self.imagen(&[&["train", "--config", &config("super_resolution")][..], super_resolution].concat());
        self.imagen(&["train", "export", "out/digits/super", "-o", "out/digits/cascade"]);
    }

    /// Pictures of a digit, 28×28 grey values each.
    fn draw(&self, digit: u8, count: usize) -> Vec<Vec<f32>> {
        let (prompt, number) = (format!("digit {digit}"), count.to_string());
        let model = ["generate", "--device", "cpu", "--model", "out/digits/cascade"];
        self.imagen(&[&model[..], &["-p", &prompt, "--count", &number, "-o", "{index}.png"]].concat());
        let read = |index: usize| {
            let picture = image::open(self.0.path().join(format!("{index}.png"))).unwrap().into_luma8();
            assert_eq!(picture.dimensions(), (28, 28));
            picture.into_raw().into_iter().map(f32::from).collect()
        };
        (1..=count).map(read).collect()
    }
}

#[test]
fn a_tiny_run_goes_all_the_way() {
    let digits = Digits::new(40);
    let few = ["--steps", "2", "--batch", "4", "--sheet-every", "0"];
    digits.train(&few, &few);
    assert_eq!(digits.draw(7, 2).len(), 2);
}

/// As one of MNIST's: white strokes on black, of the right classes, and no two alike.
#[test]
fn drawn_digits_are_told_apart() {
    let known = drawings(400, 1);
    let right = drawings(100, 2).iter().filter(|(digit, picture)| nearest(&known, picture) == *digit).count();
    assert!(right >= 90, "{right} of 100");
    assert!(known.iter().enumerate().all(|(at, (_, one))| known[..at].iter().all(|(_, other)| one != other)));
}

fn drawings(count: usize, seed: u64) -> Vec<(u8, Vec<f32>)> {
    let mut random = Rng::with_seed(seed);
    let mut draw = |at: usize| {
        let digit = (at % 10) as u8;
        (digit, strokes::draw(digit, &mut random).into_iter().map(f32::from).collect())
    };
    (0..count).map(&mut draw).collect()
}

/// The digit of the most similar drawing.
fn nearest(known: &[(u8, Vec<f32>)], picture: &[f32]) -> u8 {
    let distance = |other: &[f32]| other.iter().zip(picture).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    known.iter().min_by(|a, b| distance(&a.1).total_cmp(&distance(&b.1))).map_or(10, |(digit, _)| *digit)
}

#[test]
#[ignore = "trains for minutes: part of make test-slow"]
fn the_cascade_draws_the_digits_that_it_is_asked_for() {
    let digits = Digits::new(6000);
    digits.train(&["--sheet-every", "0"], &[]);
    let known = drawings(4000, 3);
    let mut right = 0;
    for digit in 0..10 {
        right += digits.draw(digit, 8).iter().filter(|picture| nearest(&known, picture) == digit).count();
    }
    assert!(right >= 64, "{right} of 80");
}
