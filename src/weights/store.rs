//! A burn module's parameters as a GGUF file holds them: what [`load_module`](super::load_module) takes apart, put
//! together again.

use super::path::{Layout, Path};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// A parameter of a module, in the layout of a GGUF file.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTensor {
    /// Its path in the module, which is its name in a checkpoint.
    pub name: String,
    /// Its shape in the file: linear layers are `[out, in]`, convolutions rows `[out, kh·kw·in]`.
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// All float parameters of `module`, in the order in which it has them. They must be f32.
pub fn stored_tensors<M: Module>(module: &M) -> Vec<StoredTensor> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.tensors
}

#[derive(Default)]
struct Collector {
    path: Path,
    tensors: Vec<StoredTensor>,
}

impl ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let (shape, layout) = (value.dims().to_vec(), self.path.layout(D));
        let values = value.into_data().iter::<f32>().collect::<Vec<f32>>();
        let values = match (layout, shape.as_slice()) {
            (Layout::Transposed, &[inputs, outputs]) => turned(&values, inputs, outputs),
            (Layout::Convolution, &[_, inputs, height, width]) => {
                let filters = values.chunks_exact(inputs * height * width);
                filters.flat_map(|filter| turned(filter, inputs, height * width)).collect()
            }
            _ => values,
        };
        self.tensors.push(StoredTensor { name: self.path.name(), shape: layout.stored_shape(&shape), values });
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
}

/// `[rows, columns]` to `[columns, rows]`.
pub(crate) fn turned(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let column = |at: usize| (0..rows).map(move |row| values[row * columns + at]);
    (0..columns).flat_map(column).collect()
}
