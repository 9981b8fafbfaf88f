//! `imagen encode`.

use super::args::Encode;
use super::exit::Failure;
use super::model::{self, Opened};
use super::progress::Progress;
use super::save::write_file;
use pollster::block_on;
use serde_json::json;

pub(super) fn run(options: &Encode, json: bool) -> Result<(), Failure> {
    if options.output.is_dir() {
        return Err(Failure::usage(format!("the output {} is a folder; name a file", options.output.display())));
    }
    let Opened { mut cascade, device } = model::open(&options.setup, json)?;
    let mut progress = Progress::new(json, None);
    let embeddings = block_on(cascade.encode(std::slice::from_ref(&options.prompt), &mut progress))?;
    progress.finish();
    let Some(embedding) = embeddings.first() else {
        return Err(Failure::new("the text encoder gave no embedding"));
    };
    let bytes = embedding.to_safetensors().map_err(Failure::new)?;
    let path = &options.output;
    write_file(path, &bytes).map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    if json {
        let (tokens, d_model) = (embedding.tokens, embedding.d_model);
        println!(
            "{}",
            json!({"event": "result", "path": path, "tokens": tokens, "d_model": d_model, "device": device})
        );
    } else {
        println!("{}", path.display());
    }
    Ok(())
}
