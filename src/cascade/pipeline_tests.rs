//! Tests of the pipeline with scripted networks: order of events, recovery, cancellation, and what a setting changes.

use super::mock::{Fault, large_cascade, tiny_cascade, tiny_model};
use super::{Cascade, CascadeError, Event, Observer, Output, Request, Residency, Silent};
use crate::diffusion::{Sampler, noise};
use crate::gpu::Backend;
use async_trait::async_trait;
use pollster::block_on;

/// Keeps all events; cancels after a number of steps.
#[derive(Default)]
struct Recorder {
    events: Vec<Event>,
    cancel_after: Option<usize>,
}

impl Recorder {
    fn steps(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Step { .. })).count()
    }

    /// What was told to stay loaded, in order.
    fn residencies(&self) -> Vec<Residency> {
        let residency = |event: &Event| match event {
            Event::Memory(decision) => Some(decision.residency),
            _ => None,
        };
        self.events.iter().filter_map(residency).collect()
    }

    /// The kinds of events in order, without repetitions.
    fn kinds(&self) -> Vec<String> {
        let kind = |event: &Event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
        let mut kinds: Vec<String> = self.events.iter().map(kind).collect();
        kinds.dedup();
        kinds
    }
}

#[async_trait(?Send)]
impl Observer for Recorder {
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    fn cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|steps| self.steps() >= steps)
    }
}

fn generate(request: &Request) -> Output {
    block_on(tiny_cascade().0.generate(request, &mut Silent)).unwrap()
}

fn prompt() -> Request {
    Request { seed: 5, ..Request::new("a red house") }
}

/// With another prompt.
fn other() -> Request {
    Request { prompt: "a house".to_owned(), ..prompt() }
}

#[test]
fn events_come_in_order() {
    let (mut cascade, script) = tiny_cascade();
    let mut recorder = Recorder::default();
    let request = Request { preview_every: Some(1), ..prompt() };
    let output = block_on(cascade.generate(&request, &mut recorder)).unwrap();
    let sizes: Vec<_> = output.stages.iter().map(|stage| (stage.image_size, stage.pictures[0].width)).collect();
    assert_eq!(sizes, [(8, 8), (16, 16)]);
    let stage = ["stage_started", "step", "stage_finished"];
    assert_eq!(recorder.kinds(), [&["encoding"][..], &stage, &stage].concat());
    assert_eq!(recorder.steps(), 4 + 2);
    assert_eq!(script.borrow().log, ["text encoder", "base rows 2", "super_res_1 rows 1"]);
    let previews = recorder.events.iter().filter(|event| matches!(event, Event::Step { preview: Some(_), .. })).count();
    assert_eq!(previews, 3 + 1, "one after every step but a stage's last");
    // A second run loads nothing again.
    block_on(cascade.generate(&request, &mut Silent)).unwrap();
    assert_eq!(script.borrow().log.len(), 3);
}

#[test]
fn the_seed_decides() {
    assert_eq!(generate(&prompt()), generate(&prompt()));
    assert_ne!(generate(&prompt()), generate(&Request { seed: 6, ..prompt() }));
    assert_ne!(generate(&prompt()), generate(&Request { prompt: "a house".to_owned(), ..prompt() }));
    assert_ne!(generate(&prompt()), generate(&Request { negative_prompt: "red".to_owned(), ..prompt() }));
}

#[test]
fn a_picture_does_not_depend_on_the_count() {
    let request = Request { sampler: [(8, Sampler::Ddpm)].into(), ..prompt() };
    let (one, three) = (generate(&request), generate(&Request { count: 3, ..request }));
    assert_eq!(three.pictures().len(), 3);
    assert_eq!(one.pictures()[0], three.pictures()[0]);
    assert_ne!(three.pictures()[0], three.pictures()[1]);
}

#[test]
fn guidance_of_one_runs_one_row() {
    let (mut cascade, script) = tiny_cascade();
    let request = Request { guidance: [(8, 1.0)].into(), ..prompt() };
    block_on(cascade.generate(&request, &mut Silent)).unwrap();
    assert_eq!(script.borrow().log[1], "base rows 1");
    let unconditional = Request { unconditional: true, prompt: String::new(), ..prompt() };
    let nothing =
        Request { embedding: block_on(cascade.encode(&[String::new()], &mut Silent)).unwrap().pop(), ..request };
    assert_eq!(generate(&unconditional), generate(&nothing));
}

