//! The command line, as clap reads it.

use super::lora::LoraOption;
use super::per_stage::{GuidanceOption, LevelOption, SamplerOption, StepsOption, ThresholdOption};
use crate::convert::Quantization;
use crate::weights::BlockFormat;
use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Imagen's recipe on your own machine: a T5 text encoder and a cascade of pixel-diffusion U-Nets.
#[derive(Debug, Parser)]
#[command(name = "imagen", version, about, max_term_width = 110, arg_required_else_help = true)]
pub struct Arguments {
    /// Print one JSON object per event and a last one with the result (stdout), instead of progress bars.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate pictures from a prompt.
    Generate(Box<Generate>),
    /// Encode a prompt and keep its embedding as safetensors.
    Encode(Encode),
    /// Convert Hugging Face folders or a T5 in GGUF to a model of this program, at once or part by part.
    Convert(Convert),
    /// Make a data set to train on.
    Dataset(Dataset),
    /// Score how well a model's pictures show what storybook captions say.
    #[cfg(feature = "train")]
    Evaluate(Box<super::evaluate::Evaluate>),
    /// Show what is in a model's folder, a GGUF file or a PNG made by this program.
    Inspect(Inspect),
    /// Teach a model something new from a few pictures with captions.
    #[cfg(feature = "train")]
    Finetune(Box<super::finetune::Finetune>),
    /// Train a stage on pictures with captions, from a model or anew.
    #[cfg(feature = "train")]
    Train(Box<super::train::Train>),
    /// Time the tiles of the matrix kernels on this machine's GPU, for `src/gpu/kernels/tile.rs`.
    Tune(Tune),
}

/// Where the networks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// A real GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// A GPU, a software adapter included.
    Gpu,
    /// The same, with the U-Nets in half precision: less memory, faster on some GPUs, and pictures differ a little.
    GpuHalf,
    Cpu,
}

