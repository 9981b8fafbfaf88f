//! A configuration spelled out: channels, blocks and attentions of every level.

use super::EfficientUNetConfig;
use crate::unet::UNetError;

/// Bounds that no real U-Net reaches: a configuration beyond them is a broken or hostile file.
const MAX_LEVELS: usize = 10;
const MAX_LAYERS: usize = 64;
const MAX_CHANNELS: usize = 1 << 16;
const MAX_TOKENS: usize = 1 << 12;
const MAX_KERNEL: usize = 15;
/// Positions that the perceiver's table holds: fixed in the package.
pub(super) const MAX_POSITIONS: usize = 512;
/// Heads of attention in the middle's residual blocks, which the package's options do not reach.
const MID_HEADS: Heads = Heads { count: 8, dim: 64 };

/// Heads of an attention layer and their channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    pub count: usize,
    pub dim: usize,
}

impl Heads {
    /// Channels of all heads.
    pub const fn channels(self) -> usize {
        self.count * self.dim
    }
}

/// A residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resnet {
    pub dim: usize,
    pub dim_out: usize,
    pub time_cond_dim: usize,
    /// Attention to tokens of so many channels.
    pub cross_attn: Option<(usize, Heads)>,
    pub global_context: bool,
}

/// An attention block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transformer {
    pub dim: usize,
    pub depth: usize,
    pub heads: Heads,
    pub hidden: usize,
    /// Channels of the tokens that it sees beside the picture.
    pub context_dim: Option<usize>,
}

/// One level of the way down, and the same level of the way up.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Channels in and out on the way down.
    pub dim_in: usize,
    pub dim_out: usize,
    pub init_block: Resnet,
    pub resnet_blocks: Vec<Resnet>,
    pub attn_block: Option<Transformer>,
    pub up_init_block: Resnet,
    pub up_resnet_blocks: Vec<Resnet>,
    pub up_attn_block: Option<Transformer>,
}

/// The whole network.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    pub in_channels: usize,
    pub out_channels: usize,
    /// Channels of the picture where it enters and leaves, in the given order.
    pub init_dim: usize,
    pub dim: usize,
    /// Kernel and channels of the first convolutions, whose outputs stand side by side.
    pub init_conv: Vec<(usize, usize)>,
    pub cond_dim: usize,
    pub time_cond_dim: usize,
    pub memory_efficient: bool,
    pub init_resnet_block: Option<Resnet>,
    pub levels: Vec<Level>,
    pub mid_block: Resnet,
    pub mid_attn: Option<Transformer>,
    pub final_res_block: Option<Resnet>,
    pub final_conv_kernel: usize,
    pub skip_scale: f32,
}

impl Architecture {
    /// Spells out a configuration.
    ///
    /// # Errors
    /// As [`EfficientUNetConfig::validate`].
    pub fn new(config: &EfficientUNetConfig) -> Result<Self, UNetError> {
        check(config)?;
        let count = config.dim_mults.len();
        let init_dim = config.init_dim.unwrap_or(config.dim);
        let cond_dim = config.cond_dim.unwrap_or(config.dim);
        let time_cond_dim = config.dim * if config.lowres_cond { 8 } else { 4 };
        let heads = Heads { count: config.attn_heads, dim: config.attn_dim_head };
        let resnet = |dim, dim_out, cross_attn, global_context| Resnet {
            dim,
            dim_out,
            time_cond_dim,
            cross_attn,
            global_context,
        };
        let (gca, hidden) = (config.use_global_context_attn, |dim: usize| (dim as f64 * config.ff_mult) as usize);
        let transformer =
            |dim, depth| Transformer { dim, depth, heads, hidden: hidden(dim), context_dim: Some(cond_dim) };
        let blocks = config.num_resnet_blocks.expand("num_resnet_blocks", count)?;
        let attns = config.layer_attns.expand("layer_attns", count)?;
        let depths = config.layer_attns_depth.expand("layer_attns_depth", count)?;
        let crosses = config.layer_cross_attns.expand("layer_cross_attns", count)?;
        let dims: Vec<usize> =
            std::iter::once(init_dim).chain(config.dim_mults.iter().map(|m| m * config.dim)).collect();
        let level = |i: usize| {
            let (dim_in, dim_out) = (dims[i], dims[i + 1]);
            let dim = if config.memory_efficient { dim_out } else { dim_in };
            let cross = crosses[i].then_some((cond_dim, heads));
            Level {
                dim_in,
                dim_out,
                init_block: resnet(dim, dim, cross, false),
                resnet_blocks: vec![resnet(dim, dim, None, gca); blocks[i]],
                attn_block: attns[i].then(|| transformer(dim, depths[i])),
                up_init_block: resnet(dim_out + dim, dim_out, cross, false),
                up_resnet_blocks: vec![resnet(dim_out + dim, dim_out, None, gca); blocks[i]],
                up_attn_block: attns[i].then(|| transformer(dim_out, depths[i])),
            }
        };
        let mid = dims[count];
        let (kernels, half) = (&config.init_cross_embed_kernel_sizes, |i: usize| init_dim >> (i + 1).min(31));
        let mut kernels = kernels.clone();
        kernels.sort_unstable();
        let others: usize = (0..kernels.len() - 1).map(half).sum();
        let share = |(i, &kernel): (usize, &usize)| {
            (kernel, if i + 1 == kernels.len() { init_dim.saturating_sub(others) } else { half(i) })
        };
        let mid_attn =
            Transformer { dim: mid, depth: config.layer_mid_attns_depth, heads, hidden: mid * 2, context_dim: None };
        Ok(Self {
            in_channels: config.input_channels(),
            out_channels: config.channels,
            init_dim,
            dim: config.dim,
            init_conv: kernels.iter().enumerate().map(share).collect(),
            cond_dim,
            time_cond_dim,
            memory_efficient: config.memory_efficient,
            init_resnet_block: config.memory_efficient.then(|| resnet(init_dim, init_dim, None, gca)),
            levels: (0..count).map(level).collect(),
            mid_block: resnet(mid, mid, Some((cond_dim, MID_HEADS)), false),
            mid_attn: config.attend_at_middle.then_some(mid_attn),
            final_res_block: config.final_resnet_block.then(|| resnet(config.dim, config.dim, None, true)),
            final_conv_kernel: config.final_conv_kernel_size,
            skip_scale: if config.scale_skip_connection { std::f32::consts::FRAC_1_SQRT_2 } else { 1.0 },
        })
    }

