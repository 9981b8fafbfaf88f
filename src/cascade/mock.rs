//! Networks for tests of the pipeline: arithmetic instead of U-Nets, and faults on demand.

use super::files::ModelFiles;
use super::loading::Loading;
use super::manifest::{FileEntry, MANIFEST_FILE, Manifest, StageManifest};
use super::networks::{Networks, PromptEncoder, StageShape, Wanted};
use super::residency::Needs;
use super::stage::{LowResolution, Prompt, Rules, StageRunner};
use super::{Cascade, CascadeError, manifest_tests};
use crate::diffusion::{self, Step};
use crate::gpu::GpuError;
use crate::text::{Embedding, Tokenized};
use crate::weights::{Adapter, MemorySource, Source};
use async_trait::async_trait;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// What happened to the networks, and the faults that are still to come.
#[derive(Default)]
pub(super) struct Script {
    pub log: Vec<String>,
    /// Faults by (stage, step of the whole run of that runner), raised once each.
    pub faults: VecDeque<(usize, usize, Fault)>,
    /// Faults of the text encoder, raised when it is loaded.
    pub text_faults: VecDeque<Fault>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fault {
    Lost,
    OutOfMemory,
}

impl Fault {
    fn error(self) -> CascadeError {
        match self {
            Self::Lost => GpuError::Lost { reason: "test".to_owned() }.into(),
            Self::OutOfMemory => GpuError::OutOfMemory { what: "test".to_owned(), bytes: 1 }.into(),
        }
    }
}

pub(super) struct MockNetworks(pub Rc<RefCell<Script>>);

struct MockEncoder;

struct MockStage {
    script: Rc<RefCell<Script>>,
    index: usize,
    rows: Vec<f32>,
    rules: Option<Rules>,
    steps: usize,
    x: Vec<f32>,
    previous: Vec<f32>,
    low: Vec<f32>,
}

#[async_trait(?Send)]
impl PromptEncoder for MockEncoder {
    async fn encode(&mut self, prompts: &[Tokenized]) -> Result<Vec<Embedding>, CascadeError> {
        let one = |prompt: &Tokenized| {
            let (ids, mask) = (prompt.ids.clone(), prompt.mask.clone());
            let values: Vec<f32> = ids.iter().map(|&id| id as f32 / 100.0).collect();
            let values = values.into_iter().flat_map(|value| [value; 8]).collect();
            Embedding { tokens: ids.len(), ids, mask, d_model: 8, values }
        };
        Ok(prompts.iter().map(one).collect())
    }
}

#[async_trait(?Send)]
impl Networks for MockNetworks {
    async fn text_encoder(
        &mut self,
        _files: &dyn ModelFiles,
        _entry: &FileEntry,
        streamed: bool,
        _loading: &Rc<Loading>,
    ) -> Result<Box<dyn PromptEncoder>, CascadeError> {
        let mut script = self.0.borrow_mut();
        script.log.push(if streamed { "streamed text encoder" } else { "text encoder" }.to_owned());
        if let Some(fault) = script.text_faults.pop_front() {
            return Err(fault.error());
        }
        Ok(Box::new(MockEncoder))
    }

    async fn stage(
        &mut self,
        _files: &dyn ModelFiles,
        stage: &StageManifest,
        shape: StageShape,
        _loading: &Rc<Loading>,
    ) -> Result<Box<dyn StageRunner>, CascadeError> {
        self.0.borrow_mut().log.push(format!("{} rows {}", stage.name, shape.rows));
        Ok(Box::new(MockStage {
            script: Rc::clone(&self.0),
            index: usize::from(stage.image_size != 8),
            rows: Vec::new(),
            rules: None,
            steps: 0,
            x: Vec::new(),
            previous: Vec::new(),
            low: Vec::new(),
        }))
    }

    async fn adapt(&mut self, _: &dyn ModelFiles, _: &Manifest, adapter: Adapter) -> Result<(), CascadeError> {
        Err(CascadeError::request("lora", format!("the mock takes no {}", adapter.name())))
    }

    /// What the files take, and layer by layer a tenth of it.
    async fn needs(&self, _: &dyn ModelFiles, manifest: &Manifest, wanted: &Wanted) -> Result<Needs, CascadeError> {
        let text = if wanted.prompts > 0 { manifest.text_encoder_file()?.size } else { 0 };
        let stages = wanted.stages.iter().map(|(index, _)| manifest.stages[*index].weights.size).collect();
        Ok(Needs { text, streamed_text: text / 10, stages })
    }

    fn on_gpu(&self) -> bool {
        true
    }

    async fn rebuild(&mut self) -> Result<(), CascadeError> {
        self.0.borrow_mut().log.push("rebuild".to_owned());
        Ok(())
    }
}

#[async_trait(?Send)]
impl StageRunner for MockStage {
    async fn prompt(&mut self, prompt: Prompt<'_>, rules: Rules) -> Result<(), CascadeError> {
        let rows = prompt.negative.into_iter().chain([prompt.positive]);
        self.rows = rows.map(|embedding| embedding.values.iter().sum()).collect();
        self.rules = Some(rules);
        Ok(())
    }

