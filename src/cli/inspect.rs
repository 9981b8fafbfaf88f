//! `imagen inspect`: a model's folder, a GGUF file, or a PNG with its settings.

use super::exit::Failure;
use super::{args::Inspect, inspect_model};
use crate::image::png;
use crate::weights::{FileSource, TensorInfo, Weights};
use indicatif::HumanBytes;
use pollster::block_on;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn run(options: &Inspect, json: bool) -> Result<(), Failure> {
    let path = &options.path;
    if path.is_dir() {
        return inspect_model::run(path, options.tensors, json);
    }
    let mut start = [0; 4];
    let file = std::fs::File::open(path);
    let read = file.and_then(|mut file| std::io::Read::read(&mut file, &mut start));
    let length = read.map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    match &start[..length] {
        b"GGUF" => gguf(path, options.tensors, json),
        [0x89, b'P', b'N', b'G'] => picture(path, json),
        _ => {
            let message = format!("{} is no model's folder, no GGUF file and no PNG file", path.display());
            Err(Failure::usage(message))
        }
    }
}

fn picture(path: &Path, json: bool) -> Result<(), Failure> {
    let named = |error: &dyn std::fmt::Display| Failure::new(format!("cannot read {}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| named(&error))?;
    let (picture, settings) = png::read(&bytes).map_err(|error| named(&error))?;
    if json {
        let settings = settings.map(|settings| serde_json::to_value(settings).unwrap_or_default());
        println!("{}", json!({"kind": "png", "width": picture.width, "height": picture.height, "settings": settings}));
        return Ok(());
    }
    println!("{}×{} pixels", picture.width, picture.height);
    match settings {
        None => println!("no settings of an image generator in it"),
        Some(settings) => {
            println!("{}", settings.to_parameters());
            if !settings.request.is_null() {
                println!("Request: {}", settings.request);
            }
        }
    }
    Ok(())
}

fn gguf(path: &Path, list: bool, json: bool) -> Result<(), Failure> {
    let source = FileSource::open(path).map_err(Failure::new)?;
    let weights = block_on(Weights::open(Box::new(source))).map_err(Failure::new)?;
    if json {
        println!("{}", describe(&weights, list));
        return Ok(());
    }
    println!("{}: {}, {}", path.display(), weights.metadata().architecture(), HumanBytes(weights.size()));
    for (key, value) in weights.metadata().iter() {
        let text: String = format!("{value:?}").chars().take(100).collect();
        println!("  {key} = {text}");
    }
    println!("{}", summary(weights.tensors()));
    if list {
        weights.tensors().iter().for_each(|tensor| println!("  {}", line(tensor)));
    }
    Ok(())
}

/// A file's contents as JSON.
pub(super) fn describe(weights: &Weights, list: bool) -> Value {
    let formats: BTreeMap<String, usize> = formats(weights.tensors());
    let mut value = json!({
        "kind": "gguf", "name": weights.name(), "architecture": weights.metadata().architecture(),
        "bytes": weights.size(), "parameters": parameters(weights.tensors()), "tensors": weights.tensors().len(),
        "formats": formats,
    });
    if list {
        let tensor = |tensor: &TensorInfo| json!({"name": tensor.name, "shape": tensor.shape, "format": tensor.format.to_string(), "bytes": tensor.bytes()});
        value["list"] = weights.tensors().iter().map(tensor).collect();
    }
    value
}

/// "154 tensors, 13.17 million parameters: 90 F16, 64 F32".
pub(super) fn summary(tensors: &[TensorInfo]) -> String {
    let formats: Vec<String> = formats(tensors).iter().map(|(format, count)| format!("{count} {format}")).collect();
    let millions = parameters(tensors) as f64 / 1e6;
    format!("{} tensors, {millions:.2} million parameters: {}", tensors.len(), formats.join(", "))
}

/// One tensor in words.
pub(super) fn line(tensor: &TensorInfo) -> String {
    format!("{:<70} {:<6} {:?}", tensor.name, tensor.format.to_string(), tensor.shape)
}

fn parameters(tensors: &[TensorInfo]) -> u64 {
    tensors.iter().map(|tensor| tensor.rows() as u64 * tensor.columns() as u64).sum()
}

fn formats(tensors: &[TensorInfo]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    tensors.iter().for_each(|tensor| *counts.entry(tensor.format.to_string()).or_insert(0) += 1);
    counts
}
