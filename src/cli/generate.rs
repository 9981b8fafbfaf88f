//! `imagen generate`.

use super::args::Generate;
use super::batch::{self, Line};
use super::exit::Failure;
use super::lora;
use super::model::{self, Opened};
use super::progress::Progress;
use super::save::{Saver, Target};
use super::{interrupt, per_stage};
use crate::cascade::{GivenNoise, Manifest, Request};
use crate::image::png;
use crate::text::Embedding;
use pollster::block_on;
use serde_json::json;
use std::path::{Path, PathBuf};

/// One request and where its pictures go.
struct Job {
    request: Request,
    target: Target,
}

pub(super) fn run(options: &Generate, json: bool) -> Result<(), Failure> {
    let lines = lines(options)?;
    let target = Target::new(&options.output)?;
    let targets = targets(&target, &lines)?;
    // Everything that can fail cheaply fails before the model is opened.
    targets.iter().try_for_each(Target::check_writable)?;
    let Opened { mut cascade, device } = model::open(&options.setup, json)?;
    lora::apply(&mut cascade, &options.sampling.lora)?;
    let manifest = cascade.manifest().clone();
    let mut jobs = Vec::new();
    for (line, target) in lines.iter().zip(targets) {
        let request = request(options, line, &manifest)?;
        request.check(&manifest)?;
        jobs.push(Job { request, target });
    }
    for Job { request, target } in &jobs {
        let saver = Saver::new(request, &manifest, target.clone(), options.save_stages);
        let mut progress = Progress::new(json, Some(saver));
        let result = block_on(cascade.generate(request, &mut progress));
        let seconds = progress.seconds.clone();
        let Some(mut saver) = progress.finish() else { continue };
        if result.is_err() {
            saver.keep_all();
        }
        tell(&saver, request, &device, &seconds, json);
        match result {
            Ok(_) => {}
            Err(error) => {
                let mut failure = Failure::from(error);
                if !saver.written.is_empty() {
                    failure.message += "; the finished stages were kept";
                }
                return Err(failure);
            }
        }
        if let Some(trouble) = saver.trouble {
            return Err(Failure::new(trouble));
        }
        if interrupt::interrupted() {
            break;
        }
    }
    Ok(())
}

/// The lines of the batch, or the command line's own prompt as one.
fn lines(options: &Generate) -> Result<Vec<Line>, Failure> {
    if let Some(path) = &options.prompts {
        return batch::read(path);
    }
    match &options.prompt {
        Some(prompt) => Ok(vec![Line { prompt: prompt.clone(), ..Line::default() }]),
        None if options.unconditional || options.embedding.is_some() => Ok(vec![Line::default()]),
        None => Err(Failure::usage("no prompt; give one with -p TEXT, --prompts FILE.jsonl or --embedding FILE")),
    }
}

/// One target per line, no two the same.
fn targets(target: &Target, lines: &[Line]) -> Result<Vec<Target>, Failure> {
    let one = |(index, line): (usize, &Line)| match &line.output {
        Some(name) => target.renamed(name),
        None if lines.len() == 1 => Ok(target.clone()),
        None => Ok(target.numbered(index + 1)),
    };
    let targets = lines.iter().enumerate().map(one).collect::<Result<Vec<Target>, Failure>>()?;
    for (index, target) in targets.iter().enumerate() {
        if targets[..index].contains(target) {
            return Err(Failure::usage(format!("line {} would overwrite the picture of another line", index + 1)));
        }
    }
    Ok(targets)
}

fn request(options: &Generate, line: &Line, manifest: &Manifest) -> Result<Request, Failure> {
    let mut request = Request {
        prompt: line.prompt.clone(),
        negative_prompt: line.negative_prompt.clone().unwrap_or_else(|| options.negative_prompt.clone()),
        unconditional: options.unconditional,
        seed: line.seed.or(options.seed).unwrap_or(0),
        count: line.count.or(options.count).unwrap_or(1),
        profile: options.profile,
        adapters: options.sampling.lora.iter().map(ToString::to_string).collect(),
        ..Request::default()
    };
    per_stage::apply(&mut request, manifest, &options.sampling);
    if let Some(stage) = options.start_at_stage {
        request.start_at_stage = per_stage::stage_number("start-at-stage", manifest, stage)?;
    }
    if let Some(stage) = options.stop_at_stage {
        request.stop_at_stage = Some(per_stage::stage_number("stop-at-stage", manifest, stage)?);
    }
    if let Some(path) = &options.start_picture {
        let (picture, _) = png::read(&read(path)?).map_err(|error| named(path, error))?;
        request.start_pictures = vec![picture];
    }
    if let Some(path) = &options.initial_noise {
        request.noise = GivenNoise::from_safetensors(&path.display().to_string(), &read(path)?)?;
    }
    if let Some(path) = &options.embedding {
        let embedding = Embedding::from_safetensors(&path.display().to_string(), &read(path)?);
        request.embedding = Some(embedding.map_err(Failure::new)?);
    }
    Ok(request)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| named(path, error))
}

fn named(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("cannot use {}: {error}", path.display()))
}

/// Says what was written: paths on stdout, or one JSON object.
fn tell(
    saver: &Saver<'_>,
    request: &Request,
    device: &str,
    seconds: &std::collections::BTreeMap<u32, f64>,
    json: bool,
) {
    if json {
        let files: Vec<_> = saver
            .written
            .iter()
            .map(|file| json!({"path": file.path, "image_size": file.image_size, "image": file.image}))
            .collect();
        let result = json!({
            "event": "result", "prompt": request.prompt, "seed": request.seed, "device": device,
            "files": files, "seconds": seconds,
        });
        println!("{result}");
        return;
    }
    let paths: Vec<&PathBuf> = saver.written.iter().map(|file| &file.path).collect();
    for path in paths {
        println!("{}", path.display());
    }
}
