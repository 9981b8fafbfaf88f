//! Where a stage's noise comes from: given by the user, or drawn from the seed.
//!
//! Given noise is a set of tensors `[count, 3, size, size]` in pixel space: `initial.K` (the starting noise of stage
//! K, counted from 0), `aug.K` (noise of its conditioning augmentation) and `step.K.I` (noise added after its step I).
//! Any subset may be given; the rest is drawn by [`noise::normal`], keyed by (seed, stage, draw, image).

use super::{CascadeError, Manifest};
use crate::diffusion::noise::{self, Draw};
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::BTreeMap;

/// Noise given by the user, by tensor name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GivenNoise {
    tensors: BTreeMap<String, Given>,
}

#[derive(Clone, Debug, PartialEq)]
struct Given {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl GivenNoise {
    /// True where everything is drawn from the seed.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Adds one tensor. Names and shapes are checked against the model when it runs.
    pub fn insert(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        self.tensors.insert(name.into(), Given { shape: shape.to_vec(), values });
    }

    /// Reads a safetensors file's bytes; `name` is the file's, for error messages.
    ///
    /// # Errors
    /// [`CascadeError::File`] where it is no safetensors file, or holds something else than finite F32.
    pub fn from_safetensors(name: &str, bytes: &[u8]) -> Result<Self, CascadeError> {
        let fail = |reason: String| CascadeError::File { name: name.to_owned(), reason };
        let file = SafeTensors::deserialize(bytes).map_err(|error| fail(error.to_string()))?;
        let mut noise = Self::default();
        for (tensor, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(fail(format!("{tensor} is stored as {:?}; noise is F32", view.dtype())));
            }
            let values: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            if values.iter().any(|value| !value.is_finite()) {
                return Err(fail(format!("{tensor} holds values that are not finite")));
            }
            noise.insert(tensor, view.shape(), values);
        }
        Ok(noise)
    }

    /// Checks names and shapes against the model.
    pub(super) fn check(&self, manifest: &Manifest, count: u32) -> Result<(), CascadeError> {
        for (name, given) in &self.tensors {
            let Some(stage) = stage_of(name) else {
                let reason = format!("{name:?} is no noise of a stage; expected initial.K, aug.K or step.K.I");
                return Err(CascadeError::request("given noise", reason));
            };
            let Some(stage) = manifest.stages.get(stage) else {
                let reason = format!("{name} is of a stage that this model lacks; it has {}", manifest.stages.len());
                return Err(CascadeError::request("given noise", reason));
            };
            if name.starts_with("aug.") && stage.conditioning.is_none() {
                let reason = format!("{name} is of a stage that no picture is given to: it has no augmentation");
                return Err(CascadeError::request("given noise", reason));
            }
            let size = stage.image_size as usize;
            let expected = [count as usize, 3, size, size];
            if given.shape != expected || given.values.len() != expected.iter().product::<usize>() {
                let reason = format!("{name} has shape {:?}, expected {expected:?}", given.shape);
                return Err(CascadeError::request("given noise", reason));
            }
        }
        Ok(())
    }

    /// The noise of one draw for one picture: given where there is some, else drawn from the seed.
    pub(super) fn draw(&self, seed: u64, stage: usize, draw: Draw, image: u32, out: &mut [f32]) {
        let given = self.tensors.get(&name_of(stage, draw));
        match given.and_then(|given| given.values.chunks_exact(out.len()).nth(image as usize)) {
            Some(values) => out.copy_from_slice(values),
            None => noise::normal(seed, stage as u32, draw, image, out),
        }
    }
}

fn name_of(stage: usize, draw: Draw) -> String {
    match draw {
        Draw::Initial => format!("initial.{stage}"),
        Draw::Augmentation => format!("aug.{stage}"),
        Draw::Step(step) => format!("step.{stage}.{step}"),
    }
}

/// The stage that a tensor's name speaks of, or `None` where it is no noise. Only [`name_of`]'s spelling is one: noise under another
/// ("initial.00") would never be asked for.
fn stage_of(name: &str) -> Option<usize> {
    let mut parts = name.split('.');
    let kind = parts.next()?;
    let stage = parts.next()?.parse().ok()?;
    let draw = match (kind, parts.next()) {
        ("initial", None) => Draw::Initial,
        ("aug", None) => Draw::Augmentation,
        ("step", Some(step)) => Draw::Step(step.parse().ok()?),
        _ => return None,
    };
    (name_of(stage, draw) == name).then_some(stage)
}
