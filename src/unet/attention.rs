//! Attention with added keys and values for the text (`Attention` with `AttnAddedKVProcessor` of diffusers): one
//! softmax over the text's tokens and the image's own positions.

use super::architecture::{self, TextNorm};
use super::norm::normalise;
use burn::module::Module;
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, module, ops::AttentionModuleOptions};

/// Groups and epsilon of the text's norm: fixed in diffusers.
pub(super) const TEXT_NORM_GROUPS: usize = 32;
pub(super) const TEXT_NORM_EPS: f64 = 1e-5;
/// Epsilon of the image's norm: fixed in diffusers, `norm_eps` does not reach it.
pub(super) const IMAGE_NORM_EPS: f64 = 1e-5;

/// Keys and values of a text for one attention layer, `[batch, heads, tokens, head_dim]` each.
#[derive(Clone, Debug)]
pub struct TextKeys {
    pub keys: Tensor<4>,
    pub values: Tensor<4>,
}

/// An attention layer.
#[derive(Module, Debug)]
pub struct Attention {
    pub group_norm: GroupNorm,
    pub norm_cross: Option<GroupNorm>,
    pub to_q: Linear,
    /// The image's own keys and values, unless it attends to the text alone.
    pub to_k: Option<Linear>,
    pub to_v: Option<Linear>,
    pub add_k_proj: Linear,
    pub add_v_proj: Linear,
    /// One layer, in a list as the checkpoint has it.
    pub to_out: Vec<Linear>,
    #[module(skip)]
    pub options: architecture::Attention,
}

impl Attention {
    /// A layer with random weights.
    pub fn new(options: architecture::Attention, device: &Device) -> Self {
        let architecture::Attention { channels, text_channels, groups, .. } = options;
        let own = || (!options.text_only).then(|| LinearConfig::new(channels, channels).init(device));
        // A layer norm is a group norm of one group over a single token.
        let text_groups = match options.text_norm {
            TextNorm::None => None,
            TextNorm::Group => Some(TEXT_NORM_GROUPS),
            TextNorm::Layer => Some(1),
        };
        let text_norm = |groups| GroupNormConfig::new(groups, text_channels).with_epsilon(TEXT_NORM_EPS).init(device);
        Self {
            group_norm: GroupNormConfig::new(groups, channels).with_epsilon(IMAGE_NORM_EPS).init(device),
            norm_cross: text_groups.map(text_norm),
            to_q: LinearConfig::new(channels, channels).init(device),
            to_k: own(),
            to_v: own(),
            add_k_proj: LinearConfig::new(text_channels, channels).init(device),
            add_v_proj: LinearConfig::new(text_channels, channels).init(device),
            to_out: vec![LinearConfig::new(channels, channels).init(device)],
            options,
        }
    }

    /// Keys and values of a text: the same at every step.
    ///
    /// # Shapes
    /// - text: `[batch, tokens, text_channels]`
    /// - output: `[batch, heads, tokens, head_dim]` each
    pub fn text_keys(&self, text: Tensor<3>) -> TextKeys {
        let [batch, tokens, channels] = text.dims();
        let text = match (&self.norm_cross, self.options.text_norm) {
            (Some(norm), TextNorm::Layer) => {
                let rows = text.reshape([batch * tokens, channels, 1, 1]);
                normalise(rows, norm, None, None).reshape([batch, tokens, channels])
            }
            (Some(norm), _) => {
                let image = text.swap_dims(1, 2).reshape([batch, channels, 1, tokens]);
                normalise(image, norm, None, None).reshape([batch, channels, tokens]).swap_dims(1, 2)
            }
            (None, _) => text,
        };
        TextKeys {
            keys: self.heads(self.add_k_proj.forward(text.clone())),
            values: self.heads(self.add_v_proj.forward(text)),
        }
    }

    /// Attends from every position of the image; the input is added.
    ///
    /// # Shapes
    /// - x: `[batch, channels, height, width]`
    /// - text: `[batch, heads, tokens, head_dim]` each
    /// - output: as x
    pub fn forward(&self, x: Tensor<4>, text: &TextKeys) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let positions = height * width;
        let hidden = normalise(x.clone(), &self.group_norm, None, None);
        let hidden = hidden.reshape([batch, channels, positions]).swap_dims(1, 2);
        let query = self.heads(self.to_q.forward(hidden.clone()));
        let (keys, values) = match (&self.to_k, &self.to_v) {
            (Some(to_k), Some(to_v)) => {
                let keys = self.heads(to_k.forward(hidden.clone()));
                let values = self.heads(to_v.forward(hidden));
                (Tensor::cat(vec![text.keys.clone(), keys], 2), Tensor::cat(vec![text.values.clone(), values], 2))
            }
            _ => (text.keys.clone(), text.values.clone()),
        };
        let hidden = module::attention(query, keys, values, None, None, AttentionModuleOptions::default());
        let hidden = hidden.swap_dims(1, 2).reshape([batch, positions, channels]);
        let hidden = self.to_out.iter().fold(hidden, |hidden, layer| layer.forward(hidden));
        x + hidden.swap_dims(1, 2).reshape([batch, channels, height, width])
    }

    /// `[batch, positions, channels]` to `[batch, heads, positions, head_dim]`.
    fn heads(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, positions, channels] = x.dims();
        let heads = self.options.heads;
        x.reshape([batch, positions, heads, channels / heads]).swap_dims(1, 2)
    }
}
