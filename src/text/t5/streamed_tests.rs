//! Block by block is all at once, to the last bit.

use super::*;
use crate::gpu::Backend;
use crate::text::t5::testing::{mixture, open};
use crate::text::{T5Encoder, TextEncoder, Tokenized};
use crate::weights::WeightsError;
use pollster::block_on;

const FILES: [&[u8]; 3] = [
    include_bytes!("../../../tests/fixtures/t5_v1_0_f32.gguf"),
    include_bytes!("../../../tests/fixtures/t5_v1_1_q4_0.gguf"),
    include_bytes!("../../../tests/fixtures/t5_hf_names.gguf"),
];

fn prompts() -> [Tokenized; 2] {
    [[5, 33, 5, 1, 0, 0], [9, 9, 61, 2, 7, 1]].map(|ids: [u32; 6]| {
        let mask = ids.iter().map(|&id| u32::from(id != 0)).collect();
        Tokenized { ids: ids.to_vec(), mask, truncated: false }
    })
}

#[test]
fn the_bits_are_those_of_all_blocks_at_once() {
    for bytes in FILES.into_iter().chain([mixture().as_slice()]) {
        let mut whole = block_on(TextEncoder::load(open(bytes), &Backend::Cpu)).unwrap();
        let mut streamed = block_on(TextEncoder::streamed(open(bytes), &Backend::Cpu)).unwrap();
        assert_eq!(whole.config(), streamed.config());
        let expected = block_on(whole.encode(&prompts())).unwrap();
        for _ in 0..2 {
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
            for (embedding, expected) in block_on(streamed.encode(&prompts())).unwrap().iter().zip(&expected) {
                assert_eq!(bits(&embedding.values), bits(&expected.values));
            }
        }
    }
}

#[test]
fn the_sizes_that_are_told_are_those_of_the_network() {
    let mut file = open(FILES[1]);
    let network = block_on(T5Encoder::load(&mut file, &Device::flex())).unwrap();
    assert_eq!(network.config().parameters(), network.num_params() as u64);
    let block = network.config().init_block(false, &Device::flex());
    assert_eq!(network.config().block_parameters(), block.num_params() as u64);
    let v1_0 = block_on(T5Encoder::load(&mut open(FILES[0]), &Device::flex())).unwrap();
    assert_eq!(v1_0.config().parameters(), v1_0.num_params() as u64);
}

#[test]
fn faults_of_the_file_are_told_when_it_is_opened() {
    let refuse = |file: Weights| block_on(StreamedEncoder::load(file, Device::flex())).err().unwrap();
    let mut bytes = FILES[1].to_vec();
    let last = bytes.len() - 1;
    let mut expected = open(&bytes);
    bytes[last] ^= 1;
    let mut damaged = open(&bytes);
    for file in [&mut expected, &mut damaged] {
        use sha2::{Digest, Sha256};
        file.expect(FILES[1].len() as u64, &hex::encode(Sha256::digest(FILES[1])));
    }
    assert!(block_on(StreamedEncoder::load(expected, Device::flex())).is_ok());
    assert!(matches!(refuse(damaged), TextError::Weights(WeightsError::WrongHash { .. })));
    // A block that is only read later.
    let name = b"enc.blk.1.ffn_down.weight";
    let at = FILES[1].windows(name.len()).position(|window| window == name).unwrap();
    let mut lacking = FILES[1].to_vec();
    lacking[at] = b'X';
    let error = refuse(open(&lacking)).to_string();
    assert!(error.contains("enc.blk.1.ffn_down.weight"), "{error}");
}