#[test]
fn given_noise_and_embedding_are_used() {
    let mut request = prompt();
    let mut values = vec![0.0; 3 * 8 * 8];
    noise::normal(5, 0, noise::Draw::Initial, 0, &mut values);
    request.noise.insert("initial.0", &[1, 3, 8, 8], values.clone());
    assert_eq!(generate(&request), generate(&prompt()), "the same as drawn");
    values[0] += 1.0;
    request.noise.insert("initial.0", &[1, 3, 8, 8], values);
    assert_ne!(generate(&request), generate(&prompt()));
    let embedding = block_on(tiny_cascade().0.encode(&["a red house".to_owned()], &mut Silent)).unwrap().pop();
    let given = Request { prompt: String::new(), embedding, ..prompt() };
    assert_eq!(generate(&given), generate(&prompt()));
}

#[test]
fn stages_can_be_started_and_stopped_at() {
    let first = generate(&Request { stop_at_stage: Some(1), ..prompt() });
    assert_eq!(first.stages.len(), 1);
    let whole = generate(&prompt());
    assert_eq!(first.stages[0], whole.stages[0]);
    let start_pictures = first.pictures().to_vec();
    let second = generate(&Request { start_at_stage: 2, start_pictures, ..prompt() });
    assert_eq!(second.stages.len(), 1);
    // The start picture was rounded to bytes on the way, so the results differ by little.
    let pairs = || second.pictures()[0].rgb.iter().zip(&whole.pictures()[0].rgb);
    assert!(pairs().all(|(&a, &b)| a.abs_diff(b) <= 4), "{:?}", pairs().map(|(&a, &b)| a.abs_diff(b)).max());
}

#[test]
fn a_lost_device_is_rebuilt_and_the_stage_run_again() {
    let (mut cascade, script) = tiny_cascade();
    script.borrow_mut().faults = [(1, 1, Fault::Lost)].into();
    let mut recorder = Recorder::default();
    let output = block_on(cascade.generate(&prompt(), &mut recorder)).unwrap();
    assert_eq!(output, generate(&prompt()));
    assert_eq!(script.borrow().log[2..], ["super_res_1 rows 1", "rebuild", "super_res_1 rows 1"]);
    assert!(recorder.kinds().contains(&"resumed".to_owned()));
    let finished = recorder.events.iter().filter(|event| matches!(event, Event::StageFinished { .. })).count();
    assert_eq!(finished, 2, "the first stage was not run again");
}

#[test]
fn a_device_lost_twice_is_an_error_that_says_where() {
    let (mut cascade, script) = tiny_cascade();
    script.borrow_mut().faults = [(1, 1, Fault::Lost), (1, 0, Fault::Lost)].into();
    let mut recorder = Recorder::default();
    let error = block_on(cascade.generate(&prompt(), &mut recorder)).unwrap_err();
    assert!(error.to_string().contains("during the 16×16 stage"), "{error}");
    assert!(recorder.kinds().contains(&"stage_finished".to_owned()), "the 8×8 picture was handed over");
    block_on(cascade.generate(&prompt(), &mut Silent)).unwrap();
}

const TEXT: &str = "text encoder";
const STREAMED: &str = "streamed text encoder";
const BASE: &str = "base rows 2";
const SUPER_RES: &str = "super_res_1 rows 1";

#[test]
fn out_of_memory_keeps_less_and_less_and_then_says_what_to_do() {
    let (mut cascade, script) = tiny_cascade();
    let out = Fault::OutOfMemory;
    script.borrow_mut().faults = [(1, 1, out), (1, 0, out)].into();
    let mut recorder = Recorder::default();
    assert_eq!(block_on(cascade.generate(&prompt(), &mut recorder)).unwrap(), generate(&prompt()));
    // The text encoder goes first, then the other stage.
    assert_eq!(recorder.residencies(), [Residency::DropTextEncoder, Residency::OneAtATime]);
    assert_eq!(script.borrow().log, [TEXT, BASE, SUPER_RES, SUPER_RES, SUPER_RES]);
    // What did not fit once is not tried again.
    block_on(cascade.generate(&other(), &mut Silent)).unwrap();
    assert_eq!(script.borrow().log[5..], [TEXT, BASE, SUPER_RES]);
    // Alone on the device there is nothing left to drop.
    script.borrow_mut().faults = [(1, 0, out)].into();
    let error = block_on(cascade.generate(&prompt(), &mut Silent)).unwrap_err();
    assert!(matches!(error, CascadeError::OutOfMemory { .. }));
    assert!(error.to_string().contains("the 16×16 stage") && error.to_string().contains("use the CPU"), "{error}");
}

