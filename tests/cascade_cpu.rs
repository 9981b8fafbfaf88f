//! The whole cascade on storybook, on the CPU: against the reference sampler, and what a seed and a prompt decide.
//!
//! Expected pictures and the first values of the noise generator come from tests/reference/cascade.py.

mod storybook;

use imagen_web::cascade::{Cascade, Directory, Output, Request, Silent};
use imagen_web::diffusion::Steps;
use imagen_web::diffusion::noise::{self, Draw};
use imagen_web::gpu::Backend;
use imagen_web::image::resample::box_downsample;
use imagen_web::image::{Picture, png};
use imagen_web::weights::{BlockFormat, FileSource, Weights};
use pollster::block_on;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn generate(request: &Request) -> Output {
    let files = Box::new(Directory::new(storybook::folder()));
    let mut cascade = block_on(Cascade::open(files, Backend::Cpu)).unwrap();
    block_on(cascade.generate(request, &mut Silent)).unwrap()
}

/// Peak signal-to-noise ratio of values from -1 to 1, in dB.
fn psnr(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |(a, b): (&f32, &f32)| f64::from((a - b) / 2.0).powi(2);
    -10.0 * (a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64).log10()
}

/// The picture at 64×64, by averaging blocks.
fn small(picture: &Picture) -> Vec<f32> {
    let size = picture.width as usize;
    box_downsample(&picture.to_planar(), [3, size, size], size / 64).unwrap()
}

/// The format of the model's large weights, as the fixtures are named after it.
fn format() -> String {
    let file = FileSource::open(&storybook::folder().join("unet.gguf")).unwrap();
    let weights = block_on(Weights::open(Box::new(file))).unwrap();
    let formats = weights.tensors().iter().map(|tensor| tensor.format);
    let quantised = formats.filter(|format| !matches!(format, BlockFormat::F32 | BlockFormat::F16)).max();
    quantised.unwrap_or(BlockFormat::F16).to_string().to_lowercase()
}

fn expected(format: &str, size: u32) -> Vec<f32> {
    let bytes = std::fs::read(fixture(&format!("cascade_{format}.{size}.png"))).unwrap();
    png::read(&bytes).unwrap().0.to_planar()
}

#[test]
fn the_noise_is_that_of_its_description() {
    let bytes = std::fs::read(fixture("cascade_noise.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), 3);
    for (name, view) in file.iter() {
        let key: Vec<u64> = name.split('.').map(|part| part.parse().unwrap()).collect();
        let &[seed, stage, draw, image] = key.as_slice() else { panic!("{name}") };
        let draw = match draw {
            0 => Draw::Initial,
            1 => Draw::Augmentation,
            step => Draw::Step(step as u32 - 2),
        };
        let expected = view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
        let expected: Vec<f32> = expected.collect();
        let mut drawn = vec![0.0; expected.len()];
        noise::normal(seed, stage as u32, draw, image as u32, &mut drawn);
        // numpy's logarithm and cosine may differ in the last bit of an f64, and so, rarely, of an f32.
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6 * a.abs().max(1.0);
        assert!(drawn.iter().zip(&expected).all(close), "{name}: {drawn:?} {expected:?}");
    }
}

#[test]
fn all_stages_are_those_of_the_reference_sampler() {
    let steps = [(64, 20), (256, 4), (1024, 2)].map(|(size, steps)| (size, Steps::Count(steps))).into();
    let output = generate(&Request { seed: 7, steps, ..Request::new("a red house on a hill at night") });
    assert_eq!(output.stages.len(), 3);
    let format = format();
    let base = output.stages[0].pictures[0].to_planar();
    for stage in &output.stages {
        let (size, values) = (stage.image_size, stage.pictures[0].to_planar());
        // The reference sampler with these very weights, dequantised.
        let decibel = psnr(&values, &expected(&format, size));
        println!("{size}×{size}: {decibel:.1} dB against the reference sampler with {format} weights");
        assert!(decibel >= 40.0, "{size}×{size}: {decibel} dB");
        // With the original ones: what the format loses.
        let decibel = psnr(&values, &expected("f16", size));
        println!("{size}×{size}: {decibel:.1} dB against the reference sampler with the original weights");
        assert!(decibel >= 30.0, "{size}×{size}: {decibel} dB");
        let agreement = psnr(&small(&stage.pictures[0]), &base);
        println!("{0}×{0}: {agreement:.1} dB against the 64×64 stage", stage.image_size);
        assert!(agreement >= 25.0, "{0}×{0} against the first stage: {agreement} dB", stage.image_size);
    }
}

#[test]
fn the_seed_and_the_prompt_decide() {
    let request = |prompt: &str, seed| {
        let steps = [(64, 6.into()), (256, 1.into())].into();
        generate(&Request { seed, steps, stop_at_stage: Some(2), ..Request::new(prompt) })
    };
    let house = request("a red house on a hill at night", 1);
    assert_eq!(house, request("a red house on a hill at night", 1), "same bytes");
    for (other, bar) in
        [(request("a yellow duck on the water", 1), 18.0), (request("a red house on a hill at night", 2), 28.0)]
    {
        let decibel = psnr(&house.pictures()[0].to_planar(), &other.pictures()[0].to_planar());
        println!("{decibel:.1} dB between different pictures");
        assert!(decibel < bar, "{decibel} dB: the pictures should differ clearly");
    }
}
