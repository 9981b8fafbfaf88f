//! What lies on disk, and what is left there when something goes wrong.

use super::{Pairs, Scene};
use crate::dataset::{DatasetError, Form, Order, contact_sheet, render, write};
use crate::image::png;
use serde_json::Value;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

fn order(count: u64) -> Order {
    Order { seed: 5, count, size: 64, pairs: Pairs::Usual }
}

fn make(order: &Order, out: &Path, form: Form) -> Result<(), DatasetError> {
    write(order, out, form, |_| ControlFlow::Continue(()))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn lines(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("metadata.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_folder_has_a_line_for_each_picture() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("new/scenes");
    make(&order(70), &out, Form::Folder).unwrap();
    assert_eq!(names(&out).len(), 71);
    for (index, line) in lines(&out).into_iter().enumerate() {
        let scene = Scene::new(5, index as u64, Pairs::Usual);
        assert_eq!(line["file_name"], format!("{index:06}.png"));
        assert_eq!(line["text"], scene.caption);
        let (kind, place) = (&line["things"][0]["kind"], &line["place"]);
        assert_eq!(kind, &serde_json::to_value(scene.groups[0].kind).unwrap());
        assert_eq!(place, &serde_json::to_value(scene.place).unwrap());
        let bytes = fs::read(out.join(line["file_name"].as_str().unwrap())).unwrap();
        assert_eq!(png::read(&bytes).unwrap().0, render(&scene, 64).unwrap());
    }
    // A picture does not depend on how many there are, and nothing is mixed with what is there.
    make(&order(2), &folder.path().join("two"), Form::Folder).unwrap();
    assert_eq!(fs::read(folder.path().join("two/000001.png")).unwrap(), fs::read(out.join("000001.png")).unwrap());
    let again = make(&order(2), &out, Form::Folder);
    assert!(matches!(again, Err(DatasetError::Exists(path)) if path == out.join("metadata.jsonl")));
    assert_eq!(lines(&out).len(), 70);
}

/// As the system's own tar reads them.
#[cfg(unix)]
#[test]
fn shards_hold_what_a_folder_holds() {
    let folder = tempdir().unwrap();
    make(&order(5), folder.path(), Form::Shards { pictures: 2 }).unwrap();
    assert_eq!(names(folder.path()), ["storybook-000000.tar", "storybook-000001.tar", "storybook-000002.tar"]);
    let tar = |arguments: &[&str]| {
        let output = Command::new("tar").args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let listed = String::from_utf8(tar(&["-tf", "storybook-000001.tar"])).unwrap();
    let expected = ["000002.png", "000002.txt", "000002.json", "000003.png", "000003.txt", "000003.json"];
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    let scene = Scene::new(5, 4, Pairs::Usual);
    let of = |name| tar(&["-xOf", "storybook-000002.tar", name]);
    assert_eq!(of("000004.txt"), scene.caption.as_bytes());
    assert_eq!(png::read(&of("000004.png")).unwrap().0, render(&scene, 64).unwrap());
    let record: Value = serde_json::from_slice(&of("000004.json")).unwrap();
    assert_eq!(record["text"], scene.caption);
    // Of either form, and whichever shard is left.
    fs::remove_file(folder.path().join("storybook-000000.tar")).unwrap();
    for form in [Form::Shards { pictures: 2 }, Form::Folder] {
        assert!(matches!(make(&order(5), folder.path(), form), Err(DatasetError::Exists(_))));
    }
    assert_eq!(names(folder.path()), ["storybook-000001.tar", "storybook-000002.tar"]);
}

#[test]
fn stopping_leaves_a_whole_smaller_set() {
    let folder = tempdir().unwrap();
    for (form, name) in [(Form::Folder, "folder"), (Form::Shards { pictures: 1000 }, "shards")] {
        let out = folder.path().join(name);
        let stopped = write(&order(1_000_000), &out, form, |_| ControlFlow::Break(()));
        let Err(DatasetError::Cancelled { written, count: 1_000_000 }) = stopped else { panic!("{stopped:?}") };
        match form {
            Form::Folder => assert_eq!((lines(&out).len() as u64, names(&out).len() as u64), (written, written + 1)),
            Form::Shards { .. } => assert_eq!(names(&out), ["storybook-000000.tar"]),
        }
    }
}

/// `/dev/full` answers every write as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_only_what_did_not_fit() {
    use std::io::ErrorKind::StorageFull;
    use std::os::unix::fs::symlink;
    let folder = tempdir().unwrap();
    symlink("/dev/full", folder.path().join("000003.png")).unwrap();
    let made = make(&order(6), folder.path(), Form::Folder);
    let Err(DatasetError::Write { path, source }) = made else { panic!("{made:?}") };
    assert_eq!((path, source.kind()), (folder.path().join("000003.png"), StorageFull));
    assert_eq!(names(folder.path()), ["000000.png", "000001.png", "000002.png", "metadata.jsonl"]);
    assert_eq!(lines(folder.path()).len(), 3);

    let folder = tempdir().unwrap();
    symlink("/dev/full", folder.path().join("storybook-000001.tar.part")).unwrap();
    let made = make(&order(6), folder.path(), Form::Shards { pictures: 2 });
    let Err(DatasetError::Write { source, .. }) = made else { panic!("{made:?}") };
    assert_eq!(source.kind(), StorageFull);
    assert_eq!(names(folder.path()), ["storybook-000000.tar"]);
}

#[test]
fn faults_are_told_before_anything_is_written() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    let sized = |size| Order { size, ..order(1) };
    assert!(matches!(make(&order(0), &out, Form::Folder), Err(DatasetError::Count("count"))));
    assert!(matches!(contact_sheet(&order(0)), Err(DatasetError::Count("count"))));
    for size in [0, 63, 1025] {
        assert!(matches!(make(&sized(size), &out, Form::Folder), Err(DatasetError::Size(_))));
        assert!(matches!(contact_sheet(&sized(size)), Err(DatasetError::Size(_))));
    }
    let none = Form::Shards { pictures: 0 };
    assert!(matches!(make(&order(1), &out, none), Err(DatasetError::Count("pictures per shard"))));
    assert!(!out.exists());
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    for form in [Form::Folder, Form::Shards { pictures: 9 }] {
        for out in [&file, &file.join("inside")] {
            assert!(matches!(make(&order(1), out, form), Err(DatasetError::Write { .. })));
        }
    }
}

#[test]
fn a_contact_sheet_shows_the_first_pictures_in_order() {
    let sheet = contact_sheet(&order(10)).unwrap();
    assert_eq!((sheet.width, sheet.height), (8 * 68 + 4, 2 * 68 + 4));
    for index in [0, 1, 7, 8, 9] {
        let picture = render(&Scene::new(5, index, Pairs::Usual), 64).unwrap();
        let (left, top) = (4 + index as usize % 8 * 68, 4 + index as usize / 8 * 68);
        for row in 0..64 {
            let start = ((top + row) * sheet.width as usize + left) * 3;
            assert_eq!(sheet.rgb[start..start + 192], picture.rgb[row * 192..][..192]);
        }
    }
    // What is left of the last row is white, and large pictures are drawn smaller.
    assert!(sheet.rgb[sheet.rgb.len() - 3 * 68..].iter().all(|value| *value == 255));
    assert_eq!(contact_sheet(&Order { size: 1024, ..order(1) }).unwrap().width, 256 + 8);
}