#[test]
fn a_text_encoder_that_does_not_fit_runs_layer_by_layer() {
    let (mut cascade, script) = tiny_cascade();
    script.borrow_mut().text_faults = [Fault::OutOfMemory].into();
    let mut recorder = Recorder::default();
    assert_eq!(block_on(cascade.generate(&prompt(), &mut recorder)).unwrap(), generate(&prompt()));
    assert_eq!(recorder.residencies(), [Residency::StreamTextEncoder]);
    assert_eq!(script.borrow().log, [TEXT, STREAMED, BASE, SUPER_RES]);
    script.borrow_mut().text_faults = [Fault::OutOfMemory].into();
    let error = block_on(cascade.generate(&other(), &mut Silent)).unwrap_err();
    assert!(error.to_string().contains("encoding the prompt"), "{error}");
}

#[test]
fn stages_make_room_for_a_text_encoder_that_does_not_fit_beside_them() {
    let (mut cascade, script) = tiny_cascade();
    let given = Request {
        embedding: block_on(cascade.encode(&["a red house".to_owned()], &mut Silent)).unwrap().pop(),
        guidance: [(8, 1.0)].into(),
        prompt: String::new(),
        ..prompt()
    };
    cascade.unload();
    block_on(cascade.generate(&given, &mut Silent)).unwrap();
    script.borrow_mut().text_faults = [Fault::OutOfMemory].into();
    let mut recorder = Recorder::default();
    block_on(cascade.generate(&prompt(), &mut recorder)).unwrap();
    assert_eq!(recorder.residencies(), [Residency::DropTextEncoder]);
    assert_eq!(script.borrow().log[3..], [TEXT, TEXT, BASE, SUPER_RES]);
}

#[test]
fn the_budget_decides_what_stays() {
    let once = [TEXT, BASE, SUPER_RES];
    // The files' sizes: 5 GiB of text encoder, and stages of 100 bytes.
    let (text, base, super_res) = (5u64 << 30, 100, 100);
    let runs = |budget: Option<u64>| {
        let (mut cascade, script) = large_cascade();
        cascade.set_gpu_memory(budget);
        let mut recorder = Recorder::default();
        for request in [prompt(), other()] {
            block_on(cascade.generate(&request, &mut recorder))?;
        }
        let log = script.borrow().log.clone();
        Ok::<_, CascadeError>((recorder.residencies(), log))
    };
    let everything = text + base + super_res;
    assert_eq!(runs(Some(everything)).unwrap(), (vec![Residency::KeepAll], once.map(str::to_owned).to_vec()));
    let twice = |text: &str| [text, BASE, SUPER_RES].repeat(2).iter().map(|&part| part.to_owned()).collect::<Vec<_>>();
    assert_eq!(runs(Some(everything - 1)).unwrap(), (vec![Residency::DropTextEncoder], twice(TEXT)));
    assert_eq!(runs(Some(text - 1)).unwrap(), (vec![Residency::StreamTextEncoder], twice(STREAMED)));
    // Without a budget, 4 GiB are assumed.
    assert_eq!(runs(None).unwrap(), (vec![Residency::StreamTextEncoder], twice(STREAMED)));
    let error = runs(Some(1 << 20)).unwrap_err();
    assert!(matches!(error, CascadeError::GpuMemory { .. }));
    assert!(error.to_string().contains("512.0 MiB are needed at the least"), "{error}");
}

