//! A training step: the gradients of a batch, in as many parts as memory asks for, then the update.

use super::networks::{Networks, embed};
use super::objective::Objective;
use super::optimizer::{Optimizer, OptimizerOptions};
use super::parameters::{self, Values};
use super::rate::Rate;
use super::{Example, FrozenText, Precision, TrainError, adapters};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::cell::Cell;

/// In f16 small gradients would be zeros: the loss is multiplied by what its gradients bear, which is found by doubling over some
/// thousand updates, and halving where they are not finite, whereupon they are computed again.
const FIRST_SCALE: f64 = 65_536.0;
const LAST_SCALE: f64 = 16_777_216.0;
const GROWTH: f64 = 1.0005;

/// Networks that learn, and everything that an update needs.
pub struct Trainer {
    networks: Networks,
    /// The text encoder that does not learn.
    pub(super) frozen: Option<FrozenText>,
    objective: Objective,
    pub optimizer: Optimizer,
    rate: Rate,
    device: Device,
    precision: Precision,
    /// Factor of the loss on the way back.
    scale: Cell<f64>,
}

/// What a step did, or would do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The batch's mean loss, before the update.
    pub loss: f64,
    pub rate: f64,
    /// Norm of all gradients together, before clipping.
    pub norm: f64,
}

/// Loss and gradients of a batch.
pub struct Gradients {
    pub loss: f64,
    /// By the names of the parameters of [`Networks`].
    pub values: Values,
    pub norm: f64,
}

impl Trainer {
    /// `networks` must be on `device` with automatic differentiation. The captions are embedded by the networks' own text encoder
    /// where they have one, else by `frozen`.
    pub fn new(
        networks: Networks,
        frozen: Option<FrozenText>,
        objective: Objective,
        (options, rate): (OptimizerOptions, Rate),
        device: Device,
    ) -> Self {
        let optimizer = Optimizer::new(options, adapters::learning(parameters::collect(&networks)));
        let (precision, scale) = (Precision::F32, Cell::new(1.0));
        Self { networks, frozen, objective, optimizer, rate, device, precision, scale }
    }

    /// Computes the U-Net in a type that the device has. All weights are kept in f32, and the text encoder computes in it: T5's
    /// activations leave the range of f16.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self.scale = Cell::new(if precision == Precision::F16 { FIRST_SCALE } else { 1.0 });
        self.networks = self.place(&parameters::collect(&self.networks));
        self
    }

    /// The networks with these weights, in the type that they compute in.
    fn place(&self, values: &Values) -> Networks {
        let (dtype, networks) = (self.precision.dtype(), self.networks.clone());
        if self.precision == Precision::F32 {
            return parameters::place(networks, values);
        }
        let unet = values.iter().filter(|(name, _)| name.starts_with("unet."));
        let cast = unet.map(|(name, value)| (name.clone(), value.clone().cast(dtype)));
        parameters::place(parameters::place(networks, values), &cast.collect())
    }

    /// The networks with the weights of the last update.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Puts the optimiser's weights into the networks, after they were restored.
    pub fn refresh(&mut self) {
        self.networks = self.place(&self.optimizer.weights);
    }

    /// The networks with the averaged weights, adapters merged, without gradients.
    pub fn averaged(&self) -> Networks {
        parameters::place(self.networks.valid(), &self.optimizer.average).materialize()
    }

    /// Whether all weights are finite numbers.
    pub fn is_finite(&self) -> bool {
        parameters::norm(&self.optimizer.weights).is_finite()
    }

    /// What an update by these gradients would be.
    pub fn report(&self, gradients: &Gradients) -> StepReport {
        StepReport { loss: gradients.loss, rate: self.rate.at(self.optimizer.updates()), norm: gradients.norm }
    }

    /// One update.
    pub fn update(&mut self, gradients: Gradients) {
        let rate = self.rate.at(self.optimizer.updates());
        self.optimizer.update(rate, gradients.values, gradients.norm);
        self.refresh();
    }

    /// Loss and gradients of a batch of examples of one size: the means over them, however the batch is split. At most `at_once`
    /// of them are in memory together.
    ///
    /// # Errors
    /// [`TrainError::Text`] for a caption that the text encoder cannot take.
    pub fn gradients(&self, examples: &[Example], at_once: usize) -> Result<Gradients, TrainError> {
        loop {
            let scale = self.scale.get();
            let gradients = self.scaled(examples, at_once, scale)?;
            if self.precision != Precision::F16 {
                return Ok(gradients);
            }
            let finite = gradients.norm.is_finite();
            self.scale.set(if finite { (scale * GROWTH).min(LAST_SCALE) } else { scale / 2.0 });
            if finite || scale < 1.0 {
                return Ok(gradients);
            }
        }
    }

    /// Loss and gradients, which come from `scale` times the loss.
    fn scaled(&self, examples: &[Example], at_once: usize, scale: f64) -> Result<Gradients, TrainError> {
        let (mut loss, mut values) = (0.0, Values::new());
        for part in examples.chunks(at_once.max(1)) {
            let share = part.len() as f64 / examples.len() as f64;
            let of_part = self.loss(part)?.mul_scalar(share * scale);
            let gradients = GradientsParams::from_grads(of_part.backward(), &self.networks);
            loss += f64::from(of_part.into_scalar::<f32>()) / scale;
            for (name, gradient) in parameters::gradients(&self.networks, gradients) {
                let sum = match values.remove(&name) {
                    Some(sum) => gradient + sum,
                    None => gradient,
                };
                values.insert(name, sum);
            }
        }
        if scale != 1.0 {
            values = values.into_iter().map(|(name, value)| (name, value.div_scalar(scale))).collect();
        }
        let norm = parameters::norm(&values);
        Ok(Gradients { loss, values, norm })
    }

    /// The mean loss of a batch, as in [`gradients`](Self::gradients).
    ///
    /// # Errors
    /// As there.
    pub fn mean_loss(&self, examples: &[Example], at_once: usize) -> Result<f64, TrainError> {
        let parts = examples.chunks(at_once.max(1)).map(|part| {
            let share = part.len() as f64 / examples.len() as f64;
            Ok(share * f64::from(self.loss(part)?.into_scalar::<f32>()))
        });
        parts.sum()
    }

    fn loss(&self, examples: &[Example]) -> Result<Tensor<1>, TrainError> {
        let noised = self.objective.noise(examples, &self.device);
        let captions: Vec<_> = examples.iter().map(|example| &example.caption).collect();
        let text = match (&self.networks.text_encoder, &self.frozen) {
            (Some(encoder), _) => embed(encoder, &captions, &self.device)?,
            // Its embeddings are constants of the differentiation.
            (None, Some(encoder)) => Tensor::from_data(encoder.embed(&captions)?, &self.device),
            (None, None) => return Err(TrainError::setting("text", "there is no text encoder to embed captions with")),
        };
        let vector = |value: &dyn Fn(&Example) -> f32| {
            let values: Vec<f32> = examples.iter().map(value).collect();
            Tensor::<1>::from_data(TensorData::new(values, [examples.len()]), &self.device)
        };
        let timestep = vector(&|example| example.timestep as f32);
        let labels = vector(&|example| example.low.as_ref().map_or(0.0, |low| low.level as f32));
        let dtype = self.precision.dtype();
        let input = noised.input.clone().cast(dtype);
        let out = self.networks.unet.forward(input, timestep, text.cast(dtype), Some(labels));
        Ok(self.objective.loss(out.cast(DType::F32), &noised))
    }
}
