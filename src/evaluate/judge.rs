//! The judge: a network that learnt, what it knows of itself, and the safetensors file that both are kept in.

use super::EvaluateError;
use super::layout::Layout;
use super::network::{Network, batch};
use super::reading::{Reading, Seen};
use super::score::{Section, Tally};
use crate::dataset::{Colour, Kind, Place, Time, Told, Weather};
use crate::train::checkpoint::{Floats, replace};
use crate::train::parameters::{self, Values};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The format number that this version reads and writes.
const FORMAT: u32 = 1;
/// The metadata's key.
const ABOUT: &str = "judge";

/// What a judge knows of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    pub format: u32,
    /// The kinds that it tells apart.
    pub kinds: Vec<Kind>,
    pub seed: u64,
    /// Updates that it learnt by.
    pub steps: u64,
    /// How often it reads true renders right, by their own captions.
    pub accuracy: BTreeMap<Section, Tally>,
}

impl About {
    /// Whether it can judge what this caption tells.
    ///
    /// # Errors
    /// The kind that it does not know, in words.
    pub fn knows(&self, told: &Told) -> Result<(), String> {
        match told.things.iter().find(|thing| !self.kinds.contains(&thing.kind)) {
            Some(thing) => {
                let name = thing.kind.names()[0];
                Err(format!("this judge does not know what a {name} is; train one with --novel {name}"))
            }
            None => Ok(()),
        }
    }
}

/// Reads pictures.
pub struct Judge {
    network: Network,
    pub about: About,
}

impl Judge {
    pub(super) fn new(network: Network, kinds: Vec<Kind>, seed: u64, steps: u64) -> Self {
        Self { network, about: About { format: FORMAT, kinds, seed, steps, accuracy: BTreeMap::new() } }
    }

    /// What is in each of these planar pictures `[3, SIZE, SIZE]`, from −1 to 1.
    pub(super) fn read(&self, pictures: Vec<Vec<f32>>) -> Vec<Reading> {
        let count = pictures.len();
        let said = self.network.forward(batch(pictures, &Device::flex()));
        let (kinds, colours) = (best(said.kinds), best(said.colours));
        let [layouts, places, times, weathers] = said.whole.map(best);
        let regions = kinds.len() / count.max(1);
        let reading = |at: usize| {
            let layout = Layout::ALL[layouts[at]];
            let seen = |region: &usize| Seen {
                kind: self.about.kinds[kinds[at * regions + region]],
                colour: Colour::ALL[colours[at * regions + region]],
            };
            let things = layout.regions().iter().map(seen).collect();
            let (place, time) = (Place::ALL[places[at]], Time::ALL[times[at]]);
            Reading { layout, things, place, time, weather: Weather::ALL[weathers[at]] }
        };
        (0..count).map(reading).collect()
    }

    /// Writes the file, all of it or nothing.
    ///
    /// # Errors
    /// [`EvaluateError::Write`] with the system's reason.
    pub fn save(&self, path: &Path) -> Result<(), EvaluateError> {
        let failed = |reason: String| EvaluateError::write(path, reason);
        let about = serde_json::to_string(&self.about).map_err(|error| failed(error.to_string()))?;
        let values = parameters::collect(&self.network);
        let tensors = values.iter().map(|(name, value)| (name.clone(), Floats::from(value)));
        let metadata = std::iter::once((ABOUT.to_owned(), about)).collect();
        let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|error| failed(error.to_string()))?;
        replace(path, &bytes).map_err(|error| failed(error.to_string()))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`EvaluateError::Judge`] for a file that is not there, damaged or something else.
    pub fn load(path: &Path) -> Result<Self, EvaluateError> {
        let unusable = |reason: String| EvaluateError::judge(path, reason);
        let bytes = fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| unusable(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| unusable(error.to_string()))?;
        let about = header.metadata().as_ref().and_then(|metadata| metadata.get(ABOUT));
        let about = about.ok_or_else(|| unusable("it is no judge".to_owned()))?;
        let about: About = serde_json::from_str(about).map_err(|error| unusable(error.to_string()))?;
        if about.format != FORMAT {
            return Err(unusable(format!("its format is {}, this program reads {FORMAT}", about.format)));
        }
        if about.kinds.is_empty() {
            return Err(unusable("it knows no kind".to_owned()));
        }
        let device = Device::flex();
        let network = Network::new(about.kinds.len(), 0, &device);
        let mut values = Values::new();
        for (name, shape) in parameters::shapes(&network) {
            let tensor = file.tensor(&name).map_err(|error| unusable(error.to_string()))?;
            let count: usize = shape.iter().product();
            if tensor.dtype() != Dtype::F32 || tensor.data().len() != 4 * count {
                return Err(unusable(format!("{name} does not hold {count} values of f32")));
            }
            let data: Vec<f32> = bytemuck::pod_collect_to_vec(tensor.data());
            values.insert(name, Tensor::from_data(TensorData::new(data, [count]), &device));
        }
        Ok(Self { network: parameters::place(network, &values), about })
    }
}

/// The class with the largest logit of each row.
fn best<const D: usize>(logits: Tensor<D>) -> Vec<usize> {
    let classes = logits.dims()[D - 1];
    let values: Vec<f32> = logits.into_data().iter::<f32>().collect();
    let rows = values.chunks_exact(classes.max(1));
    rows.map(|row| (0..classes).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0)).collect()
}
