use super::*;
use crate::text::Tokenizer;
use crate::train::{Focus, StageTask};
use image::{ImageFormat, Rgb};
use std::fs;
use std::io::Cursor;
use std::sync::Arc;
use tempfile::TempDir;

const TOKENIZER: &[u8] = include_bytes!("../../../tests/fixtures/tokenizer.json");

fn picture(width: u32, height: u32, red: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([red, (x * 7) as u8, (y * 11) as u8]))
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png(red: u8) -> Vec<u8> {
    encoded(&picture(20, 16, red), ImageFormat::Png)
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Names, captions and the first pixel's red, or why not.
fn all(set: &dyn Dataset) -> Vec<Result<(String, u8), String>> {
    let one = |index| set.read(index).map(|record| (record.caption, record.picture.get_pixel(0, 0).0[0]));
    (0..set.len()).map(one).collect()
}

fn refused(path: &Path) -> String {
    match open(path) {
        Ok(set) => panic!("{} pictures", set.len()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_folder_of_pictures_with_texts() {
    let jpeg = encoded(&picture(32, 32, 200), ImageFormat::Jpeg);
    let folder = folder(&[
        ("a.png", &png(10)),
        ("a.txt", b"a cat\n"),
        ("b.JPG", &jpeg),
        ("b.txt", b"a duck"),
        ("bare.png", &png(30)),
        ("alone.txt", b"nothing"),
    ]);
    let set = open(folder.path()).unwrap();
    let found = all(set.as_ref());
    assert_eq!(found[0], Ok(("a cat".to_owned(), 10)));
    let (caption, red) = found[1].clone().unwrap();
    assert!(caption == "a duck" && red.abs_diff(200) < 8, "{red}");
    assert_eq!(found.len(), 2);
    let expected =
        ["pictures without a caption are left out: 1 (bare.png)", "captions without a picture: 1 (alone.txt)"];
    assert_eq!(set.notes(), expected);
    fs::write(folder.path().join("bare.txt"), b"gr\xfcn").unwrap();
    let set = open(folder.path()).unwrap();
    assert!(set.len() == 2 && set.notes()[0].contains("bare.txt: "), "{:?}", set.notes());
}

#[test]
fn a_jpeg_is_turned_as_it_was_taken() {
    let wide = RgbImage::from_fn(32, 16, |x, _| Rgb([if x < 16 { 250 } else { 5 }; 3]));
    let jpeg = encoded(&wide, ImageFormat::Jpeg);
    assert_eq!(picture::decode(&jpeg).unwrap().dimensions(), (32, 16));
    // An APP1 segment with one entry of TIFF in big-endian: orientation (0x0112), a short, once, 6: turned clockwise to be seen.
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = picture::decode(&[&jpeg[..2], exif, &jpeg[2..]].concat()).unwrap();
    assert_eq!(turned.dimensions(), (16, 32));
    assert!(turned.get_pixel(8, 2).0[0] > 200 && turned.get_pixel(8, 30).0[0] < 50);
}

#[test]
fn a_folder_with_metadata() {
    let lines = "{\"file_name\":\"sub/a.png\",\"text\":\"a cat\"}\n\n{\"file_name\":\"../b.png\",\"text\":\"x\"}\nnot json\n{\"file_name\":\"c.png\",\"caption\":\"gone\"}\n";
    let folder = folder(&[("sub/a.png", &png(10)), ("metadata.jsonl", lines.as_bytes())]);
    let set = open(folder.path()).unwrap();
    let found = all(set.as_ref());
    assert_eq!(found[0], Ok(("a cat".to_owned(), 10)));
    assert!(found.len() == 2 && found[1].is_err());
    let note = &set.notes()[0];
    assert!(note.contains("left out: 2") && note.contains("line 3") && note.contains("outside"), "{note}");
}

fn shard(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn shards_of_web_dataset() {
    let first =
        shard(&[("x/000.jpg.png", b"?"), ("x/001.png", &png(1)), ("x/001.txt", b"one"), ("x/002.txt", b"none")]);
    let second = shard(&[("003.json", b"{\"caption\":\"three\"}"), ("003.png", &png(3)), ("003.cls", b"7")]);
    let folder = folder(&[("a-0.tar", &first), ("a-1.tar", &second)]);
    let set = open(folder.path()).unwrap();
    assert_eq!(all(set.as_ref()), [Ok(("one".to_owned(), 1)), Ok(("three".to_owned(), 3))]);
    assert!(set.notes()[0].contains("left out: 1") && set.notes()[0].contains("002"), "{:?}", set.notes());
    assert!(set.name(1).contains("003") && set.name(1).contains("a-1.tar"));
    assert_eq!(open(&folder.path().join("a-1.tar")).unwrap().len(), 1);
    let files: &[(&str, &[u8])] = &[("1.png", &png(1)), ("1.txt", b"gr\xfcn"), ("2.png", &png(2)), ("2.txt", b"two")];
    let folder = self::folder(&[("a.tar", &shard(files))]);
    let set = open(folder.path()).unwrap();
    assert_eq!(all(set.as_ref()), [Ok(("two".to_owned(), 2))]);
    assert!(set.notes()[0].contains("UTF-8, are left out: 1 (1)"), "{:?}", set.notes());
}

#[test]
fn a_shard_that_ends_early_is_used_as_far_as_it_goes() {
    let last = png(2);
    let whole = shard(&[("1.txt", b"one"), ("1.png", &png(1)), ("2.txt", b"two"), ("2.png", &last)]);
    // The archive ends in 1024 zeros, and files are filled up to whole blocks of 512.
    let end = whole.len() - 1024 - (last.len().next_multiple_of(512) - last.len());
    // In the last picture, and in the header before it.
    for cut in [end - 10, end - last.len() - 300] {
        let folder = folder(&[("a.tar", &whole[..cut])]);
        let set = open(folder.path()).unwrap();
        assert_eq!(all(set.as_ref()), [Ok(("one".to_owned(), 1))], "{cut}");
        assert!(set.notes().iter().any(|note| note.contains("a.tar ends early")), "{:?}", set.notes());
    }
    let folder = folder(&[("a.tar", &whole[..300])]);
    assert!(refused(folder.path()).contains("ends early"));
}

fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let sizes = dimensions.iter().flat_map(|size| size.to_be_bytes());
    [0, 0, 8, dimensions.len() as u8].into_iter().chain(sizes).chain(values.iter().copied()).collect()
}

#[test]
fn digits_of_idx_files() {
    let pixels: Vec<u8> = (0..12).collect();
    let folder = folder(&[
        ("train-images-idx3-ubyte", &idx(&[3, 2, 2], &pixels)),
        ("train-labels-idx1-ubyte", &idx(&[3], &[7, 0, 9])),
    ]);
    let set = open(folder.path()).unwrap();
    let captions = [("digit 7", 0), ("digit 0", 4), ("digit 9", 8)].map(|(text, red)| Ok((text.to_owned(), red)));
    assert_eq!(all(set.as_ref()), captions);
    assert_eq!(set.read(1).unwrap().picture.get_pixel(1, 1).0, [7; 3]);
    assert!(set.notes().is_empty());
    // A file that is cut short: what is whole is used.
    fs::write(folder.path().join("train-images-idx3-ubyte"), idx(&[3, 2, 2], &pixels[..9])).unwrap();
    let set = open(folder.path()).unwrap();
    assert!(set.len() == 2 && set.notes()[0].contains("2 pictures of 3"), "{:?}", set.notes());
    fs::write(folder.path().join("train-images-idx3-ubyte"), idx(&[3, 2, 2], &pixels[..3])).unwrap();
    assert!(refused(folder.path()).contains("0 pictures of 2×2 pixels and 3 labels"));
    fs::write(folder.path().join("train-labels-idx1-ubyte"), b"garbage").unwrap();
    assert!(refused(folder.path()).contains("no IDX file"));
}

#[test]
fn of_mnist_the_training_set_is_taken() {
    let pair = |name: &str, label: u8| {
        let images = (format!("{name}-images-idx3-ubyte"), idx(&[1, 1, 1], &[9]));
        [images, (format!("{name}-labels-idx1-ubyte"), idx(&[1], &[label]))]
    };
    let both = [pair("t10k", 3), pair("train", 4)].concat();
    let files: Vec<(&str, &[u8])> = both.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let mnist = folder(&files);
    let set = open(mnist.path()).unwrap();
    assert_eq!(all(set.as_ref()), [Ok(("digit 4".to_owned(), 9))]);
    assert_eq!(set.notes(), ["other pictures are left out: 1 (t10k-images-idx3-ubyte)"]);
    assert!(!set.may_be_mirrored());
    assert_eq!(
        all(open(&mnist.path().join("t10k-images-idx3-ubyte")).unwrap().as_ref())[0],
        Ok(("digit 3".to_owned(), 9))
    );
    let others = [pair("a", 3), pair("b", 4)].concat();
    let files: Vec<(&str, &[u8])> = others.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    assert!(refused(folder(&files).path()).contains("several pairs"));
}

#[test]
fn nothing_to_train_on_is_an_error() {
    let empty = folder(&[]);
    assert!(refused(empty.path()).contains("put pictures"));
    let texts = folder(&[("a.txt", b"a cat"), ("b.txt", b"a dog")]);
    let message = refused(texts.path());
    assert!(message.contains("captions without a picture: 2") && message.contains("a.txt"), "{message}");
    assert!(refused(&empty.path().join("nowhere")).contains("cannot read"));
}

#[test]
fn pictures_that_are_no_use_say_why() {
    let whole = encoded(&picture(64, 64, 9), ImageFormat::Jpeg);
    let cases: [(&[u8], &str); 5] = [
        (&whole[..whole.len() / 4], "ends early"),
        (&whole[..whole.len() - 20], "ends early"),
        (b"no picture", ""),
        (&png(1)[..50], ""),
        (&huge(20_000), "larger than"),
    ];
    for (bytes, expected) in cases {
        let reason = picture::decode(bytes).map(|picture| picture.dimensions()).unwrap_err();
        assert!(reason.contains(expected), "{reason}");
    }
    let reason = fit(&picture(1, 1, 0), 64, 32).unwrap_err();
    assert!(reason.contains("1×1") && reason.contains("32×32"), "{reason}");
}

/// The header of a PNG that says it is huge.
fn huge(side: u32) -> Vec<u8> {
    let mut bytes = encoded(&picture(1, 1, 0), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    let check = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&check.to_be_bytes());
    bytes
}

/// PNG's check value.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[test]
fn a_picture_is_cut_to_its_middle_and_brought_to_size() {
    // A step from black to white in the middle of the square survives; the sides are cut off.
    let wide = RgbImage::from_fn(96, 32, |x, _| Rgb([if x < 48 { 0 } else { 255 }; 3]));
    let planes = fit(&wide, 16, 16).unwrap();
    assert!((planes[0] + 1.0).abs() < 0.02 && (planes[15] - 1.0).abs() < 0.02);
    let exact = picture(16, 16, 77);
    let planes = fit(&exact, 16, 16).unwrap();
    assert_eq!(crate::image::Picture::from_planar(&planes, 16, 16).unwrap().rgb, exact.into_raw());
}

#[test]
fn transparency_becomes_white() {
    let clear = image::RgbaImage::from_pixel(2, 1, image::Rgba([255, 0, 0, 0]));
    let mut bytes = Cursor::new(Vec::new());
    clear.write_to(&mut bytes, ImageFormat::Png).unwrap();
    assert_eq!(picture::decode(&bytes.into_inner()).unwrap().get_pixel(0, 0).0, [255; 3]);
}

/// The storybook base's task on 64×64 pixels.
fn task() -> StageTask {
    let manifest = include_bytes!("../../../models/storybook/imagen.json");
    let manifest = crate::cascade::Manifest::from_json(manifest).unwrap();
    let mut task = StageTask::new(&manifest.stages[0], None).unwrap();
    (task.drop_caption, task.flip) = (0.25, true);
    task.focus = Focus { share: 0.5, mean: 999.0, deviation: 0.0 };
    task
}

fn loader(set: Arc<dyn Dataset>, workers: usize, position: (u64, u64, u64)) -> Loader {
    load(set, workers, position, Share::WHOLE)
}

fn load(set: Arc<dyn Dataset>, workers: usize, position: (u64, u64, u64), share: Share) -> Loader {
    let loading = Loading { batch: 5, crops: vec![64], least: 8, workers, share };
    let tokenizer = Tokenizer::from_bytes(TOKENIZER, 12, false).unwrap();
    Loader::start(set, task(), tokenizer, loading, position).unwrap()
}

#[test]
fn batches_depend_on_seed_and_number_alone() {
    let pictures: Vec<(String, Vec<u8>)> = (0..7).map(|i| (format!("{i}.png"), png(i))).collect();
    let texts: Vec<(String, Vec<u8>)> = (0..7).map(|i| (format!("{i}.txt"), b"a red cat".to_vec())).collect();
    let files: Vec<(&str, &[u8])> = pictures.iter().chain(&texts).map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    let folder = folder(&files);
    let set: Arc<dyn Dataset> = open(folder.path()).unwrap().into();
    let one = loader(Arc::clone(&set), 1, (3, 0, 0));
    let batches: Vec<Batch> = (0..4).map(|_| one.next().unwrap()).collect();
    // From another position, on other threads.
    let later = loader(Arc::clone(&set), 3, (3, 2, 10));
    assert_eq!(later.next().unwrap().examples, batches[2].examples);
    assert_eq!(later.next().unwrap().examples, batches[3].examples);
    let other = loader(Arc::clone(&set), 1, (4, 0, 0)).next().unwrap();
    assert_ne!(other.examples, batches[0].examples);
    // Two processes make the same batches together.
    let parts = [0, 1].map(|rank| load(Arc::clone(&set), 1, (3, 0, 0), Share { rank, of: 2 }));
    for batch in &batches {
        let [even, odd] = parts.each_ref().map(|part| part.next().unwrap());
        assert_eq!((even.count, odd.count, even.examples.len(), odd.examples.len()), (5, 5, 3, 2));
        let every_second = |rank: usize| batch.examples.iter().skip(rank).step_by(2).cloned().collect::<Vec<_>>();
        assert_eq!((even.examples, odd.examples), (every_second(0), every_second(1)));
    }
    // Every pass meets every picture once: their red tells them apart.
    let reds: Vec<i32> =
        batches.iter().flat_map(|b| &b.examples).map(|e| ((e.clean[0] + 1.0) * 127.5).round() as i32).collect();
    for pass in reds.chunks_exact(7) {
        let mut pass = pass.to_vec();
        pass.sort_unstable();
        assert_eq!(pass, [0, 1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn examples_follow_the_settings() {
    let captioned = crate::train::Captioned { picture: vec![0.25; 3 * 64 * 64], caption: "a cat".to_owned() };
    let tokenizer = Tokenizer::from_bytes(TOKENIZER, 12, false).unwrap();
    let empty = tokenizer.encode("").unwrap();
    let examples: Vec<_> =
        (0..400).map(|n| crate::train::prepare(&task(), &tokenizer, &captioned, (1, n), 64).unwrap()).collect();
    let share = |count: usize| count as f64 / 400.0;
    // Five standard errors.
    assert!((share(examples.iter().filter(|e| e.caption == empty).count()) - 0.25).abs() < 0.11);
    assert!((share(examples.iter().filter(|e| e.timestep == 999).count()) - 0.5).abs() < 0.13);
    let low = examples.iter().filter(|e| e.timestep < 500).count();
    assert!((share(low) - 0.25).abs() < 0.11);
    assert!(examples.windows(2).all(|pair| pair[0].noise != pair[1].noise));
    let mean = examples[0].noise.iter().map(|v| f64::from(v * v)).sum::<f64>() / (3.0 * 64.0 * 64.0);
    assert!((mean - 1.0).abs() < 0.07, "{mean}");
}

#[test]
fn broken_pictures_are_named_once_and_replaced() {
    let folder = folder(&[
        ("a.png", &png(1)),
        ("a.txt", b"a cat"),
        ("b.png", &png(2)[..40]),
        ("b.txt", b"a dog"),
        ("c.png", &encoded(&picture(2, 2, 0), ImageFormat::Png)),
        ("c.txt", b"small"),
    ]);
    let set: Arc<dyn Dataset> = open(folder.path()).unwrap().into();
    let loader = loader(set, 2, (0, 0, 0));
    let batches: Vec<Batch> = (0..4).map(|_| loader.next().unwrap()).collect();
    let broken: Vec<&str> = batches.iter().flat_map(|b| &b.broken).map(|(name, _)| name.as_str()).collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(batches.iter().all(|batch| batch.examples.len() == 5));
    let all_bad = folder_of_broken();
    let set: Arc<dyn Dataset> = open(all_bad.path()).unwrap().into();
    let error = self::loader(set, 1, (0, 0, 0)).next().unwrap_err().to_string();
    assert!(error.contains("none of the 2 pictures"), "{error}");
}

fn folder_of_broken() -> TempDir {
    folder(&[("a.png", b"x"), ("a.txt", b"a"), ("b.jpg", b"y"), ("b.txt", b"b")])
}
