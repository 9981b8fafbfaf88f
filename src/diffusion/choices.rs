//! A stream of random choices: a pure function of a seed and a counter, the same on every platform.
//!
//! The words are those of [`noise`]'s Philox4x32-10; what is made of them takes integers and single multiplications of f32, which
//! IEEE 754 fixes to the last bit.

use super::noise;

/// A stream of choices.
#[derive(Clone, Debug)]
pub struct Choices {
    seed: u64,
    /// Of the next block of words.
    counter: [u32; 4],
    words: [u32; 4],
    /// How many of `words` were used.
    used: usize,
}

impl Choices {
    /// The choices of these keys, which others than choices must not use: [`noise::words`].
    pub fn new(seed: u64, keys: [u32; 3]) -> Self {
        let [first, second, third] = keys;
        Self { seed, counter: [0, first, second, third], words: [0; 4], used: 4 }
    }

    fn word(&mut self) -> u32 {
        if self.used == 4 {
            self.words = noise::words(self.seed, self.counter);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// A number below `count`, which is from 1 to 2³².
    pub fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.word()) * count as u64) >> 32) as usize
    }

    /// From 0 up to, not including, 1, in steps of 2⁻²⁴.
    pub fn unit(&mut self) -> f32 {
        (self.word() >> 8) as f32 * 2f32.powi(-24)
    }
}
