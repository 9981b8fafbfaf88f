//! Single operations and whole networks on the GPU, to be timed by `benches/browser` beside other engines (feature
//! `bench`; no part of what a visitor downloads).
//!
//! A row of the comparison is its JSON (`benches/browser/cases.json`) and its weights as GGUF. JavaScript gives the
//! inputs by name, channels last, and times [`BenchPlan::run`].

mod networks;
mod operation;

use super::error;
use super::files::JsFiles;
use crate::cascade::ModelFiles;
use crate::gpu::plan::{Plan, PlanBuilder, PlanDescription};
use crate::gpu::{Device, DeviceOptions, GpuError, GpuWeights};
use crate::weights::{WeightIndex, Weights};
use networks::Network;
use operation::Operation;
use serde::Deserialize;
use std::sync::Arc;
use wasm_bindgen::prelude::*;

/// The file of a row's weights.
const WEIGHTS: &str = "weights.gguf";
/// The phase and the output of an operation's plan.
const STEP: &str = "step";
const OUTPUT: &str = "output";

/// A GPU device.
#[wasm_bindgen]
pub struct Bench {
    device: Arc<Device>,
}

/// What a row measures.
#[derive(Debug, Deserialize)]
#[serde(tag = "group", rename_all = "lowercase")]
enum Row {
    Ops(Operation),
    UNet { batch: u32, tokens: u32 },
    T5 { tokens: u32 },
}

#[wasm_bindgen]
impl Bench {
    /// # Errors
    /// `{ kind, message }` where there is no adapter, as everything here throws.
    pub async fn open() -> Result<Bench, JsValue> {
        let device = Device::request(DeviceOptions::default()).await.map_err(gpu)?;
        Ok(Self { device })
    }

    /// Whether the adapter is a CPU that plays a GPU.
    pub fn software(&self) -> bool {
        self.device.info().software
    }

    /// Uploads a row's weights and compiles its plan.
    ///
    /// # Errors
    /// A row that cannot be read, a file that does not fit it, or no memory.
    pub async fn load(&self, row: String, files: JsFiles) -> Result<BenchPlan, JsValue> {
        let row: Row = serde_json::from_str(&row).map_err(|error| error::other(format!("row: {error}")))?;
        let source = files.open(WEIGHTS).await.map_err(|error| error::to_js(&error, false))?;
        let mut weights = Weights::open(source).await.map_err(|error| gpu(error.into()))?;
        let network = Network::new(&row, &mut weights).await?;
        let index = WeightIndex::from(&weights);
        let description = describe(&row, &network, &index, &self.device).map_err(gpu)?;
        let uploaded = description.upload(&self.device, &mut weights).await;
        let uploaded = uploaded.map_err(gpu)?;
        let plan = description.compile(&self.device, &uploaded, &mut |_, _| {}).await.map_err(gpu)?;
        network.constants(&plan).map_err(gpu)?;
        let phase = network.phase();
        let flops = description.flops(phase) as f64;
        Ok(BenchPlan { plan, _weights: uploaded, network, dispatches: description.dispatches(phase), flops })
    }
}

fn describe(row: &Row, network: &Network, index: &WeightIndex, device: &Device) -> Result<PlanDescription, GpuError> {
    let mut builder = PlanBuilder::for_device(index, device);
    let output = match row {
        Row::Ops(operation) => operation.record(&mut builder)?,
        Row::UNet { .. } | Row::T5 { .. } => network.record(&mut builder)?,
    };
    builder.output(OUTPUT, output);
    builder.finish()
}

/// A row, ready to run once its inputs are given. The plan comes before the weights that it binds, so that it is
/// dropped first.
#[wasm_bindgen]
pub struct BenchPlan {
    plan: Plan,
    _weights: GpuWeights,
    network: Network,
    dispatches: usize,
    flops: f64,
}

#[wasm_bindgen]
impl BenchPlan {
    /// Dispatches of a run.
    pub fn dispatches(&self) -> usize {
        self.dispatches
    }

    /// Floating-point operations of a run.
    pub fn flops(&self) -> f64 {
        self.flops
    }

    /// Fills an input.
    ///
    /// # Errors
    /// No such input, or the wrong number of values.
    pub fn input(&self, name: &str, values: &[f32]) -> Result<(), JsValue> {
        let (name, values) = self.network.input(name, values);
        self.plan.write(name, &values).map_err(gpu)
    }

    /// What a prompt needs once, before its first step.
    ///
    /// # Errors
    /// The device is lost.
    pub fn prepare(&self) -> Result<(), JsValue> {
        match self.network.preparation() {
            Some(phase) => self.plan.run(phase).map_err(gpu),
            None => Ok(()),
        }
    }

    /// Runs once and waits until the GPU is done.
    ///
    /// # Errors
    /// The device is lost, or it rejected the work.
    pub async fn run(&self) -> Result<(), JsValue> {
        self.plan.run(self.network.phase()).map_err(gpu)?;
        self.plan.device().finished().await.map_err(gpu)
    }

    /// The output, channels last.
    ///
    /// # Errors
    /// The device is lost.
    pub async fn output(&self) -> Result<Vec<f32>, JsValue> {
        self.plan.read(OUTPUT).await.map_err(gpu)
    }
}

fn gpu(error: GpuError) -> JsValue {
    error::other(error.to_string())
}
