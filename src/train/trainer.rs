//! A training step: the gradients of a batch, in as many parts as memory asks for, then the update.

use super::networks::{Networks, embed};
use super::objective::Objective;
use super::optimizer::{Optimizer, OptimizerOptions};
use super::parameters::{self, Values};
use super::rate::Rate;
use super::{Example, FrozenText, TrainError, adapters};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};

/// Networks that learn, and everything that an update needs.
pub struct Trainer {
    networks: Networks,
    /// The text encoder that does not learn.
    pub(super) frozen: Option<FrozenText>,
    objective: Objective,
    pub optimizer: Optimizer,
    rate: Rate,
    device: Device,
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
        Self { networks, frozen, objective, optimizer, rate, device }
    }

    /// The networks with the weights of the last update.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Puts the optimiser's weights into the networks, after they were restored.
    pub fn refresh(&mut self) {
        self.networks = parameters::place(self.networks.clone(), &self.optimizer.weights);
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
        let mut accumulator = GradientsAccumulator::new();
        let mut loss = 0.0;
        for part in examples.chunks(at_once.max(1)) {
            let share = part.len() as f64 / examples.len() as f64;
            let of_part = self.loss(part)?.mul_scalar(share);
            let gradients = GradientsParams::from_grads(of_part.backward(), &self.networks);
            loss += f64::from(of_part.into_scalar::<f32>());
            accumulator.accumulate(&self.networks, gradients);
        }
        let values = parameters::gradients(&self.networks, accumulator.grads());
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
        let out = self.networks.unet.forward(noised.input.clone(), timestep, text, Some(labels));
        Ok(self.objective.loss(out, &noised))
    }
}
