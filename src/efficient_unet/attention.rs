//! Attention by cosines: queries and keys have length one, times a learnt factor per channel. A learnt null key stands
//! beside the others.

use super::architecture::{Heads, Transformer};
use super::feed_forward::{FeedForward, linear, norm, own_norm};
use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::softmax};

/// Factor of the cosines.
pub(super) const SCALE: f64 = 8.0;
/// The least length that `F.normalize` divides by.
pub(super) const LEAST_LENGTH: f32 = 1e-12;

/// Vectors of length one times the factors, `[batch, heads, tokens, dim]`.
pub(super) fn unit(x: Tensor<4>, factors: &Param<Tensor<1>>) -> Tensor<4> {
    let length = x.clone().square().sum_dim(3).sqrt().clamp_min(LEAST_LENGTH);
    x / length * factors.val().unsqueeze()
}

/// softmax(8 · q·k) · v
///
/// # Shapes
/// - query: `[batch, heads, positions, dim]`
/// - keys, values: `[batch, heads or 1, tokens, dim]`
/// - output: `[batch, positions, heads · dim]`
pub(super) fn attend(query: Tensor<4>, keys: Tensor<4>, values: Tensor<4>) -> Tensor<3> {
    let [batch, heads, positions, dim] = query.dims();
    let [_, _, tokens, _] = keys.dims();
    let spread = |x: Tensor<4>| x.expand([batch, heads, tokens, dim]);
    let similarity = query.matmul(spread(keys).swap_dims(2, 3)).mul_scalar(SCALE);
    let attended = softmax(similarity, 3).matmul(spread(values));
    attended.swap_dims(1, 2).reshape([batch, positions, heads * dim])
}

/// `[batch, tokens, heads · dim]` to `[batch, heads, tokens, dim]`.
pub(super) fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, channels] = x.dims();
    x.reshape([batch, tokens, heads, channels / heads]).swap_dims(1, 2)
}

/// The null key or value of every head, `[batch, heads, 1, dim]`.
fn null(null_kv: &Param<Tensor<2>>, row: usize, [batch, heads]: [usize; 2]) -> Tensor<4> {
    let [_, dim] = null_kv.dims();
    null_kv.val().slice([row..row + 1, 0..dim]).reshape([1, 1, 1, dim]).expand([batch, heads, 1, dim])
}

/// A vector of factors.
pub(super) fn factors(channels: usize, device: &Device) -> Param<Tensor<1>> {
    Initializer::Ones.init([channels], device)
}

/// Learnt vectors, `[count, channels]`.
pub(super) fn vectors(count: usize, channels: usize, device: &Device) -> Param<Tensor<2>> {
    Initializer::Normal { mean: 0.0, std: 1.0 }.init([count, channels], device)
}

/// The end of an attention layer.
#[derive(Module, Debug)]
pub struct ToOut {
    pub linear: Linear,
    pub norm: LayerNorm,
}

impl ToOut {
    pub(super) fn new(heads: Heads, channels: usize, norm: LayerNorm, device: &Device) -> Self {
        Self { linear: linear(heads.channels(), channels, device), norm }
    }

    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.norm.forward(self.linear.forward(x))
    }
}

/// Attention of a picture to the conditioning's tokens (`CrossAttention`).
#[derive(Module, Debug)]
pub struct CrossAttention {
    pub norm: LayerNorm,
    /// Key and value, `[2, dim]`.
    pub null_kv: Param<Tensor<2>>,
    pub to_q: Linear,
    pub to_kv: Linear,
    pub q_scale: Param<Tensor<1>>,
    pub k_scale: Param<Tensor<1>>,
    pub to_out: ToOut,
    pub heads: usize,
}

impl CrossAttention {
    /// A layer with random weights.
    pub fn new(dim: usize, context_dim: usize, heads: Heads, device: &Device) -> Self {
        Self {
            norm: own_norm(dim, device),
            null_kv: vectors(2, heads.dim, device),
            to_q: linear(dim, heads.channels(), device),
            to_kv: linear(context_dim, 2 * heads.channels(), device),
            q_scale: factors(heads.dim, device),
            k_scale: factors(heads.dim, device),
            to_out: ToOut::new(heads, dim, own_norm(dim, device), device),
            heads: heads.count,
        }
    }

    /// # Shapes
    /// - x: `[batch, positions, dim]`
    /// - context: `[batch, tokens, context_dim]`
    /// - output: as x
    pub fn forward(&self, x: Tensor<3>, context: Tensor<3>) -> Tensor<3> {
        let [batch, _, _] = x.dims();
        let query = split_heads(self.to_q.forward(self.norm.forward(x)), self.heads);
        let [keys, values]: [_; 2] = halves(self.to_kv.forward(context));
        let join = |row, own| Tensor::cat(vec![null(&self.null_kv, row, [batch, self.heads]), own], 2);
        let keys = join(0, split_heads(keys, self.heads));
        let values = join(1, split_heads(values, self.heads));
        self.to_out.forward(attend(unit(query, &self.q_scale), unit(keys, &self.k_scale), values))
    }
}

