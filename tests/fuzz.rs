//! Damaged files of every kind that a user may bring: each is an error or works, in moments, and takes no more memory than its
//! size justifies. Two seconds for each kind; `FUZZ_SECONDS=600 cargo test --test fuzz` looks longer.
//!
//! One test in a binary of its own, because it counts what is allocated.

mod counting;

use imagen_web::cascade::{GivenNoise, Manifest};
use imagen_web::convert::{Quantization, convert};
use imagen_web::text::{Embedding, T5Config};
use imagen_web::weights::{Adapter, MemorySource, WeightIndex, Weights};
use pollster::block_on;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than any of these files takes, by far.
const MOMENT: Duration = Duration::from_secs(10);

/// What a file of this many bytes may take: copies, parsed forms, and the buffers of a conversion.
fn allowed(bytes: usize) -> usize {
    64 * bytes + (24 << 20)
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Where and how files are damaged.
struct Random(fastrand::Rng);

impl Random {
    /// A place in the file: most of what can go wrong is in its first kilobytes.
    fn place(&mut self, length: usize) -> usize {
        let near = if self.0.bool() { length.min(4096) } else { length };
        self.0.usize(..near.max(1))
    }

    /// Changes a file in a few places, in the ways in which files are damaged or forged.
    fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.0.usize(..4) {
            let at = self.place(bytes.len());
            match self.0.usize(..8) {
                0 => bytes.truncate(at),
                1 => self.number(&mut bytes, at),
                2 => {
                    let end = (at + 1 + self.0.usize(..64)).min(bytes.len());
                    bytes.drain(at.min(end)..end);
                }
                3 => {
                    let end = (at + self.0.usize(..256)).min(bytes.len());
                    let again = bytes[at.min(end)..end].to_vec();
                    bytes.splice(at..at, again);
                }
                // Eight bytes in a row are most often a length, a count or a dimension.
                4 | 5 => {
                    let value =
                        [u64::MAX, 1 << 62, 1 << 40, 1 << 32, 1 << 31, 65_536, 0][self.0.usize(..7)] ^ self.0.u64(..3);
                    let end = (at + 8).min(bytes.len());
                    bytes[at.min(end)..end].copy_from_slice(&value.to_le_bytes()[..end - at.min(end)]);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = self.0.u8(..);
                    }
                }
            }
        }
        bytes
    }

    /// Puts another number in the place of the next one in a text.
    fn number(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let digits = |bytes: &[u8], from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let Some(start) = (at..bytes.len()).find(|&at| bytes[at].is_ascii_digit()) else { return };
        let end = start + digits(bytes, start);
        let numbers =
            ["0", "1", "-1", "3.5", "1e30", "65537", "4294967296", "1000000000", "18446744073709551615", "[]", "\"\""];
        bytes.splice(start..end, numbers[self.0.usize(..numbers.len())].bytes());
    }
}

/// Feeds damaged seeds, each with its number, to `read` for a while. What becomes of them does not matter.
fn feed(kind: &str, seeds: &[Vec<u8>], read: &mut dyn FnMut(usize, &[u8])) {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let (start, mut count) = (Instant::now(), 0u64);
    let mut random = Random(fastrand::Rng::with_seed(1));
    while start.elapsed() < Duration::from_secs(seconds) {
        let state = random.0.get_seed();
        let seed = random.0.usize(..seeds.len());
        let bytes = random.damage(&seeds[seed]);
        let begin = Instant::now();
        let (outcome, peak) = counting::peak(|| catch_unwind(AssertUnwindSafe(|| read(seed, &bytes))));
        let (taken, length) = (begin.elapsed(), bytes.len());
        // The state repeats the case.
        assert!(outcome.is_ok(), "{kind}: a panic, from state {state:#x}");
        assert!(taken < MOMENT, "{kind}: {taken:?}, from state {state:#x}");
        assert!(peak <= allowed(length), "{kind}: {peak} bytes for a file of {length}, from state {state:#x}");
        count += 1;
    }
    println!("{kind}: {count} files");
}

/// A copy of a folder in which one file is replaced again and again.
struct Folder {
    _owner: TempDir,
    source: PathBuf,
    out: PathBuf,
}

impl Folder {
    fn new(from: &Path) -> Self {
        let owner = tempfile::tempdir().unwrap();
        let (source, out) = (owner.path().join("source"), owner.path().join("out"));
        copy(from, &source);
        Self { _owner: owner, source, out }
    }

    fn convert(&self, file: &str, bytes: &[u8]) {
        fs::write(self.source.join(file), bytes).unwrap();
        let _ = convert(&[&self.source], &self.out, &Quantization::default(), &mut |_| ());
        let _ = fs::remove_dir_all(&self.out);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => assert!(fs::copy(entry.path(), to).is_ok()),
        }
    }
}

fn read(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| fs::read(fixture(name)).unwrap()).collect()
}

#[test]
fn no_file_does_harm() {
    let names = [
        "tests/fixtures/formats.gguf",
        "tests/fixtures/t5_v1_1_q4_0.gguf",
        "tests/fixtures/vocabulary/vocabulary.gguf",
    ];
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("t5.gguf"), folder.path().join("out"));
    feed("GGUF", &read(&names), &mut |_, bytes| {
        let source = Box::new(MemorySource::new("test.gguf", bytes.to_vec()));
        if let Ok(mut weights) = block_on(Weights::open(source)) {
            let _ = T5Config::from_metadata("test", weights.metadata(), &WeightIndex::from(&weights));
            let _ = block_on(weights.stream(&mut |_| Ok(())));
            fs::write(&path, bytes).unwrap();
            let _ = convert(&[&path], &out, &Quantization::default(), &mut |_| ());
        }
    });

    let folder = Folder::new(&fixture("tests/fixtures/huggingface"));
    let names = [
        "tests/fixtures/huggingface/unet/diffusion_pytorch_model.safetensors",
        "tests/fixtures/deepfloyd/lora.safetensors",
        "tests/fixtures/t5.safetensors",
        "tests/fixtures/cascade_noise.safetensors",
    ];
    feed("safetensors", &read(&names), &mut |seed, bytes| {
        if seed == 0 {
            return folder.convert("unet/diffusion_pytorch_model.safetensors", bytes);
        }
        let _ = Adapter::from_safetensors("test", bytes, 1.0);
        let _ = Embedding::from_safetensors("test", bytes);
        let _ = GivenNoise::from_safetensors("test", bytes);
    });

    let names =
        ["unet", "super_res_1"].map(|name| format!("tests/fixtures/pytorch/{name}/diffusion_pytorch_model.bin"));
    fs::remove_file(folder.source.join("unet/diffusion_pytorch_model.safetensors")).unwrap();
    feed("pickle", &read(&names.each_ref().map(String::as_str)), &mut |_, bytes| {
        folder.convert("unet/diffusion_pytorch_model.bin", bytes);
    });

    feed("manifest", &read(&["models/storybook/imagen.json"]), &mut |_, bytes| {
        if let Ok(manifest) = Manifest::from_json(bytes) {
            manifest.to_json().unwrap();
        }
    });

    let files = ["unet/config.json", "text_encoder/config.json", "scheduler/scheduler_config.json"];
    let folders = files.map(|_| Folder::new(&fixture("tests/fixtures/huggingface")));
    let seeds = files.map(|file| fs::read(folders[0].source.join(file)).unwrap());
    feed("config", &seeds, &mut |seed, bytes| folders[seed].convert(files[seed], bytes));
}
