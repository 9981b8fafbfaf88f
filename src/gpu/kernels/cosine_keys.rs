//! Keys and values of attention by cosines (imagen-pytorch's, after "Query-Key Normalization for Transformers",
//! 2010.04245).

use super::lanes::Lanes;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// Where keys and values come from.
#[derive(Clone, Copy, Debug)]
pub struct CosineKeys<'a> {
    /// Name of a weight `[2, width]`: a key and a value that every head has.
    pub null_kv: &'a str,
    /// One or two lists of tokens, `[n, tokens, 2·heads·width]`: the keys of all heads, then the values.
    pub tokens: &'a [Tensor],
    /// Name of the keys' factors, a vector of `width`.
    pub k_scale: &'a str,
    pub heads: u32,
}

impl PlanBuilder {
    /// All keys, of length 1 times the factors, and all values: `[n, 1 + tokens, heads·width]` each.
    ///
    /// # Errors
    /// A weight that is missing or misshapen, or tokens that do not fit together.
    pub fn cosine_keys(&mut self, source: CosineKeys<'_>) -> Result<(Tensor, Tensor), GpuError> {
        let (first, second) = match *source.tokens {
            [first] => (first, None),
            [first, second] => (first, Some(second)),
            _ => return Err(GpuError::shape("cosine_keys", "one or two lists of tokens are needed")),
        };
        let (heads, Shape { batch, channels, .. }) = (source.heads, first.shape);
        let fits = |tensor: &Tensor| (tensor.shape.batch, tensor.shape.channels) == (batch, channels);
        if heads == 0 || channels % (2 * heads) != 0 || second.as_ref().is_some_and(|second| !fits(second)) {
            let message = format!("tokens {:?} and {second:?} for {heads} heads", first.shape);
            return Err(GpuError::shape("cosine_keys", message));
        }
        let width = channels / (2 * heads);
        let (null, factors) = (self.weight(source.null_kv, 2, width)?, self.vector(source.k_scale, width)?);
        if null.layout.format != crate::gpu::weights::GpuFormat::F32 {
            return Err(GpuError::shape("cosine_keys", format!("{} must be F32", source.null_kv)));
        }
        let counts = [Some(first), second].map(|tensor| tensor.map_or(0, |tensor| tensor.shape.positions()));
        let tokens = 1 + counts[0] + counts[1];
        let shape = Shape::tokens(batch, tokens, heads * width);
        let (keys, values) = (self.tensor(shape)?, self.tensor(shape)?);
        let rows = batch * tokens * heads;
        let dispatch = Dispatch::new("cosine_keys", "main", &[include_str!("../../../shaders/cosine_keys.wgsl")])
            .preamble(Lanes::for_channels(width, self.hardware()).wgsl())
            .u32(rows)
            .u32(heads)
            .u32(width)
            .u32(counts[0])
            .u32(counts[1])
            .u32(null.layout.row_words)
            .weight(&null, 0)
            .read(first)
            .read_or_empty(second)
            .weight(&factors, 0)
            .write(keys)
            .write(values)
            .workgroups(rows.into(), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)?;
        Ok((keys, values))
    }
}

#[cfg(test)]
mod tests {
    use super::CosineKeys;
    use crate::gpu::plan::Shape;
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use crate::weights::BlockFormat;
    use burn::tensor::{Device, Tensor, TensorData};

    #[test]
    fn as_burn_does() {
        for (batch, counts, heads, width) in
            [(1, [1, 0], 1, 4), (2, [5, 0], 3, 7), (2, [4, 9], 1, 64), (1, [3, 130], 2, 130)]
        {
            let channels = 2 * heads * width;
            let mut weights = TestWeights::new();
            let null = weights.random("null", &[2, width], BlockFormat::F32);
            let factors = weights.random("factors", &[width], BlockFormat::F32);
            let shapes = counts.map(|count: usize| Shape::tokens(batch, count.max(1) as u32, channels as u32));
            let parts = [0, 1].map(|i| values(i as u32, shapes[i].values() as usize));
            let lists = if counts[1] == 0 { 1 } else { 2 };
            let n = batch as usize;
            let heads_of = |values: &[f32], tokens: usize| {
                Tensor::<4>::from_data(TensorData::new(values.to_vec(), [n, tokens, 2 * heads, width]), &Device::flex())
            };
            let null = Tensor::<4>::from_data(TensorData::new(null, [1, 1, 2, width]), &Device::flex());
            let null = |part: usize| null.clone().narrow(2, part, 1).expand([n, 1, heads, width]);
            for part in [0, 1] {
                let inputs = [(shapes[0], parts[0].as_slice()), (shapes[1], &parts[1])];
                let y = run(&weights, &inputs, |b, t| {
                    let source =
                        CosineKeys { null_kv: "null", tokens: &t[..lists], k_scale: "factors", heads: heads as u32 };
                    let (keys, values) = b.cosine_keys(source)?;
                    Ok([keys, values][part])
                })
                .unwrap();
                let own = |i: usize| heads_of(&parts[i], counts[i]).narrow(2, part * heads, heads);
                let mut all = vec![null(part)];
                all.extend((0..lists).map(own));
                let mut all = Tensor::cat(all, 1);
                if part == 0 {
                    let factors = TensorData::new(factors.clone(), [1, 1, 1, width]);
                    let length = all.clone().square().sum_dim(3).sqrt();
                    all = all / length * Tensor::from_data(factors, &Device::flex());
                }
                assert_close(&y, &all.into_data().try_to_vec::<f32>().unwrap(), 1e-5);
            }
        }
    }
}
