//! `imagen evaluate`: a judge is trained, judges what a model makes or what lies in a folder, and goes on where it was stopped.

use crate::program::Program;
#[cfg(unix)]
use crate::{interrupt::interrupt_at, program::text};
use image::RgbImage;
use serde_json::Value;
use std::path::Path;

/// A cascade of random weights, whose third stage makes 64×64 pixels in no time, and a judge of two updates.
fn judged() -> Program {
    let mut program = Program::new();
    program.model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/tiny");
    program.succeed(&["evaluate", "train-judge", "-o", "judge.safetensors", "--steps", "2", "--tried", "32"]);
    program
}

fn evaluate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["evaluate", "--judge", "judge.safetensors", "--device", "cpu"], more].concat()
}

/// The last line, which is the result.
fn result(lines: &str) -> Value {
    serde_json::from_str(lines.lines().last().unwrap()).unwrap()
}

#[test]
fn pictures_are_made_judged_and_kept() {
    let program = judged();
    let make = evaluate(&["--prompts", "5", "--seed", "7", "-o", "made", "--sheet", "sheet.html", "--json"]);
    let first = result(&program.succeed(&make));
    let scores = &first["sections"]["ordinary"]["scores"];
    assert_eq!((&scores["kinds"]["of"], &scores["all"]["of"]), (&5.into(), &5.into()));
    assert!(scores["kinds"]["judge"].as_f64().is_some_and(|own| (0.0..1.0).contains(&own)));
    let [low, share, high] =
        [&scores["count"]["interval"][0], &scores["count"]["share"], &scores["count"]["interval"][1]]
            .map(|value| value.as_f64().unwrap());
    assert!(low <= share && share <= high && low < high);
    let list = std::fs::read_to_string(program.path("made/metadata.jsonl")).unwrap();
    let captions: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let page = std::fs::read_to_string(program.path("sheet.html")).unwrap();
    assert_eq!((captions.len(), page.matches("<figure>").count()), (5, 5));
    assert!(captions.iter().all(|line| page.contains(line["text"].as_str().unwrap())));
    // The settings are in the picture, and make it again.
    let picture = std::fs::read(program.path("made/000003.png")).unwrap();
    let caption = captions[3]["text"].as_str().unwrap();
    let generate = ["generate", "--device", "cpu", "-p", caption, "-s", "10", "-o", "again.png"];
    program.succeed(&generate);
    let pixels = |bytes: &[u8]| imagen_web::image::png::read(bytes).unwrap().0;
    assert_eq!(pixels(&picture), pixels(&std::fs::read(program.path("again.png")).unwrap()));
    // What is there is not made again, and more of them may be asked for.
    std::fs::remove_file(program.path("made/000001.png")).unwrap();
    let lines = program.succeed(&make);
    assert_eq!(result(&lines), first);
    program.succeed(&evaluate(&["--prompts", "6", "--seed", "7", "-o", "made"]));
    assert_eq!(std::fs::read(program.path("made/000003.png")).unwrap(), picture);
    // As a folder of captioned pictures they score the same.
    let shown = result(&program.succeed(&evaluate(&["--pictures", "made", "--json"])));
    assert_eq!(shown["sections"]["ordinary"]["pictures"], 6);
    // Another seed, other settings or another model do not go into the same folder.
    for (more, part) in [
        (&["--seed", "8"][..], "seed"),
        (&["--seed", "7", "--steps", "3"], "settings"),
        (&["--seed", "7", "--held-out"], "captions"),
    ] {
        let (code, message) = program.fail(&evaluate(&[&["-o", "made"], more].concat()));
        assert!(code == 1 && message.contains("pictures of another evaluation") && message.contains(part), "{message}");
    }
}

#[test]
fn renders_of_any_folder_are_judged() {
    let program = judged();
    program.succeed(&["dataset", "storybook", "scenes", "--count", "20", "--size", "256"]);
    program.succeed(&["dataset", "storybook", "pairs", "--count", "10", "--held-out", "--tar"]);
    let shown = program.succeed(&evaluate(&["--pictures", "scenes"]));
    assert!(shown.starts_with("Ordinary captions, 20 pictures\n") && shown.contains("kinds"), "{shown}");
    let held_out = result(&program.succeed(&evaluate(&["--pictures", "pairs", "--json"])));
    assert_eq!(held_out["sections"]["held_out"]["pictures"], 10);
    // What cannot be judged is named, and counts for nothing.
    std::fs::create_dir(program.path("mixed")).unwrap();
    for (name, size, caption) in
        [("good", 64, "a red house"), ("small", 32, "a red house"), ("foreign", 64, "a dragon")]
    {
        RgbImage::new(size, size).save(program.path(&format!("mixed/{name}.png"))).unwrap();
        std::fs::write(program.path(&format!("mixed/{name}.txt")), caption).unwrap();
    }
    std::fs::write(program.path("mixed/broken.png"), "no picture").unwrap();
    std::fs::write(program.path("mixed/broken.txt"), "a red house").unwrap();
    let mixed = result(&program.succeed(&evaluate(&["--pictures", "mixed", "--json"])));
    assert_eq!(mixed["sections"]["ordinary"]["pictures"], 1);
    let left_out = mixed["left_out"].to_string();
    assert_eq!(mixed["left_out"].as_array().unwrap().len(), 3, "{left_out}");
    for reason in ["64×64 are needed", "a dragon", "broken.png"] {
        assert!(left_out.contains(reason), "{left_out}");
    }
    std::fs::remove_file(program.path("mixed/good.png")).unwrap();
    let (code, message) = program.fail(&evaluate(&["--pictures", "mixed"]));
    assert!(code == 1 && message.contains("can be judged"), "{message}");
}

