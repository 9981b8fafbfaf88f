//! A fixture of tests/reference/train.py: networks, examples and what PyTorch makes of them.

use crate::unet::synthetic::{self, uniform};
use burn::module::Module;
use burn::tensor::Device;
use imagen_web::diffusion::{Schedule, ScheduleConfig};
use imagen_web::text::{T5Config, T5Encoder, Tokenized};
use imagen_web::train::{Example, Low, Networks, Objective, OptimizerOptions, Rate, Trainer, Weighting};
use imagen_web::unet::UNetConfig;
use imagen_web::weights::{
    BlockFormat, FileSource, GgufWriter, MemorySource, Metadata, StoredTensor, Weights, load_module, stored_tensors,
    wanted_tensors,
};
use pollster::block_on;
use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Noise levels and augmentation levels of a batch.
const TIMESTEPS: [u32; 3] = [999, 420, 0];
const LEVELS: [u32; 3] = [90, 0, 3];

pub struct Fixture {
    metadata: HashMap<String, String>,
    pub tensors: BTreeMap<String, Vec<f32>>,
    /// Which of storybook's stages it is.
    storybook: Option<usize>,
}

impl Fixture {
    pub fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/train_{name}.safetensors"));
        let bytes = std::fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let floats = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let tensors = file.tensors().into_iter().map(|(name, view)| (name, floats(view.data()))).collect();
        let storybook = name.strip_prefix("storybook_").map(|stage| stage.parse().unwrap());
        Self { metadata: header.metadata().clone().unwrap_or_default(), tensors, storybook }
    }

    fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(&self, key: &str) -> T {
        self.metadata[key].parse().unwrap()
    }

    pub fn unet(&self) -> UNetConfig {
        UNetConfig::from_json(&self.metadata["unet"]).unwrap()
    }

    fn text(&self) -> T5Config {
        T5Config::from_json(self.metadata["text"].as_bytes()).unwrap()
    }

    fn joint(&self) -> bool {
        self.number::<u8>("joint") == 1
    }

    fn schedule(&self) -> Schedule {
        let (prediction, variance) = (&self.metadata["prediction"], &self.metadata["variance"]);
        let json = format!(
            r#"{{"kind":"squaredcos_cap_v2","prediction":"{prediction}","variance":"{variance}","spacing":"trailing"}}"#
        );
        Schedule::new(&serde_json::from_str::<ScheduleConfig>(&json).unwrap()).unwrap()
    }

    fn updates(&self, key: &str) -> f64 {
        let all: serde_json::Value = serde_json::from_str(&self.metadata["updates"]).unwrap();
        all[key].as_f64().unwrap()
    }

    /// The trainer in the state in which PyTorch began.
    pub fn trainer(&self) -> Trainer {
        self.trainer_on(Device::flex())
    }

    pub fn trainer_on(&self, plain: Device) -> Trainer {
        let device = plain.clone().autodiff();
        let unet = self.unet().init(&device).unwrap();
        let mut weights = match self.storybook {
            Some(stage) => stored(["unet", "super_res_1", "super_res_2"][stage]),
            None => hashed(&unet),
        };
        let unet = block_on(load_module(unet, &mut weights, &str::to_owned, &device)).unwrap();
        let text_encoder = self.joint().then(|| self.text_encoder(&device));
        let frozen = (!self.joint()).then(|| self.text_encoder(&plain).into());
        let gamma: f32 = self.number("gamma");
        let weighting = if gamma > 0.0 { Weighting::MinSnr { gamma } } else { Weighting::Plain };
        let objective = Objective::new(self.schedule(), weighting, 0.001, None).unwrap();
        let options = OptimizerOptions {
            beta_1: self.updates("beta_1") as f32,
            beta_2: self.updates("beta_2") as f32,
            epsilon: self.updates("epsilon") as f32,
            weight_decay: self.updates("weight_decay") as f32,
            clip: self.updates("clip") as f32,
            ema: self.updates("ema"),
        };
        let rate = Rate {
            peak: self.updates("peak"),
            last: self.updates("last"),
            warm_up: self.updates("warm_up") as u64,
            decay: imagen_web::train::Decay::Cosine,
            updates: self.updates("steps") as u64,
        };
        Trainer::new(Networks { unet, text_encoder }, frozen, objective, (options, rate), device)
    }

    fn text_encoder(&self, device: &Device) -> T5Encoder {
        if self.storybook.is_some() {
            return block_on(T5Encoder::load(&mut stored("text_encoder"), device)).unwrap();
        }
        let encoder = self.text().init(device);
        let mut weights = hashed(&encoder);
        block_on(load_module(encoder, &mut weights, &str::to_owned, device)).unwrap()
    }

    /// The batch; `suffix` tells one of several from the others.
    pub fn examples(&self, suffix: &str, timesteps: Option<[u32; 3]>) -> Vec<Example> {
        let (batch, size, tokens): (usize, usize, usize) =
            (self.number("batch"), self.number("size"), self.number("tokens"));
        let config = self.unet();
        let values = 3 * size * size;
        let picture = |name: &str, scale: f32| uniform(&format!("{name}{suffix}"), batch * values, scale, 0.0);
        let clean: Vec<f32> = picture("clean", 1.3).into_iter().map(|value| value.clamp(-1.0, 1.0)).collect();
        let (noise, low) = (picture("noise", 1.7), picture("low", 1.0));
        let of = |all: &[f32], row: usize| all[row * values..][..values].to_vec();
        let vocabulary = self.text().vocab_size as u32;
        let example = |row: usize| Example {
            size,
            clean: of(&clean, row),
            noise: of(&noise, row),
            timestep: timesteps.unwrap_or(TIMESTEPS)[row],
            low: (config.input_channels() == 6).then(|| Low { picture: of(&low, row), level: LEVELS[row] }),
            caption: caption(row as u32, tokens, vocabulary),
        };
        (0..batch).map(example).collect()
    }
}

