//! No file makes the program take much more memory than the file itself has: counts and lengths in it are not trusted.
//!
//! One test in a binary of its own, so that nothing else allocates meanwhile.

mod counting;

use imagen_web::weights::{MemorySource, Weights};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The most bytes that were allocated at a time while the file was opened and read.
fn peak(bytes: &[u8]) -> usize {
    let read = || {
        let source = Box::new(MemorySource::new("test.gguf", bytes.to_vec()));
        if let Ok(mut weights) = pollster::block_on(Weights::open(source)) {
            let _ = pollster::block_on(weights.stream(&mut |_| Ok(())));
        }
    };
    counting::peak(read).1
}

/// The largest entry in memory for the smallest in a file is an empty tensor name or text; the rest is slack for messages.
fn allowed(bytes: &[u8]) -> usize {
    64 * bytes.len() + 4096
}

#[test]
fn memory_follows_the_size_of_the_file() {
    let fixture = include_bytes!("fixtures/formats.gguf");
    assert!(peak(fixture) > fixture.len(), "the allocator is not counted");
    let mut runner = TestRunner::new(Config { cases: 2000, failure_persistence: None, ..Config::default() });
    // Eight bytes in a row are most often a length, a count or a dimension.
    let change = (0usize..990, prop_oneof![any::<u64>(), Just(u64::MAX), Just(1 << 40), 0u64..5000]);
    let files = proptest::collection::vec(change, 1..4);
    let result = runner.run(&files, |changes| {
        let mut bytes = fixture.to_vec();
        for (at, value) in changes {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let peak = peak(&bytes);
        prop_assert!(peak <= allowed(&bytes), "{peak} bytes for a file of {}", bytes.len());
        Ok(())
    });
    result.unwrap();
    // A header that is nothing but counts.
    for count in [1u64, 100, 1 << 20, 1 << 40, u64::MAX] {
        for kind in 0u32..14 {
            let mut bytes = b"GGUF\x03\0\0\0".to_vec();
            bytes.extend([0u64.to_le_bytes(), 1u64.to_le_bytes(), 0u64.to_le_bytes()].concat());
            bytes.extend([9u32.to_le_bytes(), kind.to_le_bytes()].concat());
            bytes.extend(count.to_le_bytes());
            bytes.resize(2000, 0);
            let peak = peak(&bytes);
            assert!(peak <= allowed(&bytes), "{peak} bytes for {count} elements of type {kind}");
        }
    }
}
