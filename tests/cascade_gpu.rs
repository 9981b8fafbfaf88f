//! The cascade on storybook, on a GPU with WebGPU's default limits and no feature (a software adapter will do):
//! against the CPU, what a step asks of the device, and what happens when the device fails.

mod storybook;

use async_trait::async_trait;
use imagen_web::cascade::{
    Cascade, CascadeError, Decision, Directory, During, Event, Manifest, Observer, Output, Profile, Request, Residency,
    Silent, picture_settings, plan_stage, plan_text,
};
use imagen_web::diffusion::{Sampler, Thresholding};
use imagen_web::gpu::plan::Timing;
use imagen_web::gpu::{Backend, Counters, Device, DeviceOptions};
use imagen_web::image::Picture;
use imagen_web::weights::{FileSource, WeightIndex, Weights};
use pollster::block_on;
use std::sync::Arc;

fn device() -> Arc<Device> {
    block_on(Device::with_default_limits()).expect("a Vulkan driver (lavapipe will do)")
}

fn open(backend: Backend) -> Cascade {
    block_on(Cascade::open(Box::new(Directory::new(storybook::folder())), backend)).unwrap()
}

fn generate(backend: Backend, request: &Request) -> Output {
    block_on(open(backend).generate(request, &mut Silent)).unwrap()
}

fn base(steps: u32) -> Request {
    let request = Request { seed: 3, stop_at_stage: Some(1), ..Request::new("a red house on a hill at night") };
    Request { steps: [(64, steps.into())].into(), ..request }
}

fn psnr(a: &Picture, b: &Picture) -> f64 {
    let square = |(&a, &b): (&u8, &u8)| (f64::from(a) - f64::from(b)).powi(2);
    let mean = a.rgb.iter().zip(&b.rgb).map(square).sum::<f64>() / a.rgb.len() as f64;
    10.0 * (255.0f64.powi(2) / mean).log10()
}

fn weights(manifest: &Manifest, stage: Option<usize>) -> Weights {
    let entry = stage.map_or_else(|| manifest.text_encoder_file().unwrap(), |stage| &manifest.stages[stage].weights);
    let source = FileSource::open(&storybook::folder().join(&entry.file)).unwrap();
    block_on(Weights::open(Box::new(source))).unwrap()
}

/// Reads the device's counters at every step.
struct Watch {
    device: Arc<Device>,
    counters: Vec<Counters>,
    /// Bytes allocated when the stage started.
    allocated: u64,
}

#[async_trait(?Send)]
impl Observer for Watch {
    fn event(&mut self, event: Event) {
        match event {
            Event::StageStarted { .. } => self.allocated = self.device.allocated_bytes(),
            Event::Step { .. } => self.counters.push(self.device.counters()),
            _ => {}
        }
    }
}

#[test]
fn the_plan_paints_what_the_cpu_paints() {
    let request = Request { steps: [(64, 3.into()), (256, 1.into())].into(), stop_at_stage: Some(2), ..base(3) };
    let (cpu, gpu) = (generate(Backend::Cpu, &request), generate(Backend::Gpu(device()), &request));
    for (cpu, gpu) in cpu.stages.iter().zip(&gpu.stages) {
        let decibel = psnr(&cpu.pictures[0], &gpu.pictures[0]);
        println!("{0}×{0}: {decibel:.1} dB between CPU and plan", cpu.image_size);
        assert!(decibel >= 40.0, "{0}×{0}: {decibel} dB", cpu.image_size);
    }
}

#[test]
#[ignore = "minutes on a software adapter: part of make test-slow"]
fn the_plan_paints_what_the_cpu_paints_at_1024() {
    let request = Request { seed: 3, steps: [(64, 4.into())].into(), ..Request::new("a yellow duck on the water") };
    let (cpu, gpu) = (generate(Backend::Cpu, &request), generate(Backend::Gpu(device()), &request));
    let decibel = psnr(&cpu.pictures()[0], &gpu.pictures()[0]);
    println!("1024×1024: {decibel:.1} dB between CPU and plan");
    assert!(decibel >= 40.0, "{decibel} dB");
}

