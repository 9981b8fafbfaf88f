use super::*;
use crate::weights::blocks::{AffineBlock, ScaledBlock, SignedBlock};
use half::f16;
use proptest::collection::vec;
use proptest::prelude::*;
use safetensors::SafeTensors;

const ERRORS: &[u8] = include_bytes!("../../../tests/fixtures/block_error.safetensors");
const BLOCKS: [BlockFormat; 6] =
    [BlockFormat::Q8_0, BlockFormat::Q4_0, BlockFormat::Q5_0, BlockFormat::Q4K, BlockFormat::Q5K, BlockFormat::Q6K];

fn stored(format: BlockFormat, values: &[f32]) -> Vec<f32> {
    let mut read = Vec::new();
    format.dequantise(&format.quantise(values).unwrap(), &mut read).unwrap();
    read
}

#[test]
fn the_error_is_llama_cpps() {
    let file = SafeTensors::deserialize(ERRORS).unwrap();
    for distribution in ["gaussian", "student"] {
        let bytes = file.tensor(distribution).unwrap().data();
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect();
        for format in BLOCKS {
            let theirs = file.tensor(&format!("{distribution}.{format}")).unwrap();
            let theirs = f64::from_le_bytes(theirs.data().try_into().unwrap());
            let read = stored(format, &values);
            let squares = read.iter().zip(&values).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
            let ratio = squares.sum::<f64>() / values.len() as f64 / theirs;
            assert!(ratio <= 1.02, "{distribution} {format}: {ratio} of llama.cpp's mean squared error");
        }
    }
}

#[test]
fn special_values_are_kept() {
    for format in BLOCKS {
        assert_eq!(stored(format, &[0.0; 256]), [0.0; 256], "{format}");
        for constant in [1.0f32, -1.0, 0.25, 3e4] {
            for value in stored(format, &[constant; 256]) {
                assert!((value - constant).abs() <= 1e-3 * constant.abs(), "{format}: {value} for {constant}");
            }
        }
        for sign in [1.0, -1.0] {
            let largest = [sign * format.largest(); 256];
            for (value, largest) in stored(format, &largest).iter().zip(largest) {
                assert!((value - largest).abs() <= 2e-3 * largest.abs(), "{format}: {value} for {largest}");
            }
        }
    }
}

/// Values of every size and kind, whole blocks of all formats.
fn any_values() -> impl Strategy<Value = Vec<f32>> {
    let any_one = any::<u32>().prop_map(f32::from_bits);
    let of_one_size = (-140i32..128, vec(-1.0f32..1.0, 256))
        .prop_map(|(exponent, values)| values.iter().map(|v| v * (exponent as f32).exp2()).collect());
    let sparse = (vec(any_one.clone(), 2), 0usize..256).prop_map(|(values, at)| {
        let mut all = vec![values[0]; 256];
        all[at] = values[1];
        all
    });
    prop_oneof![vec(any_one, 256), of_one_size, sparse]
}

proptest! {
    #[test]
    fn quantising_takes_any_values(values in any_values()) {
        let finite: Vec<f32> = values.iter().map(|v| if v.is_finite() { *v } else { f32::MAX }).collect();
        for format in BLOCKS {
            stored(format, &values);
            prop_assert!(stored(format, &finite).iter().all(|v| v.is_finite()), "{format}");
        }
    }

    #[test]
    fn blocks_are_put_together_as_they_were(bytes in vec(any::<u8>(), 210)) {
        for format in BLOCKS {
            let block = &bytes[..format.block_bytes()];
            let mut written = Vec::new();
            match format {
                BlockFormat::Q4K | BlockFormat::Q5K => AffineBlock::read(format, block).write(format, &mut written),
                BlockFormat::Q6K => SignedBlock::read(block).write(&mut written),
                _ => ScaledBlock::read(format, block).write(format, &mut written),
            }
            prop_assert_eq!(written, block);
        }
    }
}