#[test]
fn a_judge_may_know_a_novel_kind() {
    let program = judged();
    let lesson = ["evaluate", "train-judge", "-o", "judge.safetensors", "--steps", "2", "--tried", "32"];
    program.succeed(&[&lesson[..], &["--novel", "windmill"]].concat());
    let made = result(&program.succeed(&evaluate(&["--prompts", "3", "-o", "made", "--novel", "windmill", "--json"])));
    let scores = &made["sections"]["novel"]["scores"];
    assert_eq!((&scores["novel"]["of"], scores["novel"]["judge"].is_f64()), (&3.into(), true));
}

#[test]
fn bad_requests_are_told_what_to_do() {
    let program = judged();
    std::fs::write(program.path("other.safetensors"), "no judge").unwrap();
    let cases: [(Vec<&str>, i32, &str); 11] = [
        (vec!["evaluate", "-o", "made"], 2, "--judge FILE"),
        (evaluate(&[]), 2, "--output"),
        (vec!["evaluate", "--judge", "absent", "-o", "made"], 1, "train-judge"),
        (vec!["evaluate", "--judge", "other.safetensors", "-o", "made"], 1, "other.safetensors cannot be used"),
        (evaluate(&["-o", "made", "--stage", "32"]), 2, "64×64 pixels"),
        (evaluate(&["-o", "made", "--stage", "100"]), 2, "16, 32, 64"),
        (evaluate(&["-o", "made", "--steps", "64=0"]), 2, "steps"),
        (evaluate(&["-o", "made", "--pictures", "made"]), 2, "cannot be used with"),
        (evaluate(&["-o", "made", "--novel", "windmill"]), 2, "does not know what a windmill is"),
        (evaluate(&["-o", "made", "--novel", "house"]), 2, "--novel"),
        (vec!["evaluate", "train-judge", "-o", "new/judge.safetensors"], 1, "does not exist"),
    ];
    for (arguments, expected_code, expected) in cases {
        let (code, message) = program.fail(&arguments);
        assert!(code == expected_code && message.contains(expected), "{arguments:?}: {code} {message}");
        assert!(!program.path("made").exists(), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_stopped_evaluation_goes_on() {
    let program = judged();
    let stop = |id: u32| {
        let killed = std::process::Command::new("kill").args(["-INT", &id.to_string()]).output().unwrap();
        assert!(killed.status.success(), "{}", text(&killed.stderr));
    };
    let make = |steps| evaluate(&["--prompts", "400", "-o", steps, "--json"]);
    let (code, events, message) = interrupt_at(&program, &make("made"), "picture", stop);
    assert!(code == 130 && message.contains("the same command goes on"), "{code} {message}");
    let told = events.iter().filter(|event| event["event"] == "picture").count();
    let lines = std::fs::read_to_string(program.path("made/metadata.jsonl")).unwrap();
    assert!((1..400).contains(&told) && lines.lines().count() == told, "{told}");
    let scored = events.iter().find(|event| event["event"] == "result").unwrap();
    assert_eq!(scored["sections"]["ordinary"]["pictures"], told);
    let before = std::fs::read(program.path("made/000000.png")).unwrap();
    let fewer = format!("{}", told + 1);
    program.succeed(&evaluate(&["--prompts", &fewer, "-o", "made"]));
    assert!(program.path(&format!("made/{told:06}.png")).is_file());
    assert_eq!(std::fs::read(program.path("made/000000.png")).unwrap(), before);
    let lesson = ["evaluate", "train-judge", "-o", "never.safetensors", "--json"];
    let (code, _, message) = interrupt_at(&program, &lesson, "step", stop);
    assert!(code == 130 && message.contains("no judge yet"), "{code} {message}");
    assert!(!program.path("never.safetensors").exists());
}
