//! T5's relative position buckets: single distances up close, logarithmic further off, the two directions apart.

use super::T5Config;

/// Bucket of the distance `key − query`, bidirectional. In f32, as transformers computes it.
pub fn bucket(config: &T5Config, distance: i64) -> usize {
    let per_direction = config.relative_attention_num_buckets / 2;
    let exact = per_direction / 2;
    let direction = if distance > 0 { per_direction } else { 0 };
    let distance = distance.unsigned_abs();
    if distance < exact as u64 {
        return direction + distance as usize;
    }
    let octaves = libm::log(config.relative_attention_max_distance as f64 / exact as f64) as f32;
    let position = libm::logf(distance as f32 / exact as f32) / octaves * (per_direction - exact) as f32;
    direction + (exact + position as usize).min(per_direction - 1)
}

/// Buckets of all pairs, `[tokens, tokens]` (query, key), row-major.
pub fn buckets(config: &T5Config, tokens: usize) -> Vec<usize> {
    let pair = |query: usize| (0..tokens).map(move |key| bucket(config, key as i64 - query as i64));
    (0..tokens).flat_map(pair).collect()
}

/// The bias that every block adds to its scores, `[heads, tokens, tokens]`, from block 0's table `[buckets, heads]`.
///
/// # Panics
/// Panics if the table has another size.
pub fn position_bias(config: &T5Config, table: &[f32], tokens: usize) -> Vec<f32> {
    let buckets = buckets(config, tokens);
    let heads = config.num_heads;
    (0..heads).flat_map(|head| buckets.iter().map(move |bucket| table[bucket * heads + head])).collect()
}
