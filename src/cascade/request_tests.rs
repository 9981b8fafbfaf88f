//! Every setting out of range is an error that names it and its range.

use super::mock::tiny_model;
use super::{Manifest, Request};
use crate::diffusion::{Sampler, Thresholding};
use crate::image::Picture;

fn manifest() -> Manifest {
    Manifest::from_json(&tiny_model().0["imagen.json"]).unwrap()
}

#[test]
fn faults_name_the_setting_and_its_range() {
    let picture = |size: u32| Picture { width: size, height: size, rgb: vec![0; (size * size * 3) as usize] };
    let good = || Request::new("a house");
    let cases: Vec<(Request, &str)> = vec![
        (Request::new("  "), "prompt: it is empty; say what"),
        (Request::new("x".repeat(10_001)), "prompt: it has 10001 characters, at most 10000"),
        (Request { negative_prompt: "x".repeat(10_001), ..good() }, "negative prompt: it has 10001"),
        (Request { unconditional: true, ..good() }, "unconditional: an unconditional picture has no prompt"),
        (Request { count: 0, ..good() }, "count: must be between 1 and 64, got 0"),
        (Request { count: 65, ..good() }, "count: must be between 1 and 64, got 65"),
        (Request { steps: [(8, 0.into())].into(), ..good() }, "steps: must be between 1 and 1000, got 0"),
        (Request { steps: [(8, 1001.into())].into(), ..good() }, "steps: must be between 1 and 1000, got 1001"),
        (Request { steps: [(64, 1.into())].into(), ..good() }, "steps: no stage has the size 64; this model has 8, 16"),
        (Request { guidance: [(8, f32::NAN)].into(), ..good() }, "guidance: must be between 0 and 100, got NaN"),
        (Request { guidance: [(8, -1.0)].into(), ..good() }, "guidance: must be between 0 and 100, got -1"),
        (Request { sampler: [(9, Sampler::Ddpm)].into(), ..good() }, "sampler: no stage has the size 9"),
        (
            Request { thresholding: [(8, Thresholding::Dynamic { quantile: 2.0, max: 1.0 })].into(), ..good() },
            "thresholding: dynamic.quantile must be between 0 and 1, got 2",
        ),
        (Request { aug_level: [(16, 200)].into(), ..good() }, "aug_level: must be between 0 and 199, got 200"),
        (Request { aug_level: [(8, 0)].into(), ..good() }, "aug_level: the 8×8 stage sees no other picture"),
        (Request { start_at_stage: 0, ..good() }, "start_at_stage: must be between 1 and 2, got 0"),
        (Request { start_at_stage: 2, ..good() }, "start picture: stage 2 enlarges a picture; give the picture"),
        (Request { stop_at_stage: Some(3), ..good() }, "stop_at_stage: must be between 1 and 2, got 3"),
        (Request { preview_every: Some(0), ..good() }, "preview_every: must be between 1"),
        (Request { start_pictures: vec![picture(8)], ..good() }, "start picture: the first stage starts from noise"),
        (
            Request { start_at_stage: 2, start_pictures: vec![picture(9)], ..good() },
            "start picture: it is 9×9 pixels, stage 2 starts from 8×8; resize it first",
        ),
        (
            Request { start_at_stage: 2, count: 3, start_pictures: vec![picture(8), picture(8)], ..good() },
            "2 pictures were given for a count of 3",
        ),
    ];
    for (request, expected) in cases {
        let error = request.check(&manifest()).unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected:?}, got {error:?}");
    }
}

#[test]
fn given_noise_must_fit() {
    for (name, shape, expected) in [
        ("initial.0", vec![1, 3, 8, 9], "initial.0 has shape [1, 3, 8, 9], expected [1, 3, 8, 8]"),
        ("initial.2", vec![1, 3, 8, 8], "of a stage that this model lacks; it has 2"),
        ("begin.0", vec![1, 3, 8, 8], "is no noise of a stage; expected initial.K"),
        ("step.0", vec![1, 3, 8, 8], "is no noise of a stage"),
        ("step.0.1.2", vec![1, 3, 8, 8], "is no noise of a stage"),
        ("initial.00", vec![1, 3, 8, 8], "is no noise of a stage"),
        ("step.0.+1", vec![1, 3, 8, 8], "is no noise of a stage"),
        ("aug.0", vec![1, 3, 8, 8], "it has no augmentation"),
    ] {
        let mut request = Request::new("a house");
        let values = shape.iter().product();
        request.noise.insert(name, &shape, vec![0.0; values]);
        let error = request.check(&manifest()).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn plain_settings_go_to_the_stages_that_they_mean() {
    let (manifest, mut request) = (manifest(), Request::new("a house"));
    request.set_guidance(&manifest, 3.0);
    request.set_steps(&manifest, 9);
    request.set_sampler(&manifest, Sampler::Ddpm);
    request.set_thresholding(&manifest, Thresholding::None);
    assert_eq!(request.guidance, [(8, 3.0)].into());
    assert_eq!(request.steps, [(8, 9.into())].into());
    assert_eq!(request.sampler, [(8, Sampler::Ddpm), (16, Sampler::Ddpm)].into());
    assert_eq!(request.thresholding, [(8, Thresholding::None)].into());
    request.check(&manifest).unwrap();
}

#[test]
fn requests_survive_json() {
    let request = Request { steps: [(64, 20.into())].into(), stop_at_stage: Some(1), ..Request::new("ä \"house\"") };
    let json = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), request);
    assert_eq!(serde_json::from_str::<Request>("{\"prompt\":\"x\"}").unwrap(), Request::new("x"));
}
