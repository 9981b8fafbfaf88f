//! What training has to reach on the storybook stages. Minutes each, so they run when asked for:
//! `cargo test --test cli train_quality -- --ignored --nocapture`.

use crate::program::Program;
use imagen_web::cascade::{Cascade, Directory, Request, Silent};
use imagen_web::gpu::Backend;
use imagen_web::image::Picture;
use imagen_web::image::resample::{Filter, box_downsample, upsample};
use imagen_web::train::data;
use pollster::block_on;
use std::path::Path;
use std::time::Instant;

/// Super-resolution enlarges by so much.
const FACTOR: usize = 4;

/// A picture in planes, and its caption.
struct Scene {
    caption: String,
    planes: Vec<f32>,
    size: usize,
}

impl Scene {
    /// The scenes of a data set of this size.
    fn all(folder: &Path, size: usize) -> Vec<Self> {
        let set = data::open(folder).unwrap();
        let scene = |index| {
            let record = set.read(index).unwrap();
            Self { caption: record.caption, planes: data::fit(&record.picture, size, size).unwrap(), size }
        };
        (0..set.len()).map(scene).collect()
    }

    /// As the stage before would hand it on.
    fn low(&self) -> Picture {
        let planes = box_downsample(&self.planes, [3, self.size, self.size], FACTOR).unwrap();
        Picture::from_planar(&planes, self.size / FACTOR, self.size / FACTOR).unwrap()
    }

    fn bicubic(&self) -> Vec<f32> {
        let low = self.size / FACTOR;
        upsample(&self.low().to_planar(), [3, low, low], Filter::Bicubic, [self.size, self.size]).unwrap()
    }

    /// What a model's stage, counted from 1, draws for the caption, and of the low picture where it enlarges one.
    fn drawn(&self, model: &Path, stage: usize) -> Vec<f32> {
        let mut cascade = block_on(Cascade::open(Box::new(Directory::new(model)), Backend::Cpu)).unwrap();
        let mut request = Request { start_at_stage: stage, stop_at_stage: Some(stage), ..Request::new(&self.caption) };
        request.guidance.insert(self.size as u32, 1.0);
        if stage > 1 {
            request.start_pictures = vec![self.low()];
        }
        let output = block_on(cascade.generate(&request, &mut Silent)).unwrap();
        output.pictures()[0].to_planar()
    }

    /// Peak signal-to-noise ratio of another picture, in dB.
    fn psnr(&self, other: &[f32]) -> f64 {
        let square = |(a, b): (&f32, &f32)| f64::from((a - b) / 2.0).powi(2);
        -10.0 * (self.planes.iter().zip(other).map(square).sum::<f64>() / self.planes.len() as f64).log10()
    }

    /// Root mean square difference of neighbours, which blur lowers.
    fn sharpness(&self, planes: &[f32]) -> f64 {
        let square = |a: f32, b: f32| f64::from(a - b).powi(2);
        let across = planes.chunks_exact(self.size).flat_map(|row| row.windows(2).map(|pair| square(pair[0], pair[1])));
        let down = planes
            .chunks_exact(self.size * self.size)
            .flat_map(|plane| plane.iter().zip(&plane[self.size..]).map(|(&a, &b)| square(a, b)).collect::<Vec<_>>());
        across.chain(down).sum::<f64>().sqrt()
    }
}

/// Trains a stage of the shipped model on one picture; PSNR of what the model draws before and after, and of the bicubic enlargement
/// for super-resolution.
fn overfitted(size: usize, stage: usize, settings: &[&str]) -> [f64; 3] {
    let program = Program::new();
    let side = size.to_string();
    program.succeed(&["dataset", "storybook", "one", "--count", "1", "--seed", "11", "--size", &side]);
    let begun = Instant::now();
    let usual =
        ["train", "--data", "one", "--output", "run", "--stage", &side, "--flip", "false", "--drop-caption", "0"];
    program.succeed(&[&usual[..], &["--unaugmented", "1", "--checkpoint-every", "0"], settings].concat());
    let seconds = begun.elapsed().as_secs();
    program.succeed(&["train", "export", "run", "-o", "model"]);
    let scene = Scene::all(&program.path("one"), size).swap_remove(0);
    let [before, after] = [&program.model, &program.path("model")].map(|model| scene.psnr(&scene.drawn(model, stage)));
    let bicubic = if stage > 1 { scene.psnr(&scene.bicubic()) } else { f64::NEG_INFINITY };
    println!("{size}: {before:.1} dB before, {after:.1} dB after {seconds} s of training, bicubic {bicubic:.1} dB");
    [before, after, bicubic]
}

