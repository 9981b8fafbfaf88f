//! `imagen inspect DIR`: what a model consists of, whether its files are whole, and what it costs on a GPU.

use super::exit::Failure;
use super::inspect::{describe, line, summary};
use crate::cascade::manifest::{FileEntry, MANIFEST_FILE, StageManifest};
use crate::cascade::{CascadeError, Directory, Manifest, ModelFiles, Needs, Residency, plan_stage, plan_text};
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
    let (value, needs) = (head(&manifest), Needs::default());
    let mut report = Report { list, json, value, faults: Vec::new(), needs };
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
    if report.faults.is_empty() {
        report.memory();
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
    needs: Needs,
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
                (self.needs.text, self.needs.streamed_text) = (plan.peak_bytes(), plan.streamed_peak_bytes());
                self.say(&format!("  layer by layer: {} at peak", HumanBytes(self.needs.streamed_text)));
                self.value["text_encoder"] = measures(&plan);
                self.value["text_encoder"]["streamed_peak_bytes"] = json!(self.needs.streamed_text);
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
            "  U-Net: channels {:?}, predicts {:?} on {:?}",
            unet.channels(),
            schedule.prediction,
            schedule.kind
        ));
        let Some(weights) = self.weights(files, &stage.weights) else { return };
        let guided = defaults.guidance != 1.0;
        let plan = plan_stage(stage, &WeightIndex::from(&weights), tokens, guided, &wgpu::Limits::default());
        match plan {
            Err(error) => self.fault(&stage.weights.file, &error),
            Ok(plan) => {
                self.say(&format!("  on a GPU: {}", cost(&plan)));
                self.needs.stages.push(plan.peak_bytes());
                let mut value = measures(&plan);
                value["name"] = json!(stage.name);
                value["image_size"] = json!(size);
                value["unet"] = json!(stage.unet);
                self.push("stages", value);
            }
        }
    }
}

impl Report {
    /// What is loaded at the most, by what stays loaded: `--gpu-memory` chooses the first that fits.
    fn memory(&mut self) {
        self.say("GPU memory at the most");
        let mut memory = serde_json::Map::new();
        for residency in Residency::ALL {
            let bytes = self.needs.peak(residency);
            self.say(&format!("  {}: {residency}", HumanBytes(bytes)));
            let name = json!(residency).as_str().unwrap_or_default().to_owned();
            memory.insert(name, json!(bytes));
        }
        self.value["memory"] = memory.into();
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