#[test]
fn a_step_is_one_submit_and_memory_is_as_planned() {
    let device = device();
    let mut cascade = open(Backend::Gpu(Arc::clone(&device)));
    let manifest = cascade.manifest().clone();
    let (tokens, limits) = (manifest.tokenizer.max_length, device.limits());
    let stage = plan_stage(&manifest.stages[0], &WeightIndex::from(&weights(&manifest, Some(0))), tokens, true, limits);
    let text = plan_text(&weights(&manifest, None), 2, tokens, limits);
    let planned = stage.as_ref().unwrap().peak_bytes() + text.unwrap().peak_bytes();
    println!("dispatches per base step: {}", stage.unwrap().dispatches("step"));

    let mut watch = Watch { device: Arc::clone(&device), counters: Vec::new(), allocated: 0 };
    let first = block_on(cascade.generate(&base(4), &mut watch)).unwrap();
    assert_eq!(watch.allocated, planned, "bytes that the device was asked for");
    assert_eq!(watch.counters.len(), 4);
    for pair in watch.counters.windows(2) {
        let expected = Counters { submits: pair[0].submits + 1, ..pair[0] };
        assert_eq!(pair[1], expected, "one submit, and no buffer, pipeline, bind group or readback");
    }
    let before = device.counters();
    let again = block_on(cascade.generate(&base(4), &mut Silent)).unwrap();
    assert_eq!(first, again, "the same bytes on the same device");
    let after = device.counters();
    assert_eq!(
        (before.buffers, before.pipelines, before.bind_groups),
        (after.buffers, after.pipelines, after.bind_groups),
        "a second run makes nothing new"
    );
}

/// Keeps what was decided about memory.
#[derive(Default)]
struct Decisions(Vec<Decision>);

#[async_trait(?Send)]
impl Observer for Decisions {
    fn event(&mut self, event: Event) {
        if let Event::Memory(decision) = event {
            self.0.push(decision);
        }
    }
}

#[test]
fn the_device_is_asked_for_what_the_budget_allows() {
    let request = Request { steps: [(64, 1.into()), (256, 1.into())].into(), stop_at_stage: Some(2), ..base(1) };
    let run = |budget: u64| {
        let device = device();
        let mut cascade = open(Backend::Gpu(Arc::clone(&device)));
        cascade.set_gpu_memory(Some(budget));
        let mut decisions = Decisions::default();
        let output = block_on(cascade.generate(&request, &mut decisions))?;
        let decision = decisions.0.remove(0);
        assert_eq!(Some(device.peak_bytes()), decision.bytes, "{}", decision.residency);
        println!("{decision}");
        Ok::<_, CascadeError>((output, decision))
    };
    let (mut budget, mut seen) = (u64::MAX, Vec::new());
    let expected = generate(Backend::Gpu(device()), &request);
    loop {
        match run(budget) {
            Ok((output, decision)) => {
                assert!(output == expected, "{}: other pictures", decision.residency);
                seen.push(decision.residency);
                budget = decision.bytes.unwrap() - 1;
            }
            Err(error) => {
                assert!(matches!(error, CascadeError::GpuMemory { .. }), "{error}");
                break;
            }
        }
    }
    // The larger stage is larger than the text encoder, so streaming that one would help nothing.
    assert_eq!(seen, [Residency::KeepAll, Residency::DropTextEncoder, Residency::OneAtATime]);
}

#[test]
fn a_text_encoder_beyond_the_budget_runs_layer_by_layer() {
    let prompts = ["a red house on a hill".to_owned(), String::new()];
    let encode = |budget: Option<u64>| {
        let device = device();
        let mut cascade = open(Backend::Gpu(Arc::clone(&device)));
        cascade.set_gpu_memory(budget);
        let mut decisions = Decisions::default();
        let embeddings = block_on(cascade.encode(&prompts, &mut decisions))?;
        Ok::<_, CascadeError>((embeddings, device.peak_bytes(), decisions.0.pop()))
    };
    let (whole, bytes, decision) = encode(None).unwrap();
    assert!(decision.is_none(), "a small model stays as a whole, and nobody has to be told");
    let (streamed, fewer, decision) = encode(Some(bytes - 1)).unwrap();
    assert_eq!(
        decision.map(|decision| (decision.residency, decision.bytes)),
        Some((Residency::StreamTextEncoder, Some(fewer)))
    );
    assert!(fewer < bytes && streamed == whole);
    assert!(matches!(encode(Some(fewer - 1)), Err(CascadeError::GpuMemory { .. })));
}