    async fn begin(&mut self, noise: &[f32], low: Option<LowResolution<'_>>) -> Result<(), CascadeError> {
        self.x = noise.to_vec();
        self.previous.clear();
        self.low = low.map(|low| low.picture.iter().map(|v| v + low.level / 1000.0).collect()).unwrap_or_default();
        Ok(())
    }

    async fn step(&mut self, step: &Step, noise: Option<&[f32]>) -> Result<(), CascadeError> {
        let mut script = self.script.borrow_mut();
        if let Some(&(stage, at, fault)) = script.faults.front()
            && (stage, at) == (self.index, self.steps)
        {
            script.faults.pop_front();
            return Err(fault.error());
        }
        self.steps += 1;
        let rules = self.rules.unwrap();
        // Any smooth function of everything that a network sees.
        let row = |text: f32| -> Vec<f32> {
            let low = self.low.iter().chain(std::iter::repeat(&0.0));
            let of = |(x, low): (&f32, &f32)| libm::sinf(x + 3.0 * low + text + step.timestep / 1000.0) / 2.0;
            self.x.iter().zip(low).map(of).collect()
        };
        let rows: Vec<Vec<f32>> = self.rows.iter().map(|&text| row(text)).collect();
        let out = match rows.as_slice() {
            [uncond, cond] => diffusion::guide(uncond, cond, rules.guidance).unwrap(),
            _ => rows[0].clone(),
        };
        let (x, previous) = (&mut self.x, &mut self.previous);
        diffusion::update(step, rules.prediction, rules.thresholding, x, previous, &out, None, noise, 1)?;
        Ok(())
    }

    async fn sample(&mut self) -> Result<Vec<f32>, CascadeError> {
        Ok(self.x.clone())
    }

    async fn denoised(&mut self) -> Result<Vec<f32>, CascadeError> {
        Ok(self.previous.clone())
    }
}

/// A model in memory.
#[derive(Clone, Default)]
pub(super) struct MemoryFiles(pub BTreeMap<String, Vec<u8>>);

#[async_trait(?Send)]
impl ModelFiles for MemoryFiles {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn open(&self, name: &str) -> Result<Box<dyn Source>, CascadeError> {
        match self.0.get(name) {
            Some(bytes) => Ok(Box::new(MemorySource::new(name, bytes.clone()))),
            None => Err(CascadeError::File { name: name.to_owned(), reason: "no such file".to_owned() }),
        }
    }
}

/// A model of an 8×8 and a 16×16 stage with a tokenizer of a few words, 6 tokens long.
pub(super) fn tiny_model() -> MemoryFiles {
    let vocab = json!([["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁a", -1.0], ["▁red", -2.0], ["▁house", -2.0]]);
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
                          "normalized": false, "special": true}],
        "normalizer": null,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "decoder": null, "model": {"type": "Unigram", "unk_id": 2, "vocab": vocab, "byte_fallback": false},
    })
    .to_string()
    .into_bytes();
    let mut manifest = manifest_tests::sample();
    manifest["tokenizer"]["size"] = json!(tokenizer.len());
    manifest["tokenizer"]["sha256"] = json!(hex::encode(Sha256::digest(&tokenizer)));
    manifest["tokenizer"]["max_length"] = json!(6);
    manifest["stages"][0]["image_size"] = json!(8);
    manifest["stages"][0]["defaults"]["steps"] = json!(4);
    manifest["stages"][1]["image_size"] = json!(16);
    manifest["stages"][1]["defaults"]["steps"] = json!(2);
    MemoryFiles(
        [("tokenizer.json".to_owned(), tokenizer), (MANIFEST_FILE.to_owned(), manifest.to_string().into())].into(),
    )
}

/// The tiny model with scripted networks.
pub(super) fn tiny_cascade() -> (Cascade, Rc<RefCell<Script>>) {
    cascade_of(tiny_model())
}

/// The tiny model, but its manifest says that the text encoder is large.
pub(super) fn large_cascade() -> (Cascade, Rc<RefCell<Script>>) {
    let mut files = tiny_model();
    let manifest = files.0.get_mut(MANIFEST_FILE).unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    value["text_encoder"]["size"] = json!(5u64 << 30);
    *manifest = value.to_string().into_bytes();
    cascade_of(files)
}

fn cascade_of(files: MemoryFiles) -> (Cascade, Rc<RefCell<Script>>) {
    let script = Rc::new(RefCell::new(Script::default()));
    let networks = Box::new(MockNetworks(Rc::clone(&script)));
    let cascade = pollster::block_on(Cascade::with_networks(Box::new(files), networks)).unwrap();
    (cascade, script)
}
