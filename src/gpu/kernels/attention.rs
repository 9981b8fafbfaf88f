//! Attention with online softmax over one or two segments of keys (Vaswani et al. 2017; the text's keys in front of the
//! image's as in Imagen, appendix B).

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// What queries attend to, and how.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// One or two segments of keys and values `[rows, tokens, heads·width]`, as if concatenated in this order. A segment
    /// may have fewer rows than the queries if its count divides theirs: row r of n then serves the r-th n-th of the
    /// batch (two text rows, without and with the prompt, for two groups of images).
    pub keys: &'a [(Tensor, Tensor)],
    pub heads: u32,
    /// Factor of the scores: usually 1 / √width; 1 in T5.
    pub scale: f32,
    /// Added to the scores: batch = heads, width = query tokens, channels = all key tokens.
    pub bias: Option<Tensor>,
    /// Added to the scores of a key: `[rows, all key tokens]`, 0 to see it and very negative to mask it; rows as in
    /// `keys`. Where all keys are masked the result is the mean of the values.
    pub mask: Option<Tensor>,
}

/// The kernel's variant: vector width, how many queries and keys a lane works on, and its share of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tile {
    /// Floats of a Value: 4, or 1 for heads whose width is no multiple of 4.
    vector: u32,
    /// Values of a head.
    parts: u32,
    lane_queries: u32,
    lane_keys: u32,
}

impl Tile {
    /// The largest tile for heads of this width that fits into 16 KiB of workgroup memory; more queries come before
    /// more keys, since each tile of keys is read once per tile of queries. None for heads that are too wide.
    fn choose(head: u32, query_tokens: u32) -> Option<Self> {
        let vector = if head.is_multiple_of(4) { 4 } else { 1 };
        let most = if query_tokens <= 8 { 1 } else { 2 };
        [(2, 4), (2, 2), (2, 1), (1, 4), (1, 2), (1, 1)]
            .map(|(lane_queries, lane_keys)| Self { vector, parts: head / vector, lane_queries, lane_keys })
            .into_iter()
            .find(|tile| tile.lane_queries <= most && tile.workgroup_bytes() <= 16 * 1024)
    }

    /// Workgroup memory of the kernel: queries, one tile of keys or values, probabilities, one value per row and column.
    fn workgroup_bytes(self) -> u32 {
        let (queries, keys) = (8 * self.lane_queries, 8 * self.lane_keys);
        4 * (self.vector * (self.parts | 1) * (queries + keys) + queries * (keys + 1) + queries * 8)
    }

    /// What stands in front of the kernel's text.
    fn prelude(self) -> String {
        let value = if self.vector == 4 {
            "alias Value = vec4<f32>;\nfn product(a: Value, b: Value) -> f32 { return dot(a, b); }\n"
        } else {
            "alias Value = f32;\nfn product(a: Value, b: Value) -> f32 { return a * b; }\n"
        };
        let Self { parts, lane_queries, lane_keys, .. } = self;
        let constants = [
            ("PARTS", parts),
            ("LANE_QUERIES", lane_queries),
            ("LANE_KEYS", lane_keys),
            ("LANE_PARTS", parts.div_ceil(8)),
        ];
        constants.iter().fold(value.to_owned(), |text, (name, value)| text + &format!("const {name} = {value}u;\n"))
    }
}

impl PlanBuilder {
    /// Multi-head attention: `q` is `[batch, tokens, heads·width]`, and so is the result.
    ///
    /// # Errors
    /// Shapes that do not fit together, none or more than two segments, or heads wider than 244.
    pub fn attention(&mut self, q: Tensor, attention: Attention<'_>) -> Result<Tensor, GpuError> {
        let wrong = |message: String| GpuError::shape("attention", message);
        let Attention { keys, heads, scale, bias, mask } = attention;
        let Shape { batch, channels, .. } = q.shape;
        let query_tokens = q.shape.positions();
        if heads == 0 || !channels.is_multiple_of(heads) {
            return Err(wrong(format!("{channels} channels cannot be split into {heads} heads")));
        }
        let head = channels / heads;
        let (first, second) = match *keys {
            [first] => (first, None),
            [first, second] => (first, Some(second)),
            _ => return Err(wrong(format!("one or two segments of keys are needed, not {}", keys.len()))),
        };
        for (key, value) in std::iter::once(first).chain(second) {
            if key.shape != value.shape || key.shape.channels != channels || !batch.is_multiple_of(key.shape.batch) {
                return Err(wrong(format!("queries {:?}, keys {:?}, values {:?}", q.shape, key.shape, value.shape)));
            }
        }
        let first_tokens = first.0.shape.positions();
        let second_tokens = second.map_or(0, |(key, _)| key.shape.positions());
        let tokens = first_tokens + second_tokens;
        if let Some(bias) = bias
            && bias.shape != (Shape { batch: heads, height: 1, width: query_tokens, channels: tokens })
        {
            return Err(wrong(format!("bias {:?} for {heads} heads, {query_tokens} × {tokens}", bias.shape)));
        }
        if let Some(mask) = mask
            && (mask.shape.values() != u64::from(mask.shape.batch) * u64::from(tokens)
                || !batch.is_multiple_of(mask.shape.batch))
        {
            return Err(wrong(format!("mask {:?} for {batch} rows of {tokens} keys", mask.shape)));
        }
        let Some(tile) = Tile::choose(head, query_tokens) else {
            return Err(GpuError::Unsupported { what: format!("attention heads {head} wide (at most 244)") });
        };
        let y = self.tensor(q.shape)?;
        let share = |tensor: Option<Tensor>| tensor.map_or(1, |tensor| batch / tensor.shape.batch);
        let mut dispatch = Dispatch::new("attention", "main", &[include_str!("../../../shaders/attention.wgsl")])
            .u32(query_tokens)
            .u32(first_tokens)
            .u32(second_tokens)
            .u32(heads)
            .f32(scale)
            .u32(share(Some(first.0)))
            .u32(share(second.map(|(key, _)| key)))
            .u32(share(mask))
            .u32(bias.is_some().into())
            .u32(mask.is_some().into())
            .read(q)
            .read(first.0)
            .read(first.1)
            .read_or_empty(second.map(|(key, _)| key))
            .read_or_empty(second.map(|(_, value)| value))
            .read_or_empty(bias)
            .read_or_empty(mask)
            .write(y)
            .flops(4 * q.shape.values() * u64::from(tokens));
        dispatch.kernel.source.insert(0, tile.prelude().into());
        dispatch.workgroups = [query_tokens.div_ceil(8 * tile.lane_queries), heads, batch];
        self.record(dispatch)?;
        Ok(y)
    }
}