#[test]
fn another_seed_needs_no_text_encoder_that_had_to_go() {
    let (mut cascade, script) = large_cascade();
    let mut again = |request: &Request| {
        let before = script.borrow().log.len();
        let output = block_on(cascade.generate(request, &mut Silent)).unwrap();
        (output, script.borrow().log[before..].join(", "))
    };
    // 4 GiB are assumed: the text encoder is streamed, and one part is loaded at a time.
    assert_eq!(again(&prompt()).1, format!("{STREAMED}, {BASE}, {SUPER_RES}"));
    let seed = Request { seed: 6, ..prompt() };
    assert_eq!(again(&seed), (generate(&seed), format!("{BASE}, {SUPER_RES}")));
    assert_eq!(again(&other()), (generate(&other()), format!("{STREAMED}, {BASE}, {SUPER_RES}")));
    let negative = Request { negative_prompt: "red".to_owned(), ..other() };
    assert_eq!(again(&negative), (generate(&negative), format!("{STREAMED}, {BASE}, {SUPER_RES}")));
}

#[test]
fn another_budget_counts_from_the_next_run_on() {
    let (mut cascade, script) = large_cascade();
    cascade.set_gpu_memory(Some(u64::MAX));
    block_on(cascade.generate(&prompt(), &mut Silent)).unwrap();
    cascade.set_gpu_memory(Some(1 << 30));
    block_on(cascade.generate(&other(), &mut Silent)).unwrap();
    assert_eq!(script.borrow().log, [TEXT, BASE, SUPER_RES, STREAMED, BASE, SUPER_RES]);
}

#[test]
fn an_embedding_of_another_model_is_told() {
    let (mut cascade, _) = tiny_cascade();
    let mut embedding = block_on(cascade.encode(&["a house".to_owned()], &mut Silent)).unwrap().remove(0);
    embedding.d_model += 1;
    embedding.values = vec![0.0; embedding.tokens * embedding.d_model];
    let request = Request { embedding: Some(embedding), ..prompt() };
    let error = block_on(cascade.generate(&request, &mut Silent)).unwrap_err().to_string();
    assert!(error.contains("it has 9 values per token, the 8×8 stage takes 8"), "{error}");
}

#[test]
fn cancelling_keeps_finished_stages() {
    for (after, finished) in [(0, 0), (1, 0), (5, 1)] {
        let (mut cascade, _) = tiny_cascade();
        let mut recorder = Recorder { cancel_after: Some(after), ..Recorder::default() };
        let error = block_on(cascade.generate(&prompt(), &mut recorder)).unwrap_err();
        assert!(matches!(error, CascadeError::Cancelled));
        assert_eq!(recorder.steps(), after);
        let stages = recorder.events.iter().filter(|event| matches!(event, Event::StageFinished { .. })).count();
        assert_eq!(stages, finished);
    }
}

#[test]
fn a_long_prompt_is_cut_with_a_notice() {
    let (mut cascade, _) = tiny_cascade();
    let mut recorder = Recorder::default();
    block_on(cascade.generate(&Request::new("a house ".repeat(100)), &mut recorder)).unwrap();
    let cut =
        |event: &Event| matches!(event, Event::Notice(notice) if notice.to_string().contains("longer than 6 tokens"));
    assert!(recorder.events.iter().any(cut));
    block_on(cascade.generate(&Request::new("ein rotes Häuschen 🏠 在山上"), &mut Silent)).unwrap();
}

#[test]
fn damaged_files_are_named() {
    let open = |edit: &dyn Fn(&mut super::mock::MemoryFiles)| {
        let mut files = tiny_model();
        edit(&mut files);
        block_on(Cascade::open(Box::new(files), Backend::Cpu)).err().unwrap().to_string()
    };
    let missing = open(&|files| drop(files.0.remove("imagen.json")));
    assert!(missing.contains("cannot open imagen.json"), "{missing}");
    let missing = open(&|files| drop(files.0.remove("tokenizer.json")));
    assert!(missing.contains("cannot open tokenizer.json"), "{missing}");
    let truncated = open(&|files| files.0.get_mut("tokenizer.json").unwrap().truncate(9));
    assert!(truncated.contains("tokenizer.json ends early"), "{truncated}");
    let changed = open(&|files| files.0.get_mut("tokenizer.json").unwrap()[9] ^= 1);
    assert!(changed.contains("wrong SHA-256"), "{changed}");
}
