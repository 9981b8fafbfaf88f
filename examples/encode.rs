//! The embeddings of some prompts, and how alike they are.
//!
//!     cargo run --example encode -- "a red house" "a red car" "a blue fish"

use imagen_web::cascade::{Cascade, Directory, Silent};
use imagen_web::gpu::Backend;
use imagen_web::text::Embedding;
use std::error::Error;

/// The mean over the prompt's own tokens, padding left out.
fn mean(embedding: &Embedding) -> Vec<f32> {
    let mut mean = vec![0.0; embedding.d_model];
    let rows = embedding.values.chunks_exact(embedding.d_model).zip(&embedding.mask);
    for (row, _) in rows.filter(|(_, mask)| **mask == 1) {
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    mean
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut prompts: Vec<String> = std::env::args().skip(1).collect();
    if prompts.is_empty() {
        prompts = ["a red house", "a red car", "a blue fish"].map(str::to_owned).to_vec();
    }
    let files = Box::new(Directory::new("models/storybook"));
    let mut cascade = pollster::block_on(Cascade::open(files, Backend::Cpu))?;
    let embeddings = pollster::block_on(cascade.encode(&prompts, &mut Silent))?;
    let means: Vec<Vec<f32>> = embeddings.iter().map(mean).collect();
    for (prompt, row) in prompts.iter().zip(&means) {
        let likeness: Vec<String> = means.iter().map(|other| format!("{:6.3}", cosine(row, other))).collect();
        println!("{prompt:>40}  {}", likeness.join(" "));
    }
    Ok(())
}
