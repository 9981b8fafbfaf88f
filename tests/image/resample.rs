//! Resampling against torch.nn.functional.interpolate (fixture: tests/reference/resample.py).

use imagen_web::image::resample::{Filter, box_downsample, upsample};
use safetensors::SafeTensors;

fn values(tensors: &SafeTensors<'_>, name: &str) -> (Vec<usize>, Vec<f32>) {
    let tensor = tensors.tensor(name).unwrap();
    let float = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    (tensor.shape().to_vec(), tensor.data().chunks_exact(4).map(float).collect())
}

fn worst(actual: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(actual.len(), expected.len());
    actual.iter().zip(expected).map(|(a, e)| (a - e).abs()).fold(0.0, f32::max)
}

#[test]
fn every_filter_matches_torch() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/resample.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    for filter in [Filter::Bicubic, Filter::Bilinear, Filter::BilinearAlignCorners, Filter::Nearest] {
        // The manifest's names are the fixture's names.
        let name = serde_json::to_value(filter).unwrap().as_str().unwrap().to_owned();
        for i in 0..5 {
            let (shape, input) = values(&tensors, &format!("{i}.input"));
            let (size, expected) = values(&tensors, &format!("{i}.{name}"));
            let shape = [shape[0], shape[1], shape[2]];
            let actual = upsample(&input, shape, filter, [size[1], size[2]]).unwrap();
            let error = worst(&actual, &expected);
            println!("{name} {shape:?} to {size:?}: {error:.1e}");
            assert!(error <= 1e-5, "{name} {i}: {error:e}");
        }
    }
    let (shape, input) = values(&tensors, "box.input");
    let (_, expected) = values(&tensors, "box.4");
    let actual = box_downsample(&input, [shape[0], shape[1], shape[2]], 4).unwrap();
    assert!(worst(&actual, &expected) <= 1e-6);
}