#[test]
#[ignore = "minutes of training"]
fn one_picture_is_learnt_by_the_base() {
    let settings = ["--steps", "400", "--batch", "4", "--rate", "1e-3", "--last-rate", "2e-5", "--warm-up", "20"];
    let [before, after, _] = overfitted(64, 1, &[&settings[..], &["--ema", "0.98", "--focus", "0.4:800:120"]].concat());
    assert!(after >= 30.0 && after > before + 10.0, "{after}");
}

#[test]
#[ignore = "minutes of training"]
fn one_picture_is_learnt_by_super_resolution_to_256() {
    let settings = ["--steps", "200", "--batch", "1", "--rate", "1e-3", "--last-rate", "2e-5", "--warm-up", "20"];
    let [before, after, bicubic] =
        overfitted(256, 2, &[&settings[..], &["--ema", "0.95", "--focus", "1:999:0"]].concat());
    assert!(after >= 30.0 && after > before + 2.0 && after > bicubic + 4.0, "{after}");
}

#[test]
#[ignore = "minutes of training"]
fn one_picture_is_learnt_by_super_resolution_to_1024() {
    let settings = ["--steps", "80", "--batch", "1", "--rate", "1e-3", "--last-rate", "2e-5", "--warm-up", "10"];
    let [before, after, bicubic] =
        overfitted(1024, 3, &[&settings[..], &["--ema", "0.95", "--focus", "1:999:0"]].concat());
    assert!(after >= 30.0 && after > before + 1.0 && after > bicubic + 2.0, "{after}");
}

/// So many updates take 20 minutes on two cores.
const UPDATES: &str = "2000";

#[test]
#[ignore = "20 minutes of training"]
fn super_resolution_from_scratch_beats_bicubic() {
    let program = Program::new();
    let scenes = |name: &str, more: &[&str]| {
        program.succeed(&[&["dataset", "storybook", name, "--size", "256"][..], more].concat());
    };
    scenes("scenes", &["--count", "3000", "--seed", "1"]);
    scenes("unseen", &["--count", "16", "--seed", "2", "--held-out"]);
    let begun = Instant::now();
    let data = ["train", "--fresh", "--stage", "256", "--data", "scenes", "--output", "run", "--steps", UPDATES];
    let rate = ["--rate", "1e-3", "--last-rate", "3e-5", "--warm-up", "100", "--ema", "0.995"];
    let draws = ["--batch", "1", "--crops", "128,256", "--focus", "0.7:999:0", "--unaugmented", "0.5"];
    program.succeed(&[&data[..], &rate, &draws, &["--checkpoint-every", "200"]].concat());
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    program.succeed(&["train", "export", "run", "-o", "model"]);
    let unseen = Scene::all(&program.path("unseen"), 256);
    // PSNR and, against the picture itself, sharpness; the means over all pictures.
    let judged = |enlarged: &dyn Fn(&Scene) -> Vec<f32>| {
        let mut sums = [0.0; 2];
        for scene in &unseen {
            let planes = enlarged(scene);
            sums[0] += scene.psnr(&planes);
            sums[1] += scene.sharpness(&planes) / scene.sharpness(&scene.planes);
        }
        sums.map(|sum| sum / unseen.len() as f64)
    };
    let [psnr, sharpness] = judged(&|scene| scene.drawn(&program.path("model"), 2));
    let [bicubic_psnr, bicubic_sharpness] = judged(&|scene| scene.bicubic());
    println!("{UPDATES} updates in {minutes:.1} minutes, {} held-out scenes:", unseen.len());
    println!("trained {psnr:.2} dB, sharpness {sharpness:.3}");
    println!("bicubic {bicubic_psnr:.2} dB, sharpness {bicubic_sharpness:.3}");
    assert!(psnr > bicubic_psnr && sharpness > bicubic_sharpness && sharpness < 1.1);
}
