//! The passes of an update over all weights, fused for the CPU: as burn's operations there would be some twenty, and each would leave
//! a copy of them.

use super::optimizer::{Parameter, Update};
use burn::backend::{BackendTypes, Flex};
use burn::tensor::{DType, Tensor, TensorData};
use rayon::prelude::*;

/// A tensor of the CPU.
type Primitive = <Flex as BackendTypes>::FloatTensorPrimitive;

/// Values that a thread takes at a time.
const CHUNK: usize = 1 << 14;
/// Sums side by side, which need not wait for each other.
const LANES: usize = 16;

/// Whether a tensor's values are f32 in the CPU's memory.
pub(super) fn is_on_cpu(tensor: &Tensor<1>) -> bool {
    tensor.dtype() == DType::F32 && tensor.clone().try_into_primitive::<Flex>().is_ok()
}

/// Dense values of a tensor for which [`is_on_cpu`] holds.
fn dense(tensor: Tensor<1>) -> Primitive {
    let tensor = tensor.try_into_primitive::<Flex>().expect("all forms of a parameter are on one device");
    let dense = tensor.layout().is_contiguous() && tensor.layout().start_offset() == 0;
    if dense { tensor } else { tensor.to_contiguous() }
}

fn values(tensor: &Primitive) -> &[f32] {
    &tensor.storage()[..tensor.layout().num_elements()]
}

/// The update of one parameter, and of its average, as burn's AdamW makes it.
pub(super) fn step(update: &Update, parameter: Parameter, gradient: Tensor<1>) -> Parameter {
    let Update { options, number, rate, scale, share } = *update;
    let Parameter { weight, average, moments } = parameter;
    let (count, device) = (weight.dims()[0], weight.device());
    let (weight, gradient, mut average) = (dense(weight), dense(gradient), dense(average));
    let zeros = || Primitive::from_data(TensorData::new(vec![0.0f32; count], [count]));
    let [mut first, mut second] = moments.map_or_else(|| [zeros(), zeros()], |moments| moments.map(dense));
    let (beta_1, beta_2, epsilon) = (options.beta_1, options.beta_2, options.epsilon);
    let [correction_1, correction_2] = [beta_1, beta_2].map(|beta| 1.0 - beta.powi(number as i32));
    let keep = (1.0 - rate * f64::from(options.weight_decay)) as f32;
    let [rate, scale, share] = [rate, scale, share].map(|value| value as f32);
    let mut out = vec![0.0f32; count];
    let parts = out
        .par_chunks_mut(CHUNK)
        .zip(values(&weight).par_chunks(CHUNK))
        .zip(values(&gradient).par_chunks(CHUNK))
        .zip(first.storage_mut::<f32>()[..count].par_chunks_mut(CHUNK))
        .zip(second.storage_mut::<f32>()[..count].par_chunks_mut(CHUNK))
        .zip(average.storage_mut::<f32>()[..count].par_chunks_mut(CHUNK));
    parts.for_each(|(((((out, weight), gradient), first), second), average)| {
        let values = out.iter_mut().zip(weight).zip(gradient).zip(first).zip(second).zip(average);
        for (((((out, weight), gradient), first), second), average) in values {
            let gradient = gradient * scale;
            *first = *first * beta_1 + gradient * (1.0 - beta_1);
            *second = *second * beta_2 + gradient * gradient * (1.0 - beta_2);
            let change = (*first / correction_1) / ((*second / correction_2).sqrt() + epsilon);
            *out = weight * keep - change * rate;
            *average += (*out - *average) * share;
        }
    });
    let back = |tensor: Primitive| Tensor::from_primitive::<Flex>(tensor);
    Parameter {
        weight: Tensor::from_data(TensorData::new(out, [count]), &device),
        average: back(average),
        moments: Some([back(first), back(second)]),
    }
}

/// The sum of the squares of a tensor's values; none where they are not [on the CPU](is_on_cpu).
pub(super) fn squares(tensor: &Tensor<1>) -> Option<f64> {
    if !is_on_cpu(tensor) {
        return None;
    }
    let tensor = dense(tensor.clone());
    // Added up in their order, so that threads do not decide the last bit.
    let sums: Vec<f64> = values(&tensor).par_chunks(CHUNK).map(squares_of).collect();
    Some(sums.into_iter().sum())
}

fn squares_of(values: &[f32]) -> f64 {
    let (rows, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for row in rows {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
    }
    let single = rest.iter().map(|value| f64::from(value * value)).sum::<f64>();
    sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() + single
}
