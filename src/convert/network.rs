//! The tensors of one network, from its checkpoint into a GGUF file.

use super::checkpoint::Checkpoint;
use super::output::Output;
use super::{ConvertError, Progress};
use crate::cascade::manifest::FileEntry;
use crate::weights::{BlockFormat, GgufWriter, Metadata, TensorInfo, WantedTensor};
use rayon::prelude::*;
use std::path::Path;

/// Values that are converted at a time, unless a row is longer.
const VALUES: usize = 1 << 20;
/// Values that a thread quantises at a time.
const SHARE: usize = 1 << 14;

/// A tensor on its way.
pub(super) struct Plan {
    /// Its name in the checkpoint and in the file.
    pub from: String,
    pub to: String,
    pub tensor: WantedTensor,
    pub format: BlockFormat,
}

/// Checks that the checkpoint has the tensor in the right shape.
fn check(checkpoint: &Checkpoint, plan: &Plan) -> Result<(), ConvertError> {
    let Some(stored) = checkpoint.get(&plan.from) else {
        let reason = "it is missing: config.json describes a network that has it";
        return Err(checkpoint.tensor_error(&plan.from, reason));
    };
    // Some checkpoints have a vector as `[n, 1, 1]`.
    let sides = |shape: &[usize]| shape.iter().copied().filter(|&side| side != 1).collect::<Vec<_>>();
    if sides(&stored.shape) == sides(&plan.tensor.shape) {
        return Ok(());
    }
    let reason = format!("its shape is {:?}, config.json asks for {:?}", stored.shape, plan.tensor.shape);
    Err(checkpoint.tensor_error(&plan.from, &reason))
}

/// Writes `out/file` with all planned tensors.
pub(super) fn write(
    mut checkpoint: Checkpoint,
    plans: &[Plan],
    mut metadata: Metadata,
    (out, file): (&Path, &str),
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<FileEntry, ConvertError> {
    if plans.iter().any(|plan| plan.format.block_values() > 1) {
        metadata.set("general.quantization_version", 2u32);
    }
    let mut writer = GgufWriter::new(out.join(file).display().to_string(), metadata);
    for plan in plans {
        check(&checkpoint, plan)?;
        writer.declare(&plan.to, &plan.tensor.stored, plan.format)?;
    }
    let total = writer.bytes();
    let mut body = writer.begin(Output::create(out, file)?)?;
    let mut done = 0;
    for plan in plans {
        done += body.next().map_or(0, TensorInfo::bytes);
        let columns = plan.tensor.stored.last().copied().unwrap_or(1);
        let rows = plan.tensor.stored.iter().product::<usize>() / columns;
        let window = match plan.tensor.shape.as_slice() {
            &[_, _, height, width] => height * width,
            _ => 1,
        };
        let at_once = (VALUES / columns).max(1);
        for first in (0..rows).step_by(at_once) {
            let count = at_once.min(rows - first) * columns;
            let mut values = checkpoint.read(&plan.from, first * columns, count)?;
            in_range(&checkpoint, plan, &values)?;
            if window > 1 {
                values = inputs_fastest(&values, columns, window);
            }
            // Whole rows and whole blocks alike.
            let blocks = values.par_chunks(SHARE.next_multiple_of(plan.format.block_values()));
            let blocks: Result<Vec<_>, _> = blocks.map(|values| plan.format.quantise(values)).collect();
            body.bytes(&blocks.map_err(|error| error.of(&plan.from))?.concat())?;
        }
        progress(Progress::Tensor { file, tensor: &plan.to, done, total });
    }
    let entry = body.finish()?.finish()?;
    progress(Progress::File { file, size: entry.size });
    Ok(entry)
}

/// Writes `out/file` with tensors that lie in memory as a file holds them. `rename` gives their names in the file.
#[cfg(feature = "train")]
pub(crate) fn write_tensors(
    tensors: &[crate::weights::StoredTensor],
    rename: impl Fn(&str) -> String,
    mut metadata: Metadata,
    (out, file): (&Path, &str),
    mixture: super::Mixture,
) -> Result<FileEntry, ConvertError> {
    let formats = mixture.formats(tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())));
    if formats.values().any(|format| format.block_values() > 1) {
        metadata.set("general.quantization_version", 2u32);
    }
    let path = out.join(file).display().to_string();
    let mut writer = GgufWriter::new(path.clone(), metadata);
    for tensor in tensors {
        let format = formats[&tensor.name];
        if tensor.values.iter().any(|value| !value.is_finite() || value.abs() > format.largest()) {
            let reason = format!("it holds values that are not finite, or beyond the range of {format}");
            return Err(ConvertError::Tensor { path, tensor: tensor.name.clone(), reason });
        }
        writer.declare(&rename(&tensor.name), &tensor.shape, format)?;
    }
    let mut body = writer.begin(Output::create(out, file)?)?;
    for tensor in tensors {
        body.rows(&tensor.values)?;
    }
    body.finish()?.finish()
}

fn in_range(checkpoint: &Checkpoint, plan: &Plan, values: &[f32]) -> Result<(), ConvertError> {
    if values.iter().any(|value| !value.is_finite()) {
        return Err(checkpoint.tensor_error(&plan.from, "it holds values that are not finite"));
    }
    if values.iter().any(|value| value.abs() > plan.format.largest()) {
        let reason = format!("it holds values beyond the range of {}; choose bf16", plan.format);
        return Err(checkpoint.tensor_error(&plan.from, &reason));
    }
    Ok(())
}

/// Rows `[in, kh·kw]` to rows `[kh·kw, in]`.
fn inputs_fastest(values: &[f32], columns: usize, window: usize) -> Vec<f32> {
    let inputs = columns / window;
    let mut turned = Vec::with_capacity(values.len());
    for row in values.chunks_exact(columns) {
        for at in 0..window {
            turned.extend((0..inputs).map(|input| row[input * window + at]));
        }
    }
    turned
}
