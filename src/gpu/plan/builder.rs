//! Records a network's operations; needs no device.

use super::{Dispatch, PlanDescription, Shape, Tensor, lifetime};
use crate::gpu::kernels::{Tile, tile};
use crate::gpu::weights::{Layout, Stack, Weight};
use crate::gpu::{Device, GpuError, Hardware};
use crate::weights::{BlockFormat, WeightIndex};
use std::collections::BTreeMap;

/// The phase of operations that are recorded before any phase is named.
const FIRST_PHASE: &str = "step";

/// A dispatch, and the phase and section that it belongs to.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub phase: usize,
    pub section: usize,
    pub dispatch: Dispatch,
}

/// Builds a plan, one method per operation (each in its file under `gpu/kernels`).
///
/// Operations go to the current phase. Phases run one by one, each as often as the caller likes, in the order in which
/// they were first named; recording may go back to an earlier phase.
#[derive(Clone, Debug)]
pub struct PlanBuilder {
    weights: WeightIndex,
    limits: wgpu::Limits,
    hardware: Hardware,
    tile: Option<Tile>,
    phases: Vec<&'static str>,
    phase: usize,
    section: usize,
    recorded: Vec<Recorded>,
    tensors: Vec<Tensor>,
    /// New activations are stored in half precision.
    storing_half: bool,
    inputs: BTreeMap<String, Tensor>,
    outputs: BTreeMap<String, Tensor>,
    used: BTreeMap<String, Layout>,
    stacks: Vec<Stack>,
}

impl PlanBuilder {
    /// A builder for networks whose weights are listed in `weights`, for devices with `limits`. The first phase is
    /// "step" unless [`Self::phase`] names another before anything is recorded.
    pub fn new(weights: &WeightIndex, limits: &wgpu::Limits) -> Self {
        Self {
            weights: weights.clone(),
            limits: limits.clone(),
            hardware: Hardware::default(),
            tile: None,
            phases: Vec::new(),
            phase: 0,
            section: 0,
            recorded: Vec::new(),
            tensors: Vec::new(),
            storing_half: false,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            used: BTreeMap::new(),
            stacks: Vec::new(),
        }
    }

    /// A builder for this device: its limits, and variants of the kernels for its kind and features.
    pub fn for_device(weights: &WeightIndex, device: &Device) -> Self {
        Self { hardware: device.hardware(), ..Self::new(weights, device.limits()) }
    }

