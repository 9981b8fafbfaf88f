//! `imagen dataset storybook`.

use crate::program::Program;
#[cfg(unix)]
use crate::{interrupt::interrupt_at, program::text};
use imagen_web::image::png;
use serde_json::Value;

#[test]
fn makes_a_data_set_and_its_sheet() {
    let program = Program::new();
    let make = ["dataset", "storybook", "scenes", "--count", "20", "--size", "96", "-s", "3"];
    let written = program.succeed(&[&make[..], &["--contact-sheet", "sheet.png"]].concat());
    assert_eq!(written, "scenes\n");
    let read = |name: &str| png::read(&std::fs::read(program.path(name)).unwrap()).unwrap().0;
    assert_eq!((read("scenes/000019.png").width, read("sheet.png").width), (96, 8 * 100 + 4));
    let lines = std::fs::read_to_string(program.path("scenes/metadata.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 20);
    let (code, message) = program.fail(&make);
    assert_eq!(code, 1);
    assert!(message.contains("scenes/metadata.jsonl is there already; choose another folder"), "{message}");

    let held_out =
        ["dataset", "storybook", "pairs", "--count", "3", "--held-out", "--tar", "--shard-size", "2", "--json"];
    let lines = program.succeed(&held_out);
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["pictures"]), (&"result".into(), &3.into()));
    assert!(program.path("pairs/storybook-000001.tar").is_file());
}

#[test]
fn what_is_there_stays_with_its_sheet() {
    let program = Program::new();
    let make = |more: &[&'static str]| {
        let usual = ["dataset", "storybook", "scenes", "--count", "3", "--contact-sheet", "sheet.png"];
        [&usual[..], more].concat()
    };
    program.succeed(&make(&["--novel", "windmill"]));
    let sheet = std::fs::read(program.path("sheet.png")).unwrap();
    let lines = std::fs::read_to_string(program.path("scenes/metadata.jsonl")).unwrap();
    assert!(lines.lines().all(|line| line.contains("\"windmill\"")), "{lines}");
    for more in [&["--seed", "2"][..], &["--tar"]] {
        let (code, message) = program.fail(&make(more));
        assert!(code == 1 && message.contains("is there already"), "{message}");
    }
    assert_eq!(std::fs::read(program.path("sheet.png")).unwrap(), sheet);
    let (code, message) = program.fail(&make(&["--novel", "house"]));
    assert!(code == 2 && message.contains("choose of windmill"), "{message}");
}

#[test]
fn bad_orders_are_told_what_to_do() {
    let program = Program::new();
    std::fs::write(program.path("file"), "no folder").unwrap();
    let mut cases = vec![
        (vec!["out", "--count", "0"], 2, "count: must be at least 1"),
        (vec!["out", "--count", "1", "--size", "0"], 2, "size: must be between 64 and 1024, got 0"),
        (vec!["out", "--count", "1", "--size", "2048"], 2, "size: must be between 64 and 1024, got 2048"),
        (vec!["out", "--count", "1", "--tar", "--shard-size", "0"], 2, "pictures per shard: must be at least 1"),
        (vec!["out", "--count", "1", "--shard-size", "5"], 2, "--tar"),
        (vec!["out"], 2, "--count <N>"),
        (vec!["file", "--count", "1"], 1, "cannot write file: File exists"),
        (vec!["out", "--count", "1", "--contact-sheet", "absent/a.png"], 1, "cannot write absent/a.png: No such file"),
    ];
    if cfg!(target_os = "linux") {
        cases.push((vec!["out", "--count", "1", "--contact-sheet", "/dev/full"], 1, "No space left on device"));
    }
    for (arguments, expected_code, expected) in cases {
        let (code, message) = program.fail(&[&["dataset", "storybook"], &arguments[..]].concat());
        assert!(message.contains(expected), "{arguments:?}: expected {expected:?}, got {message}");
        assert_eq!(code, expected_code, "{arguments:?}");
        assert!(!program.path("out").exists());
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_whole_pictures() {
    let program = Program::new();
    let arguments = ["dataset", "storybook", "scenes", "--count", "1000000", "--json"];
    let (code, events, message) = interrupt_at(&program, &arguments, "pictures", |id| {
        let killed = std::process::Command::new("kill").args(["-INT", &id.to_string()]).output().unwrap();
        assert!(killed.status.success(), "{}", text(&killed.stderr));
    });
    assert_eq!(code, 130, "{message}");
    assert!(message.contains("of 1000000 pictures were written and can be used"), "{message}");
    let written = events.iter().rev().find(|event| event["event"] == "pictures").unwrap()["written"].as_u64().unwrap();
    let lines = std::fs::read_to_string(program.path("scenes/metadata.jsonl")).unwrap();
    assert_eq!(lines.lines().count() as u64, written);
    assert!(program.path(&format!("scenes/{:06}.png", written - 1)).is_file());
    assert!(!program.path(&format!("scenes/{written:06}.png")).exists());
}

#[test]
fn makes_a_tokenizer_of_the_grammar_or_of_own_captions() {
    let program = Program::new();
    assert_eq!(program.succeed(&["dataset", "tokenizer", "grammar.json"]), "grammar.json\n");
    std::fs::write(program.path("captions.txt"), "digit 0\ndigit 1\n").unwrap();
    program.succeed(&["dataset", "tokenizer", "digits.json", "--captions", "captions.txt"]);
    let pieces = |name: &str| -> Vec<String> {
        let json: Value = serde_json::from_slice(&std::fs::read(program.path(name)).unwrap()).unwrap();
        let pieces = json["model"]["vocab"].as_array().unwrap().iter();
        pieces.map(|piece| piece[0].as_str().unwrap().to_owned()).collect()
    };
    let grammar = pieces("grammar.json");
    for word in ["below", "children's", "cottages", "kittens", "pines", "sunny", "toadstools"] {
        assert!(grammar.contains(&format!("▁{word}")), "{word}");
    }
    assert_eq!(pieces("digits.json")[3..6], ["▁digit", "▁0", "▁1"]);
    let (code, message) = program.fail(&["dataset", "tokenizer", "few.json", "--size", "10"]);
    assert!(code == 2 && message.contains("10 pieces are too few"), "{message}");
    let (code, message) = program.fail(&["dataset", "tokenizer", "few.json", "--captions", "absent.txt"]);
    assert!(code == 1 && message.contains("cannot read absent.txt"), "{message}");
    assert!(!program.path("few.json").exists());
}
