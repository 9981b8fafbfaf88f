//! `imagen inspect DIR`: what a model consists of, whether its files are whole, and what it costs on a GPU.

use super::exit::Failure;
use super::inspect::{describe, line, summary};
use crate::cascade::manifest::{FileEntry, MANIFEST_FILE, StageManifest};
use crate::cascade::{CascadeError, Directory, Manifest, ModelFiles, plan_stage, plan_text};
use crate::gpu::plan::PlanDescription;
use crate::weights::{WeightIndex, Weights};
use indicatif::HumanBytes;
use pollster::block_on;
use serde_json::{Value, json};
use std::path::Path;

pub(super) fn run(path: &Path, list: bool, json: bool) -> Result<(), Failure> {
    let bytes = std::fs::read(path.join(MANIFEST_FILE))
        .map_err(|error| Failure::new(format!("{} holds no model: {MANIFEST_FILE}: {error}", path.display())))?;
    let manifest = Manifest::from_json(&bytes)?;
    let files = Directory::new(path);
    let mut report = Report { list, json, value: head(&manifest), faults: Vec::new() };
    report.say(&format!(
        "{} {} ({}), {}, {} stages, prompts of {} tokens",
        manifest.name,
        manifest.version,
        manifest.license,
        HumanBytes(manifest.total_bytes()),
        manifest.stages.len(),
        manifest.tokenizer.max_length
    ));
    report.tokenizer(&files, &manifest);
    report.text_encoder(&files, &manifest);
    for stage in &manifest.stages {
        report.stage(&files, stage, manifest.tokenizer.max_length);
    }
    if json {
        println!("{}", report.value);
    }
    match report.faults.first() {
        None => Ok(()),
        Some(fault) => Err(Failure::new(fault)),
    }
}

fn head(manifest: &Manifest) -> Value {
    json!({
        "kind": "model", "name": manifest.name, "version": manifest.version, "license": manifest.license,
        "bytes": manifest.total_bytes(), "max_length": manifest.tokenizer.max_length, "files": [], "stages": [],
    })
}

/// Collects or prints, file by file; goes on after a damaged one.
struct Report {
    list: bool,
    json: bool,
    value: Value,
    faults: Vec<String>,
}

impl Report {
    fn say(&self, line: &str) {
        if !self.json {
            println!("{line}");
        }
    }

    fn push(&mut self, list: &str, value: Value) {
        if let Some(entries) = self.value[list].as_array_mut() {
            entries.push(value);
        }
    }

    fn fault(&mut self, name: &str, error: &CascadeError) {
        self.say(&format!("  {name}: NOT USABLE: {error}"));
        self.push("files", json!({"file": name, "ok": false, "error": error.to_string()}));
        self.faults.push(error.to_string());
    }

    fn tokenizer(&mut self, files: &Directory, manifest: &Manifest) {
        let Some(entry) = &manifest.tokenizer.file else {
            return self.say("  no tokenizer yet");
        };
        match block_on(crate::cascade::check_tokenizer(files, entry)) {
            Err(error) => self.fault(&entry.file, &error),
            Ok(()) => {
                self.say(&format!("  {}: {}, size and SHA-256 match", entry.file, HumanBytes(entry.size)));
                self.push("files", json!({"file": entry.file, "ok": true, "bytes": entry.size}));
            }
        }
    }

    /// A weights file with all its bytes checked.
    fn weights(&mut self, files: &Directory, entry: &FileEntry) -> Option<Weights> {
        let check = async {
            let mut weights = Weights::open(files.open(&entry.file).await?).await?;
            weights.expect(entry.size, &entry.sha256);
            weights.stream(&mut |_| Ok(())).await?;
            crate::cascade::check_pieces(files, entry).await?;
            Ok::<_, CascadeError>(weights)
        };
        match block_on(check) {
            Err(error) => {
                self.fault(&entry.file, &error);
                None
            }
            Ok(weights) => {
                let mut value = describe(&weights, self.list);
                value["file"] = json!(entry.file);
                value["ok"] = json!(true);
                self.push("files", value);
                let size = HumanBytes(entry.size);
                self.say(&format!("  {}: {size}, size and SHA-256 match, {}", entry.file, summary(weights.tensors())));
                if self.list {
                    weights.tensors().iter().for_each(|tensor| self.say(&format!("    {}", line(tensor))));
                }
                Some(weights)
            }
        }
    }

    fn text_encoder(&mut self, files: &Directory, manifest: &Manifest) {
        let Some(entry) = &manifest.text_encoder else {
            return self.say("no text encoder yet");
        };
        self.say("text encoder");
        let Some(weights) = self.weights(files, entry) else { return };
        let plan = plan_text(&weights, 2, manifest.tokenizer.max_length, &wgpu::Limits::default());
        match plan {
            Err(error) => self.fault(&entry.file, &error),
            Ok(plan) => {
                self.say(&format!("  on a GPU, prompt and negative prompt: {}", cost(&plan)));
                self.value["text_encoder"] = measures(&plan);
            }
        }
    }

    fn stage(&mut self, files: &Directory, stage: &StageManifest, tokens: usize) {
        let (size, defaults) = (stage.image_size, &stage.defaults);
        self.say(&format!(
            "stage {}: {size}×{size}, {} steps of {}, guidance {}",
            stage.name, defaults.steps, defaults.sampler, defaults.guidance
        ));
        let (unet, schedule) = (&stage.unet, &stage.schedule);
        self.say(&format!(
            "  U-Net: channels {:?}, patch {}, predicts {:?} on {:?}",
            unet.block_out_channels, unet.patch_size, schedule.prediction, schedule.kind
        ));
        let Some(weights) = self.weights(files, &stage.weights) else { return };
        let guided = defaults.guidance != 1.0;
        let plan = plan_stage(stage, &WeightIndex::from(&weights), tokens, guided, &wgpu::Limits::default());
        match plan {
            Err(error) => self.fault(&stage.weights.file, &error),
            Ok(plan) => {
                self.say(&format!("  on a GPU: {}", cost(&plan)));
                let mut value = measures(&plan);
                value["name"] = json!(stage.name);
                value["image_size"] = json!(size);
                value["unet"] = json!(stage.unet);
                self.push("stages", value);
            }
        }
    }
}

fn cost(plan: &PlanDescription) -> String {
    let phases: Vec<String> = plan
        .phases()
        .iter()
        .map(|phase| {
            let billions = plan.flops(phase) as f64 / 1e9;
            format!("{} dispatches per {phase} ({billions:.2} GFLOP)", plan.dispatches(phase))
        })
        .collect();
    format!(
        "{} at peak, of it weights {}; {}",
        HumanBytes(plan.peak_bytes()),
        HumanBytes(plan.weight_bytes()),
        phases.join(", ")
    )
}

fn measures(plan: &PlanDescription) -> Value {
    let phase = |phase: &&'static str| {
        ((*phase).to_owned(), json!({"dispatches": plan.dispatches(phase), "flops": plan.flops(phase)}))
    };
    let phases: serde_json::Map<String, Value> = plan.phases().iter().map(phase).collect();
    json!({"peak_bytes": plan.peak_bytes(), "weight_bytes": plan.weight_bytes(), "phases": phases})
}
