//! Every fault in what the user asks for is answered with what to do.

use crate::program::{Program, quick, text};
use imagen_web::text::Embedding;

#[test]
fn bad_input_is_told_what_to_do() {
    let program = Program::new();
    std::fs::write(program.path("no.jsonl"), "{\"promt\":\"a\"}").unwrap();
    std::fs::write(program.path("no.safetensors"), "nothing").unwrap();
    std::fs::create_dir(program.path("folder.png")).unwrap();
    let other = Embedding { ids: vec![1; 3], mask: vec![1; 3], tokens: 3, d_model: 8, values: vec![0.0; 24] };
    std::fs::write(program.path("other.safetensors"), other.to_safetensors().unwrap()).unwrap();
    let long = "x".repeat(10_001);
    let prompt = |more: &[&'static str]| [&["-p", "a cat", "-o", "out.png"], more].concat();
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["-p", "", "-o", "out.png"], "prompt: it is empty; say what the picture should show"),
        (vec!["-p", &long, "-o", "out.png"], "at most 10000 are taken; shorten it"),
        (vec!["-o", "out.png"], "no prompt; give one with -p TEXT"),
        (vec!["-p", "a cat"], "--output <OUT.png>"),
        (prompt(&["--quick"]), "unexpected argument '--quick'"),
        (prompt(&["--seed", "-1"]), "-1"),
        (prompt(&["--count", "0"]), "count: must be between 1 and 64, got 0"),
        (prompt(&["--steps", "64=0"]), "steps: must be between 1 and 1000, got 0"),
        (prompt(&["--steps", "64=2000"]), "steps: must be between 1 and 1000, got 2000"),
        (prompt(&["--steps", "65=1"]), "no stage has the size 65; this model has 64, 256, 1024"),
        (prompt(&["--steps", "many"]), "neither a number of steps nor the name of a time grid"),
        (prompt(&["--lora", "none.safetensors"]), "cannot read the adapter none.safetensors"),
        (prompt(&["--cfg-scale", "1000"]), "guidance: must be between 0 and 100, got 1000"),
        (prompt(&["--cfg-scale", "nan"]), "guidance: must be between 0 and 100, got NaN"),
        (prompt(&["--sampler", "euler"]), "choose ddpm, ddim, ddim:ETA"),
        (prompt(&["--threshold", "soft"]), "use none, static[:max] or dynamic[:quantile[:max]]"),
        (prompt(&["--threshold", "dynamic:2"]), "quantile must be between 0 and 1, got 2"),
        (prompt(&["--aug-level", "256=900"]), "aug_level: must be between 0 and 199, got 900"),
        (prompt(&["--stop-at-stage", "0"]), "stop-at-stage: must be 1 to 3, or one of the image sizes 64, 256, 1024"),
        (prompt(&["--start-at-stage", "2"]), "give the picture to start from"),
        (prompt(&["--threads", "0"]), "0 is not in 1..=1024"),
        (prompt(&["--device", "tpu"]), "[possible values: auto, gpu, gpu-half, cpu]"),
        (prompt(&["--embedding", "no.safetensors"]), "no.safetensors is not a usable embedding file"),
        (prompt(&["--initial-noise", "no.safetensors"]), "cannot open no.safetensors"),
        (prompt(&["--initial-noise", "absent.safetensors"]), "cannot use absent.safetensors: No such file"),
        (vec!["--prompts", "no.jsonl", "-o", "out.png"], "line 1: unknown field `promt`"),
        (vec!["-p", "a cat", "-o", "out.jpg"], "must be a file name that ends in .png"),
        (vec!["-p", "a cat", "-o", "folder.png"], "is a folder; choose another name"),
        (vec!["-p", "a cat", "-o", "absent/out.png"], "does not exist; create it or choose another"),
        (prompt(&["--embedding", "other.safetensors"]), "it has 8 values per token, the 64×64 stage takes 256"),
        (prompt(&["--model", "absent"]), "--model absent holds no model (no imagen.json)"),
    ];
    for (arguments, expected) in cases {
        let (code, message) = program.fail(&[&["generate"], &arguments[..]].concat());
        assert!(message.contains(expected), "{arguments:?}: expected {expected:?}, got {message}");
        assert!(code == 1 || code == 2, "{arguments:?}: {code}");
        assert!(!program.path("out.png").exists());
    }
    let output =
        program.command(&quick(&["-p", "a cat", "-o", "out.png"])).env("IMAGEN_MODEL", "absent").output().unwrap();
    assert!(text(&output.stderr).contains("IMAGEN_MODEL absent holds no model"));
    let output =
        program.command(&quick(&["-p", "a cat", "-o", "out.png"])).env_remove("IMAGEN_MODEL").output().unwrap();
    assert!(text(&output.stderr).contains("give its folder with --model or IMAGEN_MODEL"));
}
