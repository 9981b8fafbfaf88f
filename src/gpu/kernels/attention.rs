//! Attention with online softmax over one or two segments of keys (Vaswani et al. 2017; the text's keys in front of the
//! image's as in Imagen, appendix B).

use super::attention_tile::Tile;
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

const WGSL: &str = include_str!("../../../shaders/attention.wgsl");

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
        let Some(tile) = Tile::choose(head, query_tokens, self.hardware().software) else {
            return Err(GpuError::Unsupported { what: format!("attention heads {head} wide (at most 244)") });
        };
        // A head of odd width is written value by value.
        let y = if tile.vector == 4 { self.activation(q.shape)? } else { self.tensor(q.shape)? };
        let (second_key, second_value) = (second.map(|(key, _)| key), second.map(|(_, value)| value));
        let inputs = [
            ("query", Some(q)),
            ("first_key", Some(first.0)),
            ("first_value", Some(first.1)),
            ("second_key", second_key),
            ("second_value", second_value),
        ];
        let share = |tensor: Option<Tensor>| tensor.map_or(1, |tensor| batch / tensor.shape.batch);
        let mut dispatch = Dispatch::new("attention", "main", &[])
            .preamble(tile.preamble(inputs, y) + &tile.unroll(WGSL))
            .u32(query_tokens)
            .u32(first_tokens)
            .u32(second_tokens)
            .u32(heads)
            .f32(scale)
            .u32(share(Some(first.0)))
            .u32(share(second_key))
            .u32(share(mask))
            .u32(bias.is_some().into())
            .u32(mask.is_some().into());
        for (_, tensor) in inputs {
            let (pitch, first) = tensor.map_or((0, 0), |tensor| (tensor.pitch, tensor.first));
            dispatch = dispatch.u32(pitch / tile.vector).u32(first / tile.vector);
        }
        let mut dispatch = dispatch
            .takes_parts()
            .takes_halves()
            .read(q)
            .read(first.0)
            .read(first.1)
            .read_or_empty(second_key)
            .read_or_empty(second_value)
            .read_or_empty(bias)
            .read_or_empty(mask)
            .write(y)
            .flops(4 * q.shape.values() * u64::from(tokens));
        dispatch.workgroups = [query_tokens.div_ceil(8 * tile.lane_queries), heads, batch];
        self.record(dispatch)?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::Attention;
    use crate::gpu::plan::{PlanBuilder, Shape};
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use crate::weights::WeightIndex;
    use burn::tensor::activation::softmax;
    use burn::tensor::{Device, Tensor, TensorData};

    /// Sizes of one case: rows, rows of the keys, query tokens, tokens of the segments, heads, width.
    #[derive(Clone, Copy)]
    struct Case {
        rows: u32,
        key_rows: [u32; 2],
        queries: u32,
        keys: [u32; 2],
        heads: u32,
        head: u32,
    }

    fn tensor<const D: usize>(values: &[f32], shape: [u32; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape.map(|side| side as usize)), &Device::flex())
    }

    /// `[rows, tokens, heads·width]` to `[rows·repeat, heads, tokens, width]`, each row repeated on the spot.
    fn split(values: &[f32], [rows, tokens, heads, head]: [u32; 4], repeat: u32) -> Tensor<4> {
        let split = tensor(values, [rows, tokens, heads, head]).swap_dims(1, 2);
        let row = |row: usize| split.clone().narrow(0, row, 1);
        Tensor::cat((0..(rows * repeat) as usize).map(|r| row(r / repeat as usize)).collect(), 0)
    }

    /// The kernel against matmul and softmax over the concatenated keys.
    fn check(case: Case, with_bias: bool, mask: Option<&[f32]>) {
        let Case { rows, key_rows, queries, keys: [first, second], heads, head } = case;
        let (tokens, channels, scale) = (first + second, heads * head, 0.7 / (head as f32).sqrt());
        let shapes = [
            Shape::tokens(rows, queries, channels),
            Shape::tokens(key_rows[0], first, channels),
            Shape::tokens(key_rows[0], first, channels),
            Shape::tokens(key_rows[1], second.max(1), channels),
            Shape::tokens(key_rows[1], second.max(1), channels),
            Shape { batch: heads, height: 1, width: queries, channels: tokens },
            Shape::vector(rows, tokens),
        ];
        let mut values: Vec<Vec<f32>> =
            shapes.iter().enumerate().map(|(seed, shape)| values(seed as u32, shape.values() as usize)).collect();
        if let Some(mask) = mask {
            values[6] = mask.to_vec();
        }
        let inputs: Vec<(Shape, &[f32])> = shapes.iter().zip(&values).map(|(s, v)| (*s, v.as_slice())).collect();
        let actual = run(&TestWeights::new(), &inputs, |b, t| {
            let segments = [(t[1], t[2]), (t[3], t[4])];
            b.attention(
                t[0],
                Attention {
                    keys: &segments[..if second == 0 { 1 } else { 2 }],
                    heads,
                    scale,
                    bias: with_bias.then_some(t[5]),
                    mask: mask.map(|_| t[6]),
                },
            )
        })
        .unwrap();
        let q = split(&values[0], [rows, queries, heads, head], 1);
        let segment = |first_index: usize, tokens: u32, key_rows: u32| {
            let of = |index: usize| split(&values[index], [key_rows, tokens, heads, head], rows / key_rows);
            (of(first_index), of(first_index + 1))
        };
        let (mut k, mut v) = segment(1, first, key_rows[0]);
        if second > 0 {
            let (k2, v2) = segment(3, second, key_rows[1]);
            (k, v) = (Tensor::cat(vec![k, k2], 2), Tensor::cat(vec![v, v2], 2));
        }
        let mut scores = q.matmul(k.swap_dims(2, 3)) * scale;
        if with_bias {
            scores = scores + tensor(&values[5], [1, heads, queries, tokens]);
        }
        if mask.is_some() {
            scores = scores + tensor(&values[6], [rows, 1, 1, tokens]);
        }
        let expected = softmax(scores, 3).matmul(v).swap_dims(1, 2).into_data().try_to_vec::<f32>().unwrap();
        assert_close(&actual, &expected, 2e-5);
    }

    #[test]
    fn one_segment_of_every_kind_of_head() {
        for (rows, queries, keys, heads, head) in [
            (1, 16, 16, 4, 32),
            (2, 33, 17, 2, 64),
            (1, 70, 77, 1, 88),
            (3, 9, 40, 2, 128),
            (1, 5, 3, 3, 7),
            (4, 1, 65, 2, 64),
            (1, 3, 20, 1, 241),
            (1, 12, 9, 1, 240),
        ] {
            check(Case { rows, key_rows: [rows, 1], queries, keys: [keys, 0], heads, head }, false, None);
        }
    }

    #[test]
    fn two_segments_as_if_concatenated() {
        check(Case { rows: 2, key_rows: [2, 2], queries: 64, keys: [40, 64], heads: 2, head: 32 }, false, None);
        check(Case { rows: 4, key_rows: [2, 4], queries: 17, keys: [5, 17], heads: 3, head: 16 }, true, None);
        check(Case { rows: 3, key_rows: [1, 3], queries: 4, keys: [77, 1], heads: 1, head: 64 }, false, None);
    }

    #[test]
    fn bias_and_mask() {
        let mut mask = vec![0.0; 2 * 40];
        mask[30..40].fill(f32::MIN);
        mask[43..80].fill(f32::MIN);
        check(Case { rows: 2, key_rows: [2, 1], queries: 40, keys: [40, 0], heads: 8, head: 32 }, true, Some(&mask));
        // The first tile entirely masked: what it adds must vanish when a key that counts comes.
        mask.fill(-1e9);
        mask[39] = 0.0;
        mask[40] = 0.0;
        check(Case { rows: 2, key_rows: [2, 1], queries: 40, keys: [40, 0], heads: 1, head: 6 }, true, Some(&mask));
    }

    #[test]
    fn large_scores_do_not_overflow() {
        let q = vec![60.0; 4 * 8];
        let mut k = vec![60.0; 3 * 8];
        k[..8].fill(-60.0);
        let v: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let shape = |tokens| Shape::tokens(1, tokens, 8);
        let inputs = [(shape(4), q.as_slice()), (shape(3), k.as_slice()), (shape(3), v.as_slice())];
        let y = run(&TestWeights::new(), &inputs, |b, t| {
            b.attention(t[0], Attention { keys: &[(t[1], t[2])], heads: 1, scale: 1.0, bias: None, mask: None })
        })
        .unwrap();
        let expected: Vec<f32> = (0..32).map(|i| (12 + i % 8) as f32).collect();
        assert_close(&y, &expected, 1e-6);
    }

    #[test]
    fn a_fully_masked_row_is_finite() {
        for masked in [f32::NEG_INFINITY, f32::MIN] {
            let (q, v) = (values(1, 2 * 3 * 8), values(2, 2 * 5 * 8));
            let mut mask = vec![masked; 10];
            mask[..5].fill(0.0);
            let key = Shape::tokens(2, 5, 8);
            let inputs = [
                (Shape::tokens(2, 3, 8), q.as_slice()),
                (key, v.as_slice()),
                (key, v.as_slice()),
                (Shape::vector(2, 5), mask.as_slice()),
            ];
            let y = run(&TestWeights::new(), &inputs, |b, t| {
                let keys = [(t[1], t[2])];
                b.attention(t[0], Attention { keys: &keys, heads: 2, scale: 1.0, bias: None, mask: Some(t[3]) })
            })
            .unwrap();
            let mean: Vec<f32> = (0..8).map(|c| (0..5).map(|t| v[40 + t * 8 + c]).sum::<f32>() / 5.0).collect();
            assert_close(&y[24..], &mean.repeat(3), 1e-5);
        }
    }

    #[test]
    fn misfits_are_errors() {
        let mut b = PlanBuilder::new(&WeightIndex::new(), &wgpu::Limits::default());
        let q = b.input("q", Shape::tokens(2, 4, 48)).unwrap();
        let k = b.input("k", Shape::tokens(2, 5, 48)).unwrap();
        let odd = b.input("odd", Shape::tokens(3, 5, 48)).unwrap();
        let wide = b.input("wide", Shape::tokens(2, 4, 512)).unwrap();
        let mut attend =
            |q, keys: &[_], heads, bias, mask| b.attention(q, Attention { keys, heads, scale: 1.0, bias, mask });
        assert!(attend(q, &[(k, k)], 3, None, None).is_ok());
        assert!(attend(q, &[(k, k)], 5, None, None).is_err());
        assert!(attend(q, &[(k, k)], 0, None, None).is_err());
        assert!(attend(q, &[], 3, None, None).is_err());
        assert!(attend(q, &[(k, k); 3], 3, None, None).is_err());
        assert!(attend(q, &[(k, q)], 3, None, None).is_err());
        assert!(attend(q, &[(odd, odd)], 3, None, None).is_err());
        assert!(attend(q, &[(k, k)], 3, Some(k), None).is_err());
        assert!(attend(q, &[(k, k)], 3, None, Some(k)).is_err());
        let error = attend(wide, &[(wide, wide)], 1, None, None).unwrap_err();
        assert!(error.to_string().contains("512 wide"), "{error}");
    }
}