#[test]
fn a_full_device_steps_down_by_itself() {
    let device = device();
    let expected =
        block_on(open(Backend::Gpu(Arc::clone(&device))).encode(&["a duck".to_owned()], &mut Silent)).unwrap();
    let mut cascade = open(Backend::Gpu(Arc::clone(&device)));
    let mut decisions = Decisions::default();
    device.fail_allocation(3);
    assert_eq!(block_on(cascade.encode(&["a duck".to_owned()], &mut decisions)).unwrap(), expected);
    assert_eq!(decisions.0[0].residency, Residency::StreamTextEncoder);
    assert_eq!(decisions.0[0].after, Some(During::Prompt));
}

/// Keeps the profiles.
#[derive(Default)]
struct Profiles(Vec<Profile>);

#[async_trait(?Send)]
impl Observer for Profiles {
    fn event(&mut self, event: Event) {
        if let Event::Profile(profile) = event {
            self.0.push(profile);
        }
    }
}

#[test]
fn a_profile_counts_every_dispatch_and_changes_nothing() {
    let with_timestamps = block_on(Device::request(DeviceOptions::default())).unwrap();
    for (device, timing) in [(with_timestamps, Timing::Timestamps), (device(), Timing::Waits)] {
        let plain = generate(Backend::Gpu(Arc::clone(&device)), &base(2));
        let mut cascade = open(Backend::Gpu(Arc::clone(&device)));
        let (request, mut seen) = (Request { profile: true, ..base(2) }, Profiles::default());
        let output = block_on(cascade.generate(&request, &mut seen)).unwrap();
        assert_eq!(output, plain, "the picture of a run that is not profiled");
        let settings = |request| picture_settings(request, cascade.manifest(), 0).unwrap();
        assert_eq!(settings(&request), settings(&base(2)));

        let [text, stage] = seen.0.as_slice() else { panic!("{:?}", seen.0) };
        assert_eq!((text.part.as_str(), text.image_size, stage.image_size), ("text encoder", None, Some(64)));
        let phases = |profile: &Profile| profile.plan.phases.iter().map(|p| (p.phase, p.runs)).collect::<Vec<_>>();
        assert_eq!((phases(text), phases(stage)), (vec![("encode", 1)], vec![("prompt", 1), ("step", 2)]));
        let manifest = cascade.manifest();
        let index = WeightIndex::from(&weights(manifest, Some(0)));
        let planned = plan_stage(&manifest.stages[0], &index, manifest.tokenizer.max_length, true, device.limits());
        let step = &stage.plan.phases[1];
        let calls = step.kernels.iter().map(|kernel| (kernel.kernel, kernel.calls / 2)).collect();
        assert_eq!(planned.as_ref().unwrap().kernels("step"), calls);
        let flops = step.kernels.iter().map(|kernel| kernel.flops / 2).sum::<u64>();
        assert_eq!(planned.unwrap().flops("step"), flops);
        for phase in seen.0.iter().flat_map(|profile| &profile.plan.phases) {
            assert_eq!(phase.timing, timing);
            assert!((phase.kernels.iter().map(|kernel| kernel.share).sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(phase.kernel_seconds > 0.0 && phase.outside_seconds >= 0.0);
            assert!(phase.first_run_seconds.is_some());
        }
        println!("{text}\n\n{stage}\n");

        // Warm: nothing is compiled, and a run that is not profiled is what it was.
        block_on(cascade.generate(&request, &mut seen)).unwrap();
        assert!(seen.0[2..].iter().all(|profile| profile.plan.compiled.is_none()));
        let before = device.counters();
        block_on(cascade.generate(&base(2), &mut seen)).unwrap();
        let after = device.counters();
        assert_eq!(after.buffers, before.buffers);
        assert_eq!(
            (seen.0.len(), after.submits - before.submits),
            (4, 2 + 1 + 2 + 1),
            "the text and its readback, the prompt, two steps, the sample"
        );
    }
}

/// Destroys the device after the second step.
struct Vandal {
    device: Arc<Device>,
    resumed: bool,
}

#[async_trait(?Send)]
impl Observer for Vandal {
    fn event(&mut self, event: Event) {
        match event {
            Event::Step { step: 2, .. } if !self.resumed => self.device.destroy(),
            Event::Resumed { .. } => self.resumed = true,
            _ => {}
        }
    }
}

#[test]
fn a_lost_device_is_rebuilt_in_the_middle_of_a_stage() {
    let device = device();
    let undisturbed = generate(Backend::Gpu(Arc::clone(&device)), &base(3));
    let mut cascade = open(Backend::Gpu(Arc::clone(&device)));
    let mut vandal = Vandal { device, resumed: false };
    let output = block_on(cascade.generate(&base(3), &mut vandal)).unwrap();
    assert!(vandal.resumed);
    assert!(output == undisturbed, "the picture is another one");
}

#[test]
fn a_failed_allocation_is_tried_again_or_told() {
    let device = device();
    let expected = generate(Backend::Gpu(Arc::clone(&device)), &base(1));

    // The text encoder is loaded and can be dropped: the stage is tried once more.
    let mut cascade = open(Backend::Gpu(Arc::clone(&device)));
    let embeddings = block_on(cascade.encode(&["x".to_owned(), String::new()], &mut Silent)).unwrap();
    device.fail_allocation(9);
    assert_eq!(block_on(cascade.generate(&base(1), &mut Silent)).unwrap(), expected);

    drop(cascade);

    // Nothing else is loaded: an error that says what to do, and the cascade stays usable.
    let mut cascade = open(Backend::Gpu(Arc::clone(&device)));
    let given = |request: Request| Request {
        embedding: embeddings.first().cloned(),
        negative_embedding: embeddings.get(1).cloned(),
        ..request
    };
    device.fail_allocation(9);
    let error = block_on(cascade.generate(&given(base(1)), &mut Silent)).unwrap_err();
    assert!(matches!(error, CascadeError::OutOfMemory { .. }), "{error}");
    assert!(error.to_string().contains("use the CPU"), "{error}");
    assert_eq!(device.allocated_bytes(), 0, "what was allocated before the failure was given back");
    block_on(cascade.generate(&given(base(1)), &mut Silent)).unwrap();
}

#[test]
fn every_sampler_runs_alike_on_both() {
    let device = device();
    let (mut cpu, mut gpu) = (open(Backend::Cpu), open(Backend::Gpu(device)));
    for (sampler, thresholding) in [
        (Sampler::Ddpm, Thresholding::Dynamic { quantile: 0.9, max: 2.0 }),
        (Sampler::Ddim { eta: 0.5 }, Thresholding::Static { max: 1.0 }),
        (Sampler::DpmSolverPp, Thresholding::None),
    ] {
        let mut request = base(3);
        request.sampler.insert(64, sampler);
        request.thresholding.insert(64, thresholding);
        let cpu = block_on(cpu.generate(&request, &mut Silent)).unwrap();
        let gpu = block_on(gpu.generate(&request, &mut Silent)).unwrap();
        let decibel = psnr(&cpu.pictures()[0], &gpu.pictures()[0]);
        println!("{sampler}, {thresholding:?}: {decibel:.1} dB between CPU and plan");
        assert!(decibel >= 40.0, "{sampler} {thresholding:?}: {decibel} dB");
    }
    // The augmentation's noise and level reach the network too.
    let start_pictures = block_on(cpu.generate(&base(3), &mut Silent)).unwrap().pictures().to_vec();
    let start = Request { start_at_stage: 2, stop_at_stage: Some(2), start_pictures, ..base(1) };
    let request = Request { steps: [(256, 1.into())].into(), aug_level: [(256, 100)].into(), ..start };
    let plain = Request { aug_level: [(256, 0)].into(), ..request.clone() };
    let gpu = block_on(gpu.generate(&request, &mut Silent)).unwrap();
    let (cpu, plain) = (block_on(cpu.generate(&request, &mut Silent)).unwrap(), generate(Backend::Cpu, &plain));
    assert!(psnr(&cpu.pictures()[0], &gpu.pictures()[0]) >= 40.0);
    let decibel = psnr(&cpu.pictures()[0], &plain.pictures()[0]);
    println!("{decibel:.1} dB between noise levels 100 and 0");
    assert!(decibel < 55.0, "the level makes a difference: {decibel} dB");
}