    /// Records into this phase from now on. Returns the phase before, to go back to.
    pub fn phase(&mut self, name: &'static str) -> &'static str {
        let before = self.phases.get(self.phase).copied().unwrap_or(FIRST_PHASE);
        self.phase = self.phases.iter().position(|&phase| phase == name).unwrap_or_else(|| {
            self.phases.push(name);
            self.phases.len() - 1
        });
        before
    }

    /// Begins a section: dispatches that can be run by themselves, so that their weights have to be there only then
    /// ([`PlanDescription::stream`]).
    pub const fn section(&mut self) {
        if !self.recorded.is_empty() {
            self.section += 1;
        }
    }

    /// A tensor that the caller fills with [`super::Plan::write`]; zero before that. It lives as long as the plan, so
    /// it may also be updated in place as state that is carried from one run to the next.
    ///
    /// # Errors
    /// A tensor that the device cannot bind, or a second input of that name with another shape.
    pub fn input(&mut self, name: &str, shape: Shape) -> Result<Tensor, GpuError> {
        if let Some(&known) = self.inputs.get(name) {
            return if known.shape == shape {
                Ok(known)
            } else {
                Err(GpuError::shape("input", format!("{name} is {:?} and cannot be {shape:?} too", known.shape)))
            };
        }
        let tensor = self.tensor(shape)?;
        self.inputs.insert(name.to_owned(), tensor);
        Ok(tensor)
    }

    /// Names a tensor that the caller reads with [`super::Plan::read`].
    pub fn output(&mut self, name: &str, tensor: Tensor) {
        self.outputs.insert(name.to_owned(), tensor);
    }

    /// The device limits that the plan is built for.
    pub const fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    /// Takes this tile for all matrix kernels, instead of choosing one for each product.
    pub const fn force_tile(&mut self, tile: Tile) {
        self.tile = Some(tile);
    }

    /// The tile of the matrix kernels for an `m` × `n` product.
    pub(crate) fn tile(&self, m: u32, n: u32) -> Tile {
        self.tile.unwrap_or_else(|| tile(m, n, &self.limits, self.hardware.software))
    }

    /// Chooses variants for this hardware, whatever the device is; it must have the features.
    #[cfg(test)]
    pub(crate) const fn choose_for(&mut self, hardware: Hardware) {
        self.hardware = hardware;
    }

    /// What the choice of variants goes by.
    pub(crate) const fn hardware(&self) -> Hardware {
        self.hardware
    }

    /// Multiplies and stores in single precision from now on, even where half was asked for: activations of a text encoder can exceed
    /// what half holds.
    pub const fn single_precision(&mut self) {
        (self.hardware.half, self.hardware.half_storage) = (false, false);
    }

    /// True when the weights file has this tensor.
    pub fn has_weight(&self, name: &str) -> bool {
        self.weights.contains(name)
    }

    /// The shape of a weight, outermost dimension first.
    ///
    /// # Errors
    /// The weight is missing.
    pub fn weight_shape(&self, name: &str) -> Result<&[usize], GpuError> {
        match self.weights.get(name) {
            Some((shape, _)) => Ok(shape),
            None => Err(GpuError::MissingWeight { tensor: name.to_owned() }),
        }
    }

    /// A new tensor in f32, to be written by the operation that asks for it.
    ///
    /// # Errors
    /// A tensor that the device cannot bind.
    pub(crate) fn tensor(&mut self, shape: Shape) -> Result<Tensor, GpuError> {
        self.add(shape, false)
    }

    /// The same for an operation that can write halves: in half precision inside [`Self::in_half`], where the channels are
    /// a multiple of 4.
    ///
    /// # Errors
    /// A tensor that the device cannot bind.
    pub(crate) fn activation(&mut self, shape: Shape) -> Result<Tensor, GpuError> {
        self.add(shape, self.storing_half && shape.channels.is_multiple_of(4))
    }

    fn add(&mut self, shape: Shape, half: bool) -> Result<Tensor, GpuError> {
        let tensor = Tensor { half, ..Tensor::whole(self.tensors.len() as u32, shape) };
        let (needed, available) = (tensor.bytes(), self.binding_limit());
        if needed > available {
            return Err(GpuError::Limit { what: format!("an activation of shape {shape:?}"), needed, available });
        }
        if shape.values() == 0 {
            return Err(GpuError::shape("tensor", format!("{shape:?} is empty")));
        }
        self.tensors.push(tensor);
        Ok(tensor)
    }

    /// Records operations whose activations are stored in half precision, if the device was asked for it.
    ///
    /// # Errors
    /// Those of `record`.
    pub fn in_half<T>(&mut self, record: impl FnOnce(&mut Self) -> Result<T, GpuError>) -> Result<T, GpuError> {
        self.storing_half = self.hardware.half_storage;
        let recorded = record(self);
        self.storing_half = false;
        recorded
    }

    /// A weight with the given rows and columns.
    ///
    /// # Errors
    /// The weight is missing, has another shape, or is stored in a format that the kernels do not read.
    pub(crate) fn weight(&mut self, name: &str, rows: u32, columns: u32) -> Result<Weight, GpuError> {
        let weight = self.any_weight(name)?;
        if (weight.layout.rows, weight.layout.columns) == (rows, columns) {
            return Ok(weight);
        }
        Err(GpuError::WeightShape {
            tensor: name.to_owned(),
            expected: vec![rows as usize, columns as usize],
            actual: self.weight_shape(name)?.to_vec(),
        })
    }

    /// A weight of whatever shape; a vector counts as one row.
    ///
    /// # Errors
    /// The weight is missing or is stored in a format that the kernels do not read.
    pub(crate) fn any_weight(&mut self, name: &str) -> Result<Weight, GpuError> {
        let Some((shape, format)) = self.weights.get(name) else {
            return Err(GpuError::MissingWeight { tensor: name.to_owned() });
        };
        let layout = Layout::new(name, shape, format, self.binding_limit())?;
        self.used.insert(name.to_owned(), layout.clone());
        Ok(Weight { name: name.to_owned(), layout })
    }

    /// A vector of `length` values (a bias, the scale of a norm): F32 on the GPU, in one slab. A weight of shape
    /// `[1, length]` serves too if it is stored as F32.
    ///
    /// # Errors
    /// As [`Self::weight`].
    pub(crate) fn vector(&mut self, name: &str, length: u32) -> Result<Weight, GpuError> {
        let weight = self.weight(name, 1, length)?;
        if weight.layout.format != crate::gpu::weights::GpuFormat::F32 {
            return Err(GpuError::shape("vector", format!("{name} must be one-dimensional or F32")));
        }
        Ok(weight)
    }

    /// Weights of equal columns and format as one, their rows one behind the other; vectors become one longer vector.
    /// None where they do not go together.
    ///
    /// # Errors
    /// A weight is missing or is stored in a format that the kernels do not read.
    pub(crate) fn stack(&mut self, members: &[&str]) -> Result<Option<Weight>, GpuError> {
        let Some((shape, format)) = self.stacked(members)? else { return Ok(None) };
        let stack = Stack::new(members);
        let layout = Layout::new(&stack.name, &shape, format, self.binding_limit())?;
        self.used.insert(stack.name.clone(), layout.clone());
        let weight = Weight { name: stack.name.clone(), layout };
        // A network that is recorded twice, as for guidance in two passes, has its stacks once.
        if self.stacks.iter().all(|known| known.name != stack.name) {
            self.stacks.push(stack);
        }
        Ok(Some(weight))
    }

    /// Shape and format that a stack of these weights has; none where they do not go together.
    ///
    /// # Errors
    /// A weight is missing.
    pub(crate) fn stacked(&self, members: &[&str]) -> Result<Option<(Vec<usize>, BlockFormat)>, GpuError> {
        let mut shapes = Vec::new();
        for &name in members {
            let known = self.weights.get(name);
            shapes.push(known.ok_or_else(|| GpuError::MissingWeight { tensor: name.to_owned() })?);
        }
        let Some(&(first, format)) = shapes.first() else { return Ok(None) };
        let alike =
            |(shape, own): &(&[usize], _)| *own == format && shape.len() == first.len() && shape[1..] == first[1..];
        if first.is_empty() || !shapes.iter().all(alike) {
            return Ok(None);
        }
        let mut shape = first.to_vec();
        shape[0] = shapes.iter().map(|(shape, _)| shape[0]).sum();
        Ok(Some((shape, format)))
    }

    /// Appends a dispatch to the current phase.
    ///
    /// # Errors
    /// Those of [`Dispatch::check`].
    pub(crate) fn record(&mut self, dispatch: Dispatch) -> Result<(), GpuError> {
        dispatch.check(&self.limits)?;
        if self.phases.is_empty() {
            self.phases.push(FIRST_PHASE);
        }
        self.recorded.push(Recorded { phase: self.phase, section: self.section, dispatch });
        Ok(())
    }

    /// The largest storage binding.
    pub(crate) fn binding_limit(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size)
    }

    /// Assigns buffers and ends the recording.
    ///
    /// # Errors
    /// A tensor that is read before anything writes it.
    pub fn finish(self) -> Result<PlanDescription, GpuError> {
        let Self { phases, mut recorded, tensors, inputs, outputs, used, stacks, limits, .. } = self;
        if let Some((name, _)) = inputs.iter().chain(&outputs).find(|(_, tensor)| tensor.is_part()) {
            return Err(GpuError::shape("output", format!("{name} is a part of a tensor")));
        }
        if let Some((name, _)) = outputs.iter().find(|(_, tensor)| tensor.half) {
            return Err(GpuError::shape("output", format!("{name} is in half precision")));
        }
        recorded.sort_by_key(|entry| entry.phase);
        let kept: Vec<u32> = inputs.values().chain(outputs.values()).map(|tensor| tensor.id).collect();
        let given: Vec<u32> = inputs.values().map(|tensor| tensor.id).collect();
        let assignment = lifetime::assign(&recorded, &tensors, &given, &kept)?;
        Ok(PlanDescription::new(phases, recorded, tensors, inputs, outputs, used, stacks, assignment, &limits))
    }
}
