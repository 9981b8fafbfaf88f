//! What the kernels read is what the CPU reads: every format, in slabs and in pieces.

use super::*;
use crate::gpu::Device;
use crate::gpu::kernels::Linear;
use crate::gpu::plan::Shape;
use crate::gpu::testing::{TestWeights, device, run_on, small_device, values};
use crate::weights::BlockFormat;
use std::sync::Arc;

/// The weight `w`, `[n, k]`, transposed, as the kernels for many rows and for few read it: its product with the columns
/// of the identity `first..first + rows`, in which every value is multiplied by 1 and added to zeros.
fn read(device: &Arc<Device>, weights: &TestWeights, k: usize, first: usize, rows: usize) -> Vec<f32> {
    let mut identity = vec![0.0; rows * k];
    (0..rows).for_each(|row| identity[row * k + first + row] = 1.0);
    let inputs: [(Shape, &[f32]); 1] = [(Shape::tokens(1, rows as u32, k as u32), &identity)];
    let y = run_on(device, weights, &inputs, None, |b, x| Ok(vec![("y", b.linear(x[0], Linear::new("w"))?)]));
    y.unwrap().remove("y").unwrap()
}

/// Distance in representable numbers.
fn ulps(a: f32, b: f32) -> u64 {
    let ordered =
        |x: f32| if x.is_sign_negative() { -i64::from(x.to_bits() & !(1 << 31)) } else { i64::from(x.to_bits()) };
    ordered(a).abs_diff(ordered(b))
}

#[track_caller]
fn assert_same(read: &[f32], stored: &[f32], n: usize, first: usize, what: &str) {
    let k = stored.len() / n;
    for (row, read) in read.chunks_exact(n).enumerate() {
        for (output, &read) in read.iter().enumerate() {
            let stored = stored[output * k + first + row];
            assert!(ulps(read, stored) <= 1, "{what}: row {output}, column {}: {read} for {stored}", first + row);
        }
    }
}

#[test]
fn every_value_is_read_as_on_the_cpu() {
    for format in BlockFormat::ALL {
        // Rows that are padded, and neither side a multiple of a tile.
        let (n, k) = (19, if format.block_values() == 1 { 99 } else { 3 * format.block_values() });
        // The second in the range where the scales of K-quants are subnormal.
        for size in [1.0, 0.01] {
            let mut weights = TestWeights::new();
            let values: Vec<f32> = values(7, n * k).iter().map(|v| (v * 1.5 - 0.3) * size).collect();
            let stored = weights.add("w", &[n, k], format, &values);
            assert_same(&read(&device(), &weights, k, 0, k), &stored, n, 0, &format!("{format}, many rows"));
            assert_same(&read(&device(), &weights, k, k - 3, 3), &stored, n, k - 3, &format!("{format}, few rows"));
        }
    }
}

#[test]
fn slabs_and_pieces_may_end_anywhere() {
    // A file's piece of 16 MiB ends inside a slab. Most rows are zero, which is quickly quantised.
    use crate::weights::BlockFormat::{Q4K, Q5_0, Q6K};
    let device = small_device(7 << 20);
    let k = 4096;
    for (format, n) in [(Q4K, 7400), (Q6K, 5100), (Q5_0, 6100)] {
        let mut weights = TestWeights::new();
        let mut values = vec![0.0; n * k];
        for row in (0..n).step_by(29) {
            values[row * k..][..k].copy_from_slice(&crate::gpu::testing::values(row as u32, k));
        }
        let stored = weights.add("w", &[n, k], format, &values);
        assert!(Layout::new("w", &[n, k], format, 7 << 20).unwrap().slabs() > 2);
        assert_same(&read(&device, &weights, k, k - 2, 2), &stored, n, k - 2, &format.to_string());
    }
}
