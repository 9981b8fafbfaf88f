//! Time embeddings: sinusoids of "Denoising Diffusion Probabilistic Models", as diffusers orders them.

use super::UNetConfig;

/// The sinusoidal embedding of a timestep (or of a noise level): `block_out_channels[0]` values.
///
/// Frequencies are 10000^(-i / (half - freq_shift)); cosines first with `flip_sin_to_cos`. An odd width ends in 0.
pub fn sinusoidal(config: &UNetConfig, timestep: f32) -> Vec<f32> {
    let width = config.block_out_channels.first().copied().unwrap_or(0);
    let half = width / 2;
    let angles = (0..half).map(|i| {
        let exponent = -10000f32.ln() * i as f32 / (half as f32 - config.freq_shift);
        timestep * exponent.exp()
    });
    let (sines, cosines): (Vec<f32>, Vec<f32>) = angles.map(|angle| (libm::sinf(angle), libm::cosf(angle))).unzip();
    let mut embedding = if config.flip_sin_to_cos { [cosines, sines].concat() } else { [sines, cosines].concat() };
    embedding.resize(width, 0.0);
    embedding
}
