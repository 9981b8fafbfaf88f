//! Random choices that are a pure function of a seed, a scene's index and what they are for: the same on every platform,
//! and in any order of scenes.
//!
//! What is made of [`Choices`] takes single additions and multiplications of f32, which IEEE 754 fixes to the last bit.

use crate::diffusion::choices::Choices;

/// What choices are for. Each purpose has its own words, so that another stroke in a meadow changes no caption.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Grammar,
    Layout,
    Caption,
    Backdrop,
    Weather,
}

/// A stream of choices.
#[derive(Clone, Debug)]
pub struct Random(Choices);

impl Random {
    pub fn new(seed: u64, index: u64, purpose: Purpose) -> Self {
        Self(Choices::new(seed, [index as u32, (index >> 32) as u32, purpose as u32]))
    }

    /// From 0 up to, not including, 1, in steps of 2⁻²⁴.
    pub fn unit(&mut self) -> f32 {
        self.0.unit()
    }

    /// From `low` up to `high`.
    pub fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True in this many of a hundred cases.
    pub fn percent(&mut self, share: u32) -> bool {
        self.0.below(100) < share as usize
    }

    /// One of a list that is not empty.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.0.below(from.len())]
    }

    /// One of a list, each as often as the number beside it says.
    pub fn weighted<T: Copy, const N: usize>(&mut self, from: [(T, u32); N]) -> T {
        let mut rest = self.0.below(from.iter().map(|(_, weight)| *weight as usize).sum());
        for (value, weight) in from {
            match rest.checked_sub(weight as usize) {
                Some(more) => rest = more,
                None => return value,
            }
        }
        from[N - 1].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_fair_and_follow_their_weights() {
        let mut random = Random::new(3, 5, Purpose::Grammar);
        let mut counts = [0_u32; 3];
        for _ in 0..30_000 {
            counts[random.weighted([(0, 20), (1, 55), (2, 25)])] += 1;
            let value = random.within(-2.0, 3.0);
            assert!((-2.0..3.0).contains(&value));
        }
        // Four standard errors are 350.
        for (count, expected) in counts.into_iter().zip([6_000, 16_500, 7_500_u32]) {
            assert!(count.abs_diff(expected) < 350, "{counts:?}");
        }
        let heads = (0..30_000).filter(|_| random.percent(8)).count();
        assert!(heads.abs_diff(2_400) < 190, "{heads}");
    }

    #[test]
    fn seed_index_and_purpose_each_give_other_words() {
        let first = |seed, index, purpose| Random::new(seed, index, purpose).0.below(1 << 32);
        let words = [
            first(1, 1, Purpose::Grammar),
            first(2, 1, Purpose::Grammar),
            first(1 << 32, 1, Purpose::Grammar),
            first(1, 2, Purpose::Grammar),
            first(1, 1 << 32, Purpose::Grammar),
            first(1, 1, Purpose::Caption),
        ];
        for (i, word) in words.iter().enumerate() {
            assert!(!words[..i].contains(word), "{words:?}");
        }
    }
}
