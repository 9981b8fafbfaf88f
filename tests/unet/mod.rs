//! What the U-Net's tests share: fixtures of tests/reference/unet.py, and weights that are a hash of their names.

// Each test program uses its own part.
#![allow(dead_code)]

pub mod deepfloyd;
pub mod fixture;
pub mod hashes;
pub mod synthetic;

/// ‖a − b‖ / ‖b‖
pub fn relative_error(actual: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let (mut error, mut norm) = (0.0, 0.0);
    for (a, e) in actual.iter().zip(expected) {
        error += f64::from(a - e).powi(2);
        norm += f64::from(*e).powi(2);
    }
    (error / norm).sqrt()
}