/// The model and the device, for all commands that run networks.
#[derive(Debug, Args)]
pub struct Setup {
    /// Folder of the model [default: $IMAGEN_MODEL, else models/storybook here or beside the program].
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t, value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// GPU memory that may be used, such as 6GiB or 800MiB: decides how much of the model stays loaded at a time
    /// [default: a small model stays as a whole, of a larger one as much as fits 4GiB].
    #[arg(long, value_name = "SIZE")]
    pub gpu_memory: Option<ByteSize>,
    /// CPU threads [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// How pictures are sampled, for all commands that make some.
#[derive(Debug, Args)]
pub struct Sampling {
    /// Steps: 64=20,256=4, or one number for the first stage. A name takes a time grid of DeepFloyd IF: fast27, smart27,
    /// smart50, smart100, smart185, super27, super40, super100.
    #[arg(long, value_name = "STEPS")]
    pub steps: Option<StepsOption>,
    /// Guidance scale: one number for the stages that the model guides, or 64=4,256=1; 1 is none.
    #[arg(long, visible_alias = "guidance", value_name = "SCALE")]
    pub cfg_scale: Option<GuidanceOption>,
    /// ddpm, `ddim[:eta]` or dpm++2m; or 64=ddim,256=ddpm.
    #[arg(long, value_name = "NAME")]
    pub sampler: Option<SamplerOption>,
    /// none, `static[:max]` or `dynamic[:quantile[:max]]`; or per stage.
    #[arg(long, value_name = "KIND")]
    pub threshold: Option<ThresholdOption>,
    /// Noise level of the conditioning augmentation: 256=50.
    #[arg(long, value_name = "LEVEL")]
    pub aug_level: Option<LevelOption>,
    /// Low-rank adapters of a U-Net's attention as diffusers saves them (safetensors), with a scale behind a colon; they are
    /// merged into the stage that they fit. May be given several times.
    #[arg(long, value_name = "FILE[:SCALE]")]
    pub lora: Vec<LoraOption>,
}

#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  imagen generate -p \"a red house on a hill at night\" -o house.png
  imagen generate -p \"a cat\" -s 7 --count 4 --stop-at-stage 1 -o cat.png
  imagen generate -p \"a cat\" --steps 64=50,256=4 --cfg-scale 3 --save-stages -o cat.png
  imagen generate --prompts prompts.jsonl -o pictures/{index}.png

Settings per stage are written SIZE=VALUE,SIZE=VALUE with the stages' image sizes.")]
pub struct Generate {
    #[command(flatten)]
    pub setup: Setup,
    /// What the picture should show.
    #[arg(short, long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// What it should not show.
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    pub negative_prompt: String,
    /// Seed of all noise [default: 0].
    #[arg(short, long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub sampling: Sampling,
    /// Pictures of this prompt [default: 1].
    #[arg(long, value_name = "N")]
    pub count: Option<u32>,
    /// First stage that runs, from 1 or by image size; needs --start-picture unless it is the first.
    #[arg(long, value_name = "STAGE")]
    pub start_at_stage: Option<u32>,
    /// A PNG of the size of the stage before; enlarged by the stages from there on.
    #[arg(long, value_name = "PNG")]
    pub start_picture: Option<PathBuf>,
    /// Last stage that runs, from 1 or by image size.
    #[arg(long, value_name = "STAGE")]
    pub stop_at_stage: Option<u32>,
    /// Also keep the pictures of the other stages, as OUT.64.png, OUT.256.png.
    #[arg(long)]
    pub save_stages: bool,
    /// An embedding made by `imagen encode`, instead of encoding the prompt.
    #[arg(long, value_name = "FILE")]
    pub embedding: Option<PathBuf>,
    /// A safetensors file with initial.K, aug.K and step.K.I, [count, 3, size, size] each; any subset.
    #[arg(long, value_name = "FILE")]
    pub initial_noise: Option<PathBuf>,
    /// A file with one JSON object per line: prompt, and any of negative_prompt, seed, count, output.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "unconditional", "embedding"])]
    pub prompts: Option<PathBuf>,
    /// Generate without any prompt.
    #[arg(long, conflicts_with_all = ["prompt", "embedding"])]
    pub unconditional: bool,
    /// Time every GPU kernel and print a table per network.
    #[arg(long)]
    pub profile: bool,
    /// The picture to write. With --count or --prompts a number is added, or put where {index} stands.
    #[arg(short, long, value_name = "OUT.png")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct Encode {
    #[command(flatten)]
    pub setup: Setup,
    /// The prompt.
    #[arg(short, long, value_name = "TEXT")]
    pub prompt: String,
    /// The safetensors file to write: input_ids, attention_mask, embedding.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct Convert {
    /// What to convert: a cascade's folder, the pipelines of DeepFloyd IF's stages one after the other, a text encoder (a
    /// folder of transformers or .gguf), a U-Net of diffusers, a checkpoint of imagen-pytorch (.pt); several of them become
    /// one model.
    #[arg(value_name = "SRC", required = true)]
    pub sources: Vec<PathBuf>,
    /// A JSON file with the arguments of imagen-pytorch's Imagen and its U-Nets, for a checkpoint that does not hold them.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The text encoder of a checkpoint of imagen-pytorch, as if it stood among the sources.
    #[arg(long, value_name = "FOLDER_OR_GGUF")]
    pub text_encoder: Option<PathBuf>,
    /// The folder to write. Parts of a model that are there already stay, but for those that are converted anew.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Formats of the large weights: f32, f16, bf16, q8_0, q6_k, q5_k, q5_0, q4_k, q4_0, or the mixtures q5_k_m and
    /// q4_k_m, which give Q6_K to what suffers most; of single networks q8_0,text_encoder=q4_k_m,unet=q5_k.
    #[arg(long, default_value = "f16", value_name = "FORMATS")]
    pub quantize: Quantization,
}

#[derive(Debug, Args)]
pub struct Dataset {
    #[command(subcommand)]
    pub kind: DatasetKind,
}

/// Data sets that the program can make.
#[derive(Debug, Subcommand)]
pub enum DatasetKind {
    /// Storybook scenes with captions, drawn by the program.
    Storybook(Storybook),
    /// A tokenizer whose pieces are the words of the scenes' captions, or of your own.
    Tokenizer(GrammarTokenizer),
}

#[derive(Debug, Args)]
pub struct GrammarTokenizer {
    /// The tokenizer.json to write.
    #[arg(value_name = "OUT.json")]
    pub output: PathBuf,
    /// A text file with a caption per line, instead of the captions of storybook scenes.
    #[arg(long, value_name = "FILE.txt")]
    pub captions: Option<PathBuf>,
    /// Pieces at most, as many as the text encoder has embeddings; the rarest words are spelt.
    #[arg(long, default_value_t = 1024, value_name = "N")]
    pub size: usize,
}

#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  imagen dataset storybook scenes --count 100000 --size 64
  imagen dataset storybook scenes --count 10000 --size 256 --seed 1 --tar
  imagen dataset storybook held-out --count 500 --held-out --contact-sheet held-out.png

The scene is the same for a seed and an index, at every size and on every machine.")]
pub struct Storybook {
    /// The folder to write, which may be new: PNG files and metadata.jsonl.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// How many pictures.
    #[arg(long, value_name = "N")]
    pub count: u64,
    /// Pixels on each side, from 64 to 1024.
    #[arg(long, default_value_t = 64, value_name = "S")]
    pub size: u32,
    /// Seed of all scenes.
    #[arg(short, long, default_value_t = 0, value_name = "K")]
    pub seed: u64,
    /// Show in every scene a pair of kind and colour that the others never show, such as a purple cat.
    #[arg(long)]
    pub held_out: bool,
    /// Show in every scene a kind of thing that the others never show and no model has learnt from them: windmill.
    #[arg(long, value_name = "KIND", conflicts_with = "held_out", value_parser = super::dataset::novel)]
    pub novel: Option<crate::dataset::Kind>,
    /// Write WebDataset shards (storybook-000000.tar) instead of single files.
    #[arg(long)]
    pub tar: bool,
    /// Pictures per shard.
    #[arg(long, default_value_t = 1000, value_name = "N", requires = "tar")]
    pub shard_size: u64,
    /// Also write the first 64 pictures as one, row by row in the order of the captions.
    #[arg(long, value_name = "PNG")]
    pub contact_sheet: Option<PathBuf>,
    /// CPU threads [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// A model's folder, a .gguf file or a .png file.
    #[arg(value_name = "FILE_OR_DIR")]
    pub path: PathBuf,
    /// List every tensor.
    #[arg(long)]
    pub tensors: bool,
}

#[derive(Debug, Args)]
pub struct Tune {
    /// The weights' format.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: TuneFormat,
    /// Runs of each tile, of which the fastest counts.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub runs: u16,
    /// Work in half precision.
    #[arg(long)]
    pub half: bool,
    /// How many products to measure, the small ones first.
    #[arg(long, default_value_t = 9, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub products: u8,
}

/// Formats of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TuneFormat {
    F32,
    F16,
    #[default]
    #[value(name = "q8_0")]
    Q8,
    #[value(name = "q4_0")]
    Q4,
}

impl From<TuneFormat> for BlockFormat {
    fn from(format: TuneFormat) -> Self {
        match format {
            TuneFormat::F32 => Self::F32,
            TuneFormat::F16 => Self::F16,
            TuneFormat::Q8 => Self::Q8_0,
            TuneFormat::Q4 => Self::Q4_0,
        }
    }
}
