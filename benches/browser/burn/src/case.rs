//! One row of the table: its weights on burn's device, its inputs, and running it.

use crate::drained;
use crate::ops::Operation;
use burn::tensor::wgpu::wgpu::Queue;
use burn::tensor::{Device, Int, Tensor, TensorData};
use imagen_web::text::T5Encoder;
use imagen_web::unet::{Conditioning, UNet, UNetConfig};
use imagen_web::weights::{MemorySource, Weights, load_module};
use serde_json::Value;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

/// What burn runs for a row.
enum Network {
    Operation(Operation),
    UNet(Box<UNet>),
    T5(Box<T5Encoder>),
}

/// A row that is ready to run once its inputs are given.
#[wasm_bindgen]
pub struct BurnCase {
    network: Network,
    device: Device,
    queue: Queue,
    inputs: Inputs,
    /// What a prompt contributes is computed once, as in imagen-web.
    text: Option<Conditioning>,
    output: Option<Tensor<1>>,
}

/// Tensors on the device with the shapes that PyTorch gave them.
#[derive(Default)]
pub(crate) struct Inputs(BTreeMap<String, (Tensor<1>, Vec<usize>)>);

impl Inputs {
    pub fn insert(&mut self, name: &str, shape: Vec<usize>, values: Vec<f32>, device: &Device) {
        let length = values.len();
        let flat = Tensor::from_data(TensorData::new(values, [length]), device);
        self.0.insert(name.to_owned(), (flat, shape));
    }

    pub fn get<const D: usize>(&self, name: &str) -> Option<Tensor<D>> {
        let (flat, shape) = self.0.get(name)?;
        let shape: [usize; D] = shape.as_slice().try_into().ok()?;
        Some(flat.clone().reshape(shape))
    }

    pub fn expect<const D: usize>(&self, name: &str) -> Result<Tensor<D>, JsError> {
        self.get(name).ok_or_else(|| JsError::new(&format!("{name} is missing or has another rank than {D}")))
    }
}

impl BurnCase {
    pub(crate) async fn load(row: &str, weights: Vec<u8>, device: Device, queue: Queue) -> Result<Self, JsError> {
        let row: Value = serde_json::from_str(row)?;
        let mut weights = Weights::open(Box::new(MemorySource::new("weights.gguf", weights))).await?;
        let network = match row["group"].as_str() {
            Some("unet") => {
                let config = weights.metadata().string("imagen.unet.config").unwrap_or_default();
                // The inputs are packed already.
                let config = UNetConfig { patch_size: 1, ..UNetConfig::from_json(config)? };
                let empty = config.init(&device)?;
                Network::UNet(Box::new(load_module(empty, &mut weights, &str::to_owned, &device).await?))
            }
            Some("t5") => Network::T5(Box::new(T5Encoder::load(&mut weights, &device).await?)),
            _ => Network::Operation(Operation::load(&row, &mut weights, &device).await?),
        };
        Ok(Self { network, device, queue, inputs: Inputs::default(), text: None, output: None })
    }

    /// The network's output, not yet computed.
    fn forward(&mut self) -> Result<Tensor<1>, JsError> {
        let inputs = &self.inputs;
        Ok(match &self.network {
            Network::Operation(operation) => operation.forward(inputs)?,
            Network::UNet(unet) => {
                let text = match self.text.take() {
                    Some(text) => text,
                    None => unet.condition(inputs.expect("text")?),
                };
                let (x, timestep) = (inputs.expect("x")?, inputs.expect("timestep")?);
                let y = unet.forward_conditioned(x, timestep, &text, inputs.get("labels"));
                self.text = Some(text);
                y.flatten(0, 3)
            }
            Network::T5(encoder) => {
                let ids: Tensor<2, Int> = inputs.expect::<2>("ids")?.int();
                encoder.forward(ids, inputs.expect("mask")?).flatten(0, 2)
            }
        })
    }
}

#[wasm_bindgen]
impl BurnCase {
    /// Gives an input by its name.
    pub fn input(&mut self, name: &str, shape: Vec<u32>, values: Vec<f32>) {
        let shape = shape.into_iter().map(|side| side as usize).collect();
        self.inputs.insert(name, shape, values, &self.device);
    }

    /// Runs once and waits until the GPU is done.
    ///
    /// # Errors
    /// A missing input, or whatever the device reports.
    pub async fn run(&mut self) -> Result<(), JsError> {
        self.output = Some(self.forward()?);
        self.device.flush()?;
        drained(&self.queue).await
    }

    /// The output of the last run.
    ///
    /// # Errors
    /// Nothing ran yet, or reading failed.
    pub async fn output(&mut self) -> Result<Vec<f32>, JsError> {
        let output = self.output.take().ok_or_else(|| JsError::new("nothing ran yet"))?;
        let data = output.into_data_async().await?;
        data.try_into_vec().map_err(|error| JsError::new(&format!("{error:?}")))
    }
}