/// Keys and values of the conditioning for an attention over the picture.
#[derive(Module, Debug)]
pub struct ToContext {
    pub norm: LayerNorm,
    pub linear: Linear,
}

/// Attention of a picture to itself and to the conditioning's tokens; all heads share keys and values (`Attention`).
#[derive(Module, Debug)]
pub struct Attention {
    pub norm: LayerNorm,
    /// Key and value, `[2, dim]`.
    pub null_kv: Param<Tensor<2>>,
    pub to_q: Linear,
    pub to_kv: Linear,
    pub q_scale: Param<Tensor<1>>,
    pub k_scale: Param<Tensor<1>>,
    pub to_context: Option<ToContext>,
    pub to_out: ToOut,
    pub heads: usize,
}

impl Attention {
    /// A layer with random weights.
    pub fn new(options: &Transformer, device: &Device) -> Self {
        let Transformer { dim, heads, context_dim, .. } = *options;
        let to_context = |context_dim| ToContext {
            norm: norm(context_dim, device),
            linear: LinearConfig::new(context_dim, 2 * heads.dim).init(device),
        };
        Self {
            norm: own_norm(dim, device),
            null_kv: vectors(2, heads.dim, device),
            to_q: linear(dim, heads.channels(), device),
            to_kv: linear(dim, 2 * heads.dim, device),
            q_scale: factors(heads.dim, device),
            k_scale: factors(heads.dim, device),
            to_context: context_dim.map(to_context),
            to_out: ToOut::new(heads, dim, own_norm(dim, device), device),
            heads: heads.count,
        }
    }

    /// # Shapes
    /// - x: `[batch, positions, dim]`
    /// - context: `[batch, tokens, context_dim]`
    /// - output: as x
    pub fn forward(&self, x: Tensor<3>, context: &Tensor<3>) -> Tensor<3> {
        let [batch, _, _] = x.dims();
        let x = self.norm.forward(x);
        let query = split_heads(self.to_q.forward(x.clone()), self.heads);
        let [keys, values]: [_; 2] = halves(self.to_kv.forward(x));
        let (mut all_keys, mut all_values) = (Vec::new(), Vec::new());
        if let Some(ToContext { norm, linear }) = &self.to_context {
            let [keys, values]: [_; 2] = halves(linear.forward(norm.forward(context.clone())));
            all_keys.push(split_heads(keys, 1));
            all_values.push(split_heads(values, 1));
        }
        all_keys.extend([null(&self.null_kv, 0, [batch, 1]), split_heads(keys, 1)]);
        all_values.extend([null(&self.null_kv, 1, [batch, 1]), split_heads(values, 1)]);
        let (keys, values) = (Tensor::cat(all_keys, 2), Tensor::cat(all_values, 2));
        self.to_out.forward(attend(unit(query, &self.q_scale), unit(keys, &self.k_scale), values))
    }
}

/// The two halves of the channels.
pub(super) fn halves(x: Tensor<3>) -> [Tensor<3>; 2] {
    let [batch, tokens, channels] = x.dims();
    let part = |from, to| x.clone().slice([0..batch, 0..tokens, from..to]);
    [part(0, channels / 2), part(channels / 2, channels)]
}

/// Attention and feed-forward in turn.
#[derive(Module, Debug)]
pub struct TransformerLayer {
    pub attn: Attention,
    pub ff: FeedForward,
}

/// An attention block over a picture (`TransformerBlock`).
#[derive(Module, Debug)]
pub struct TransformerBlock {
    pub layers: Vec<TransformerLayer>,
}

impl TransformerBlock {
    /// A block with random weights.
    pub fn new(options: &Transformer, device: &Device) -> Self {
        let layer = |_| TransformerLayer {
            attn: Attention::new(options, device),
            ff: FeedForward::new(options.dim, options.hidden, device),
        };
        Self { layers: (0..options.depth).map(layer).collect() }
    }

    /// # Shapes
    /// - x: `[batch, dim, height, width]`
    /// - context: `[batch, tokens, context_dim]`
    /// - output: as x
    pub fn forward(&self, x: Tensor<4>, context: &Tensor<3>) -> Tensor<4> {
        let [batch, dim, height, width] = x.dims();
        let mut x = x.reshape([batch, dim, height * width]).swap_dims(1, 2);
        for TransformerLayer { attn, ff } in &self.layers {
            x = attn.forward(x.clone(), context) + x;
            x = ff.forward(x.clone()) + x;
        }
        x.swap_dims(1, 2).reshape([batch, dim, height, width])
    }
}
