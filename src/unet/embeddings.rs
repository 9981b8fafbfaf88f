//! Time embeddings: sinusoids of "Denoising Diffusion Probabilistic Models" as diffusers orders them, and the two
//! layers behind them (`TimestepEmbedding`).

use super::UNetConfig;
use super::architecture::Activation;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};

/// The sinusoidal embedding of a timestep (or of a noise level): `block_out_channels[0]` values.
///
/// Frequencies are 10000^(-i / (half - freq_shift)); cosines first with `flip_sin_to_cos`. An odd width ends in 0.
pub fn sinusoidal(config: &UNetConfig, timestep: f32) -> Vec<f32> {
    Sinusoids::of(config).embed(timestep)
}

/// What the sinusoidal embedding depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sinusoids {
    pub width: usize,
    pub cosines_first: bool,
    pub freq_shift: f32,
}

impl Sinusoids {
    pub(super) fn of(config: &UNetConfig) -> Self {
        Self {
            width: config.block_out_channels.first().copied().unwrap_or(0),
            cosines_first: config.flip_sin_to_cos,
            freq_shift: config.freq_shift,
        }
    }

    fn frequencies(&self) -> Vec<f32> {
        let half = self.width / 2;
        let frequency = |i| libm::expf(-10000f32.ln() * i as f32 / (half as f32 - self.freq_shift));
        (0..half).map(frequency).collect()
    }

    fn embed(&self, timestep: f32) -> Vec<f32> {
        let angles = self.frequencies().into_iter().map(|frequency| timestep * frequency);
        let (sines, cosines): (Vec<f32>, Vec<f32>) = angles.map(|angle| (libm::sinf(angle), libm::cosf(angle))).unzip();
        let mut embedding = if self.cosines_first { [cosines, sines].concat() } else { [sines, cosines].concat() };
        embedding.resize(self.width, 0.0);
        embedding
    }

    /// # Shapes
    /// - timestep: `[batch]`
    /// - output: `[batch, width]`
    pub(super) fn forward(&self, timestep: Tensor<1>) -> Tensor<2> {
        let half = self.width / 2;
        let [batch] = timestep.dims();
        let frequencies = TensorData::new(self.frequencies(), [1, half]);
        let angles = timestep.clone().reshape([batch, 1]) * Tensor::from_data(frequencies, &timestep.device());
        let (sines, cosines) = (angles.clone().sin(), angles.cos());
        let mut parts = if self.cosines_first { vec![cosines, sines] } else { vec![sines, cosines] };
        if self.width % 2 == 1 {
            parts.push(Tensor::zeros([batch, 1], &timestep.device()));
        }
        Tensor::cat(parts, 1)
    }
}

/// Two linear layers with an activation between them.
#[derive(Module, Debug)]
pub struct TimestepEmbedding {
    pub linear_1: Linear,
    pub linear_2: Linear,
    #[module(skip)]
    pub activation: Activation,
    #[module(skip)]
    pub post_activation: Option<Activation>,
}

impl TimestepEmbedding {
    /// Layers with random weights.
    pub fn new(
        channels: [usize; 2],
        activation: Activation,
        post_activation: Option<Activation>,
        device: &Device,
    ) -> Self {
        let [sinusoids, time_channels] = channels;
        Self {
            linear_1: LinearConfig::new(sinusoids, time_channels).init(device),
            linear_2: LinearConfig::new(time_channels, time_channels).init(device),
            activation,
            post_activation,
        }
    }

    /// Sinusoids are f32 whatever the network computes in: timesteps and their angles need it.
    ///
    /// # Shapes
    /// - sinusoids: `[batch, width]`
    /// - output: `[batch, time_channels]`
    pub fn forward(&self, sinusoids: Tensor<2>) -> Tensor<2> {
        let sinusoids = sinusoids.cast(self.linear_1.weight.val().dtype());
        let embedding = self.linear_2.forward(self.activation.forward(self.linear_1.forward(sinusoids)));
        match self.post_activation {
            Some(activation) => activation.forward(embedding),
            None => embedding,
        }
    }
}
