//! PNG files that were damaged or made to do harm: a typed error, no panic, no allocation beyond their means.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use imagen_web::image::ImageError;
use imagen_web::image::png::{read, write};
use proptest::prelude::*;

use super::png::{picture, settings};

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, remembering the largest single request of each thread.
struct Watching;

// SAFETY: every call is passed on to the system's allocator unchanged; the note taken beside it allocates nothing.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller's promises are the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system's allocator with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// Reads, and returns the largest allocation that this took.
fn watched(file: &[u8]) -> (Result<(), ImageError>, usize) {
    LARGEST.set(0);
    let result = read(file).map(drop);
    (result, LARGEST.get())
}

/// A chunk with its checksum.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    let crc = !body.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    [&(data.len() as u32).to_be_bytes()[..], &body, &crc.to_be_bytes()].concat()
}

fn header(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
    let sizes = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &[&sizes[..], &[depth, colour, 0, 0, 0]].concat())].concat()
}

#[test]
fn sizes_that_the_file_cannot_hold_are_refused_before_allocating() {
    let body = [chunk(b"IDAT", &[0x78, 1, 3, 0]), chunk(b"IEND", b"")].concat();
    for (width, height) in [(u32::MAX >> 1, u32::MAX >> 1), (1 << 16, 1 << 16), (8192, 8192)] {
        let (result, largest) = watched(&[header(width, height, 8, 2), body.clone()].concat());
        assert!(matches!(result, Err(ImageError::TooLarge { .. } | ImageError::Malformed { .. })), "{result:?}");
        assert!(largest < 1 << 20, "{width}×{height} took {largest} bytes");
    }
    // Accepted as a size, but not in a file this short.
    for (depth, colour) in [(8, 2), (16, 6), (8, 0)] {
        let (result, largest) = watched(&[header(5000, 5000, depth, colour), body.clone()].concat());
        assert!(matches!(result, Err(ImageError::Malformed { .. })), "{result:?}");
        assert!(largest < 1 << 20, "{depth} bits took {largest} bytes");
    }
}

#[test]
fn chunks_longer_than_the_file_are_refused_before_allocating() {
    for kind in [b"tEXt", b"iTXt", b"zTXt", b"iCCP", b"eXIf", b"IDAT", b"PLTE"] {
        let mut file = header(2, 2, 8, 2);
        file.extend(0x7FFF_FFFF_u32.to_be_bytes());
        file.extend(kind);
        file.extend(b"parameters\0text");
        let (result, largest) = watched(&file);
        assert!(matches!(result, Err(ImageError::Malformed { .. })), "{result:?}");
        assert!(largest < 1 << 20, "{kind:?} took {largest} bytes");
    }
}

#[test]
fn compressed_text_does_not_explode() {
    // Stored under `parameters`: 64 MiB of one letter, deflated.
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.add_ztxt_chunk("parameters".into(), "a".repeat(64 << 20)).unwrap();
    encoder.write_header().unwrap().write_image_data(&[1, 2, 3]).unwrap();
    let (result, largest) = watched(&file);
    assert!(result.is_ok(), "{result:?}");
    assert!(largest <= 4 << 20, "took {largest} bytes");
}

#[test]
fn cut_off_files_are_errors() {
    let file = write(&picture(9, 7), &settings("a house", "rain")).unwrap();
    let end = file.len() - 12;
    for length in 0..end {
        let result = read(&file[..length]);
        assert!(matches!(result, Err(ImageError::Malformed { .. })), "{length} of {} bytes", file.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let (result, largest) = watched(&bytes);
        prop_assert!(result.is_err());
        prop_assert!(largest < 1 << 20);
    }

    #[test]
    fn any_chunks_are_survived(
        size in (any::<u32>(), any::<u32>()),
        depth: u8,
        colour in 0u8..8,
        kind in proptest::sample::select(vec![*b"tEXt", *b"iTXt", *b"zTXt", *b"PLTE", *b"tRNS", *b"iCCP", *b"acTL", *b"IDAT"]),
        data in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let parts = [header(size.0, size.1, depth, colour), chunk(&kind, &data), chunk(b"IEND", b"")];
        let (result, largest) = watched(&parts.concat());
        prop_assert!(result.is_err());
        prop_assert!(largest < 1 << 20, "{largest}");
    }

    #[test]
    fn any_damage_is_survived(at in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut file = write(&picture(9, 7), &settings("a house", "rain")).unwrap();
        for (index, byte) in at {
            let length = file.len();
            file[index.index(length)] = byte;
        }
        let (_, largest) = watched(&file);
        prop_assert!(largest < 1 << 21, "{largest}");
    }

    #[test]
    fn any_parameters_are_read(text in "\\PC*(\nSteps: [\\PC\"\\\\,:]*)?") {
        imagen_web::image::png::Settings::from_parameters(&text);
    }
}