    /// What a picture's sides must be multiples of.
    pub fn granularity(&self) -> usize {
        1 << if self.memory_efficient { self.levels.len() } else { self.levels.len() - 1 }
    }
}

fn check(config: &EfficientUNetConfig) -> Result<(), UNetError> {
    config.check_other()?;
    let levels = config.dim_mults.len();
    within("dim_mults", levels, 1, MAX_LEVELS)?;
    let init_dim = config.init_dim.unwrap_or(config.dim);
    let mults = config.dim_mults.iter();
    for (option, channels) in [
        ("dim", config.dim),
        ("cond_dim", config.cond_dim.unwrap_or(config.dim)),
        ("init_dim", init_dim),
        ("text_embed_dim", config.text_embed_dim.unwrap_or(1)),
        ("attn_dim_head", config.attn_dim_head),
        ("attn_pool_num_latents", config.attn_pool_num_latents),
    ]
    .into_iter()
    .chain(mults.map(|mult| ("dim_mults", mult.saturating_mul(config.dim))))
    {
        within(option, channels, 1, MAX_CHANNELS)?;
    }
    within("attn_heads", config.attn_heads, 2, MAX_CHANNELS / config.attn_dim_head)?;
    within("max_text_len", config.max_text_len, 1, if config.attn_pool_text { MAX_POSITIONS } else { MAX_TOKENS })?;
    within("num_time_tokens", config.num_time_tokens, 1, MAX_TOKENS)?;
    within("learned_sinu_pos_emb_dim", config.learned_sinu_pos_emb_dim, 2, MAX_CHANNELS)?;
    if config.learned_sinu_pos_emb_dim % 2 == 1 {
        return Err(UNetError::invalid("learned_sinu_pos_emb_dim", "sines and cosines come in pairs"));
    }
    let depths = config.layer_attns_depth.expand("layer_attns_depth", levels)?;
    for depth in depths.into_iter().chain([config.layer_mid_attns_depth]) {
        within("layer_attns_depth", depth, 1, MAX_LAYERS)?;
    }
    for blocks in config.num_resnet_blocks.expand("num_resnet_blocks", levels)? {
        within("num_resnet_blocks", blocks, 0, MAX_LAYERS)?;
    }
    let kernels = config.init_cross_embed_kernel_sizes.iter().map(|kernel| ("init_cross_embed_kernel_sizes", *kernel));
    for (option, kernel) in kernels.chain([("final_conv_kernel_size", config.final_conv_kernel_size)]) {
        within(option, kernel, 1, MAX_KERNEL)?;
        if kernel % 2 == 0 {
            return Err(UNetError::invalid(option, "an even kernel would change the picture's size"));
        }
    }
    let convolutions = config.init_cross_embed_kernel_sizes.len();
    within("init_cross_embed_kernel_sizes", convolutions, 1, init_dim.ilog2() as usize + 1)?;
    if !(config.ff_mult.is_finite() && (0.01..=64.0).contains(&config.ff_mult)) {
        return Err(UNetError::invalid("ff_mult", format!("{} is no multiple", config.ff_mult)));
    }
    for (option, channels) in [("channels", config.channels), ("channels_out", config.channels_out.unwrap_or(3))] {
        if channels != 3 {
            return Err(UNetError::unsupported(option, channels));
        }
    }
    // What the package would fail over when it runs.
    let first = if config.memory_efficient { init_dim } else { config.dim_mults[0] * config.dim };
    if first != config.dim {
        let option = if config.memory_efficient { "init_dim" } else { "dim_mults" };
        return Err(UNetError::invalid(
            option,
            format!("the last level gives {first} channels, dim is {}", config.dim),
        ));
    }
    Ok(())
}

fn within(option: &str, value: usize, low: usize, high: usize) -> Result<(), UNetError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(UNetError::invalid(option, format!("{value} is not between {low} and {high}")))
}
