//! Loading a burn module by the paths of its parameters.
//!
//! A parameter's path in the module is the tensor's name in the checkpoint, with three differences that are settled
//! here: burn calls the parameters of normalisations gamma and beta, keeps the weight of [`burn::nn::Linear`] as
//! `[in, out]`, and has convolution weights as `[out, in, kh, kw]` where the file has rows `[out, kh·kw·in]`.
//!
//! The module is walked twice: once for what it wants, then, after the file has streamed by and each tensor was
//! dequantised piece by piece into its own buffer, to put the buffers in. The random values that burn would initialise
//! with are lazy and never computed.

use super::path::{Layout, Path};
use super::{Piece, Weights, WeightsError};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::{BTreeMap, HashMap};

/// Fills every float parameter of `module` from the file. `rename` maps a parameter's path, such as
/// `down_blocks.0.resnets.0.conv1.weight`, to the tensor's name in the file. Linear layers must have burn's default row
/// layout.
///
/// # Errors
/// [`WeightsError::MissingTensor`] and [`WeightsError::Shape`] name the tensor; all else as [`Weights::stream`].
pub async fn load_module<M: Module>(
    module: M,
    weights: &mut Weights,
    rename: &dyn Fn(&str) -> String,
    device: &Device,
) -> Result<M, WeightsError> {
    let mut targets: HashMap<String, Vec<Target>> = HashMap::new();
    for (path, want) in survey(&module, rename) {
        let Some(tensor) = weights.tensor(&want.tensor) else {
            return Err(weights.missing(&want.tensor));
        };
        want.check(&tensor.shape)?;
        targets.entry(want.tensor.clone()).or_default().push(Target { path, want, values: Vec::new() });
    }
    let names: std::collections::HashSet<String> = targets.keys().cloned().collect();
    let mut scratch = Vec::new();
    let mut visit = |piece: Piece<'_>| {
        scratch.clear();
        let name = &piece.tensor.name;
        piece.tensor.format.dequantise(piece.bytes, &mut scratch).map_err(|error| error.of(name))?;
        for target in targets.get_mut(name).into_iter().flatten() {
            target.fill(&piece, &scratch);
        }
        Ok(())
    };
    weights.stream_where(&|name| names.contains(name), &mut visit).await?;
    let values = targets.into_values().flatten().map(|target| (target.path, target.values)).collect();
    Ok(module.map(&mut Filler { path: Path::default(), values, device }))
}

/// A tensor that a module needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedTensor {
    /// Its shape in a PyTorch checkpoint.
    pub shape: Vec<usize>,
    /// Its shape in a GGUF file: convolutions are rows `[out, kh·kw·in]`.
    pub stored: Vec<usize>,
}

/// The tensors that a file must hold for [`load_module`] to fill `module`, by name.
pub fn wanted_tensors<M: Module>(module: &M, rename: &dyn Fn(&str) -> String) -> BTreeMap<String, WantedTensor> {
    let wanted = |want: Want| {
        let stored = want.stored_shape();
        let shape = if want.layout == Layout::Convolution { want.shape } else { stored.clone() };
        (want.tensor, WantedTensor { shape, stored })
    };
    survey(module, rename).into_values().map(wanted).collect()
}

fn survey<M: Module>(module: &M, rename: &dyn Fn(&str) -> String) -> BTreeMap<String, Want> {
    let mut survey = Survey { path: Path::default(), rename, wanted: BTreeMap::new() };
    module.visit(&mut survey);
    survey.wanted
}

/// What one parameter needs.
struct Want {
    tensor: String,
    shape: Vec<usize>,
    layout: Layout,
}

impl Want {
    fn stored_shape(&self) -> Vec<usize> {
        self.layout.stored_shape(&self.shape)
    }

    fn check(&self, stored: &[usize]) -> Result<(), WeightsError> {
        let expected = self.stored_shape();
        if stored == expected {
            return Ok(());
        }
        Err(WeightsError::Shape { tensor: self.tensor.clone(), expected, actual: stored.to_vec() })
    }
}

/// A parameter's buffer while the file streams by.
struct Target {
    path: String,
    want: Want,
    values: Vec<f32>,
}

impl Target {
    fn fill(&mut self, piece: &Piece<'_>, rows: &[f32]) {
        let columns = piece.tensor.columns();
        match (self.want.layout, self.want.shape.as_slice()) {
            (Layout::Transposed, &[_, outputs]) => {
                self.values.resize(outputs * columns, 0.0);
                transpose(rows, columns, &mut self.values, outputs, piece.first_row);
            }
            (Layout::Convolution, &[_, inputs, height, width]) => {
                let window = height * width;
                self.values.reserve_exact(piece.tensor.rows() * columns - self.values.len());
                for row in rows.chunks_exact(columns) {
                    for input in 0..inputs {
                        self.values.extend((0..window).map(|at| row[at * inputs + input]));
                    }
                }
            }
            _ => {
                self.values.reserve_exact(piece.tensor.rows() * columns - self.values.len());
                self.values.extend_from_slice(rows);
            }
        }
    }
}

/// Writes rows of `columns` values into the columns of `out` from `first` on, in tiles that stay in the cache.
fn transpose(rows: &[f32], columns: usize, out: &mut [f32], outputs: usize, first: usize) {
    const TILE: usize = 32;
    for (tile, rows) in rows.chunks(TILE * columns).enumerate() {
        for start in (0..columns).step_by(TILE) {
            for column in start..columns.min(start + TILE) {
                let at = column * outputs + first + tile * TILE;
                for (i, row) in rows.chunks_exact(columns).enumerate() {
                    out[at + i] = row[column];
                }
            }
        }
    }
}

/// Notes what the module wants, without touching the lazy values.
struct Survey<'a> {
    path: Path,
    rename: &'a dyn Fn(&str) -> String,
    wanted: BTreeMap<String, Want>,
}

impl ModuleVisitor for Survey<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.name();
        let shape = param.lazy_shape().to_vec();
        let want = Want { tensor: (self.rename)(&path), shape, layout: self.path.layout(D) };
        self.wanted.insert(path, want);
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
}

/// Puts the values in.
struct Filler<'a> {
    path: Path,
    values: HashMap<String, Vec<f32>>,
    device: &'a Device,
}

impl ModuleMapper for Filler<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // The survey saw every parameter that this walk sees.
        let Some(values) = self.values.remove(&self.path.name()) else {
            return param;
        };
        let data = TensorData::new(values, param.lazy_shape());
        let tensor = Tensor::from_data(data, self.device);
        let id = param.id;
        param.transform_for_load(tensor, id)
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
}
