//! Models: what `inspect` shows of a whole one, and how damaged ones are told apart.

use crate::program::{Program, quick};
use crate::storybook;
use serde_json::Value;
use std::path::Path;

/// A copy of the model in which one file was changed.
fn damaged(program: &mut Program, name: &str, edit: impl FnOnce(&Path)) {
    let copy = program.path(&format!("model-{name}"));
    std::fs::create_dir_all(&copy).unwrap();
    for entry in std::fs::read_dir(storybook::folder()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    edit(&copy);
    program.model = copy;
}

/// Changes the manifest.
fn edit_manifest(folder: &Path, edit: impl FnOnce(&mut Value)) {
    let path = folder.join("imagen.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut manifest);
    std::fs::write(path, manifest.to_string()).unwrap();
}

#[test]
fn damaged_models_are_told_apart() {
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let truncate = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    type Edit<'a> = Box<dyn Fn(&Path) + 'a>;
    let cases: Vec<(&str, Edit<'_>, &str)> = vec![
        (
            "missing",
            Box::new(|folder| std::fs::remove_file(folder.join("unet.gguf")).unwrap()),
            "cannot open unet.gguf: there is no such file in",
        ),
        ("truncated", Box::new(|folder| truncate(&folder.join("unet.gguf"))), "unet.gguf ends early"),
        ("hash", Box::new(|folder| flip(&folder.join("text_encoder.gguf"))), "text_encoder.gguf has the wrong SHA-256"),
        (
            "architecture",
            Box::new(|folder| {
                edit_manifest(folder, |manifest| {
                    let unet = manifest["stages"][0]["weights"].take();
                    manifest["stages"][0]["weights"] = manifest["text_encoder"].take();
                    manifest["text_encoder"] = unet;
                });
            }),
            "t5encoder",
        ),
        (
            "other-network",
            Box::new(|folder| {
                edit_manifest(folder, |manifest| {
                    let base = manifest["stages"][0]["weights"].take();
                    manifest["stages"][0]["weights"] = manifest["stages"][1]["weights"].take();
                    manifest["stages"][1]["weights"] = base;
                });
            }),
            "tensor",
        ),
        (
            "field",
            Box::new(|folder| {
                edit_manifest(folder, |manifest| {
                    drop(manifest["stages"][1].as_object_mut().unwrap().remove("image_size"))
                });
            }),
            "missing field `image_size`",
        ),
        (
            "path",
            Box::new(|folder| edit_manifest(folder, |manifest| manifest["text_encoder"]["file"] = "../x".into())),
            "text_encoder.file is \"../x\"; it must be a plain file name",
        ),
    ];
    for (name, edit, expected) in cases {
        let mut program = Program::new();
        damaged(&mut program, name, edit);
        let (code, message) = program.fail(&quick(&["-p", "a cat", "-o", "out.png"]));
        assert!(message.contains(expected), "{name}: expected {expected:?}, got {message}");
        assert_eq!(code, 1, "{name}");
        if name != "architecture" && name != "other-network" {
            let model = program.model.display().to_string();
            let (_, message) = program.fail(&["inspect", &model]);
            assert!(message.contains(expected), "inspect {name}: expected {expected:?}, got {message}");
        }
    }
}

#[test]
fn inspect_shows_what_a_model_needs() {
    let program = Program::new();
    let model = program.model.display().to_string();
    let shown = program.succeed(&["inspect", &model]);
    for expected in ["storybook", "1024×1024", "size and SHA-256 match", "dispatches per step", "at peak"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let value: Value = serde_json::from_str(&program.succeed(&["inspect", "--json", &model])).unwrap();
    assert_eq!(value["stages"].as_array().unwrap().len(), 3);
    assert!(value["stages"][2]["peak_bytes"].as_u64().unwrap() < 1 << 30);
    let bytes = |residency: &str| value["memory"][residency].as_u64().unwrap();
    let peak = |part: &Value| part["peak_bytes"].as_u64().unwrap();
    let stages: Vec<u64> = value["stages"].as_array().unwrap().iter().map(peak).collect();
    assert_eq!(bytes("keep_all"), peak(&value["text_encoder"]) + stages.iter().sum::<u64>());
    assert_eq!(bytes("stream_text_encoder"), stages.into_iter().max().unwrap());
    assert!(value["text_encoder"]["streamed_peak_bytes"].as_u64().unwrap() < peak(&value["text_encoder"]));
    assert!(shown.contains("each part makes room for the next"), "{shown}");
    let weights = program.model.join("unet.gguf").display().to_string();
    assert!(program.succeed(&["inspect", "--tensors", &weights]).contains("conv_in.weight"));
    let (_, message) = program.fail(&["inspect", "absent"]);
    assert!(message.contains("cannot read absent"), "{message}");
}