fn caption(row: u32, tokens: usize, vocabulary: u32) -> Tokenized {
    let length = (row as usize + 3).min(tokens - 1);
    let mut ids: Vec<u32> = (0..length as u32).map(|at| (7 * row + 3 * at) % (vocabulary - 2) + 2).collect();
    ids.push(1);
    let mut mask = vec![1; ids.len()];
    ids.resize(tokens, 0);
    mask.resize(tokens, 0);
    Tokenized { ids, mask, truncated: false }
}

fn stored(network: &str) -> Weights {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("models/storybook/{network}.gguf"));
    block_on(Weights::open(Box::new(FileSource::open(&path).unwrap()))).unwrap()
}

/// Weights that are hashes of their names.
fn hashed<M: Module>(module: &M) -> Weights {
    let wanted = wanted_tensors(module, &str::to_owned);
    let mut writer = GgufWriter::new("hashed", Metadata::default());
    for (name, tensor) in &wanted {
        writer.declare(name, &tensor.stored, BlockFormat::F32).unwrap();
    }
    let mut body = writer.begin(Vec::new()).unwrap();
    for (name, tensor) in &wanted {
        body.rows(&synthetic::values(name, &tensor.stored)).unwrap();
    }
    block_on(Weights::open(Box::new(MemorySource::new("hashed".to_owned(), body.finish().unwrap())))).unwrap()
}

/// Values by name, in the layout of a GGUF file, of vectors in burn's.
pub fn in_file_layout(
    networks: &Networks,
    values: &imagen_web::train::parameters::Values,
) -> BTreeMap<String, StoredTensor> {
    let placed = imagen_web::train::parameters::place(networks.valid(), values);
    let unet = stored_tensors(&placed.unet).into_iter().map(|tensor| (format!("unet.{}", tensor.name), tensor));
    let text = placed.text_encoder.iter().flat_map(stored_tensors);
    unet.chain(text.map(|tensor| (format!("text_encoder.{}", tensor.name), tensor))).collect()
}
