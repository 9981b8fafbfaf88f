//! A checkpoint: all that a run needs to go on as if it had never been stopped, in one safetensors file.
//!
//! Tensors are `weights/NAME`, `average/NAME`, `moment_1/NAME` and `moment_2/NAME`; the metadata's `run` is [`Progress`] and the
//! settings as JSON. There is no state of a random generator: all choices follow from the seed and the counts
//! (`draws`). The file is written beside the old one, flushed to the disk and renamed, so that at every moment
//! one whole checkpoint lies there.

use super::TrainError;
use super::optimizer::{Moments, Optimizer};
use super::parameters::Values;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The format number that this version reads and writes.
const FORMAT: u32 = 1;
/// The metadata's key.
const RUN: &str = "run";
const PARTS: [&str; 4] = ["weights", "average", "moment_1", "moment_2"];

/// Where a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Updates made.
    pub step: u64,
    /// Examples met: the position in the data.
    pub examples: u64,
    /// Seed of all choices.
    pub seed: u64,
    /// Running mean of the loss, over how many losses, and its lowest value so far: what divergence is judged by.
    pub loss: Option<f64>,
    #[serde(default)]
    pub losses: u64,
    pub lowest: Option<f64>,
    /// The settings that the loss is of: others begin another mean.
    #[serde(default)]
    pub loss_of: String,
    /// Time spent training, in seconds.
    pub seconds: f64,
}

/// The metadata.
#[derive(Serialize, Deserialize)]
struct Run {
    format: u32,
    progress: Progress,
    /// What was trained, as JSON of whoever writes it.
    about: serde_json::Value,
}

/// A checkpoint that was read.
pub struct Checkpoint {
    pub progress: Progress,
    pub about: serde_json::Value,
    parts: BTreeMap<String, Values>,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`TrainError::Read`], and [`TrainError::Checkpoint`] for a file that is damaged or something else.
    pub fn read(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let bytes = fs::read(path).map_err(|error| TrainError::read(path, error))?;
        let unusable = |reason: String| TrainError::checkpoint(path, reason);
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| unusable(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| unusable(error.to_string()))?;
        let run = header.metadata().as_ref().and_then(|metadata| metadata.get(RUN));
        let run = run.ok_or_else(|| unusable("it is no checkpoint of `imagen train`".to_owned()))?;
        let run: Run = serde_json::from_str(run).map_err(|error| unusable(error.to_string()))?;
        if run.format != FORMAT {
            return Err(unusable(format!("its format is {}, this program reads {FORMAT}", run.format)));
        }
        let mut parts: BTreeMap<String, Values> = BTreeMap::new();
        for (name, view) in file.tensors() {
            let part = name.split_once('/').filter(|(part, _)| PARTS.contains(part));
            let (Some((part, name)), Dtype::F32) = (part, view.dtype()) else {
                return Err(unusable(format!("tensor {name} does not belong into a checkpoint")));
            };
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
            let value = Tensor::from_data(TensorData::new(values, [view.data().len() / 4]), device);
            parts.entry(part.to_owned()).or_default().insert(name.to_owned(), value);
        }
        Ok(Self { progress: run.progress, about: run.about, parts })
    }

    /// Checks that all its parts are of a network in which this learns, by names and shapes.
    ///
    /// # Errors
    /// The first parameter that is missing, too many, or of another length.
    pub fn check(&self, learning: &BTreeMap<String, Vec<usize>>) -> Result<(), String> {
        let none = Values::new();
        let [weights, average, first, second] = PARTS.map(|part| self.parts.get(part).unwrap_or(&none));
        for values in [weights, average, first, second] {
            for (name, value) in values {
                let Some(shape) = learning.get(name) else {
                    return Err(format!("it holds {name}, which this network does not have"));
                };
                let (actual, count) = (value.dims()[0], shape.iter().product::<usize>());
                if actual != count {
                    return Err(format!("{name} has {actual} values, in this network {count} ({shape:?})"));
                }
            }
        }
        // What never had a gradient has no moments.
        let lacks = |name: &&String| {
            !weights.contains_key(*name)
                || !average.contains_key(*name)
                || first.contains_key(*name) != second.contains_key(*name)
        };
        match learning.keys().find(lacks) {
            Some(name) => Err(format!("it lacks {name}, which this network has")),
            None => Ok(()),
        }
    }

    /// The averaged weights, which are what is exported.
    pub fn average(&mut self) -> Values {
        self.parts.remove(PARTS[1]).unwrap_or_default()
    }

    /// Puts everything into an optimiser.
    pub fn restore(mut self, optimizer: &mut Optimizer) -> Progress {
        let [weights, average, first, second] = PARTS.map(|part| self.parts.remove(part).unwrap_or_default());
        optimizer.restore(weights, average, Moments { first, second }, self.progress.step);
        self.progress
    }
}

/// Writes a checkpoint. Where that fails, the one that was there before still is.
///
/// # Errors
/// [`TrainError::Write`] with the system's reason, such as a full disk.
pub fn write(
    path: &Path,
    optimizer: &Optimizer,
    progress: &Progress,
    about: &serde_json::Value,
) -> Result<(), TrainError> {
    let failed = |reason: String| TrainError::write(path, reason);
    let run = Run { format: FORMAT, progress: progress.clone(), about: about.clone() };
    let run = serde_json::to_string(&run).map_err(|error| failed(error.to_string()))?;
    let Moments { first, second } = optimizer.moments();
    let parts = PARTS.into_iter().zip([&optimizer.weights, &optimizer.average, &first, &second]);
    let tensors = parts.flat_map(|(part, values)| {
        values.iter().map(move |(name, value)| (format!("{part}/{name}"), Floats::from(value)))
    });
    let metadata = std::iter::once((RUN.to_owned(), run)).collect();
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|error| failed(error.to_string()))?;
    replace(path, &bytes).map_err(|error| failed(error.to_string()))
}

/// Gives `path` new contents, all of them or none.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_added_extension("partial");
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&partial, path)) {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&partial);
        return Err(error);
    }
    // The name is safe once the folder is. Some systems cannot flush folders; the file itself is on the disk by now.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A vector as safetensors writes it.
pub(crate) struct Floats {
    values: Vec<f32>,
    shape: [usize; 1],
}

impl From<&Tensor<1>> for Floats {
    fn from(value: &Tensor<1>) -> Self {
        let values: Vec<f32> = value.to_data().iter::<f32>().collect();
        Self { shape: [values.len()], values }
    }
}

impl View for Floats {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(bytemuck::cast_slice(&self.values))
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values.as_slice())
    }
}
