//! The parameters of a module as plain vectors by name: what the optimiser, the moving average and a checkpoint work on.
//!
//! Everything there is value by value, so shapes do not matter; names are those of [`weights`](crate::weights).

use super::fused;
use crate::weights::Path;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use std::collections::BTreeMap;

/// One vector per parameter, outside of automatic differentiation.
pub type Values = BTreeMap<String, Tensor<1>>;

/// All float parameters of `module`.
pub fn collect<M: Module>(module: &M) -> Values {
    let mut walk = Collector { path: Path::default(), gradients: None, values: Values::new() };
    module.visit(&mut walk);
    walk.values
}

/// The gradients of `module`'s parameters, in f32; parameters without one are left out.
pub fn gradients<M: Module>(module: &M, gradients: GradientsParams) -> Values {
    let mut walk = Collector { path: Path::default(), gradients: Some(gradients), values: Values::new() };
    module.visit(&mut walk);
    walk.values
}

/// The shapes of `module`'s parameters. Computes no values.
pub fn shapes<M: Module>(module: &M) -> BTreeMap<String, Vec<usize>> {
    let mut walk = Shapes::default();
    module.visit(&mut walk);
    walk.shapes
}

/// `module` with `values` in place of its parameters; those that `values` lacks stay. What was differentiated before is so
/// after.
///
/// # Panics
/// Panics where a vector has another length than the parameter ([`shapes`] tells).
pub fn place<M: Module>(module: M, values: &Values) -> M {
    module.map(&mut Placer { path: Path::default(), values })
}

/// Euclidean norm of all values together.
pub fn norm(values: &Values) -> f64 {
    let (mut sum, mut elsewhere) = (0.0, Vec::new());
    for value in values.values() {
        match fused::squares(value) {
            Some(squares) => sum += squares,
            None => elsewhere.push(value.clone().square().sum()),
        }
    }
    if !elsewhere.is_empty() {
        // One wait for the device instead of one per parameter.
        sum += Tensor::cat(elsewhere, 0).into_data().iter::<f64>().sum::<f64>();
    }
    sum.sqrt()
}

/// The parameter as a vector.
fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.shape().num_elements();
    tensor.without_autodiff().reshape([count])
}

struct Collector {
    path: Path,
    /// Collected in place of the parameters, where it is there.
    gradients: Option<GradientsParams>,
    values: Values,
}

impl ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = match &mut self.gradients {
            Some(gradients) => gradients.remove::<D>(param.id).map(|gradient| gradient.cast(DType::F32)),
            None => Some(param.val()),
        };
        if let Some(value) = value {
            self.values.insert(self.path.name(), flat(value));
        }
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
}

#[derive(Default)]
struct Shapes {
    path: Path,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for Shapes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.shapes.insert(self.path.name(), param.lazy_shape().to_vec());
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
}

struct Placer<'a> {
    path: Path,
    values: &'a Values,
}

impl ModuleMapper for Placer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(value) = self.values.get(&self.path.name()) else { return param };
        let value = value.clone().reshape(param.lazy_shape());
        let device = param.lazy_device();
        let value = if device.is_autodiff() { Tensor::from_inner(value) } else { value };
        let id = param.id;
        param.transform_for_load(value, id)
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }
}
