//! Random choices of training, from the generator of all noise ([`noise`]): keyed by the seed and by
//! what is chosen, never by what was chosen before. There is no state that a checkpoint could miss.

use crate::diffusion::choices::Choices;
use crate::diffusion::noise::{self, Draw};

/// What the choices are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// One example: crop, flip, levels, dropping of its caption, noise.
    Example = 0,
    /// The order of the pictures in one pass over the data.
    Order = 1,
    /// One batch: the size of its crops.
    Batch = 2,
}

/// A stream of choices about one thing.
#[derive(Clone, Debug)]
pub struct Draws {
    seed: u64,
    number: u64,
    purpose: u32,
    choices: Choices,
}

impl Draws {
    /// The choices about the `number`th thing of its kind.
    pub fn new(seed: u64, number: u64, purpose: Purpose) -> Self {
        let purpose = purpose as u32;
        // The noise of pictures has a smaller third word.
        let choices = Choices::new(seed, [number as u32, u32::MAX - (number >> 32) as u32, purpose]);
        Self { seed, number, purpose, choices }
    }

    /// From 0 to below 1.
    pub fn uniform(&mut self) -> f32 {
        self.choices.unit()
    }

    /// From 0 to below `count`, which is at most 2³².
    pub fn below(&mut self, count: usize) -> usize {
        self.choices.below(count)
    }

    /// A permutation of `0..count`.
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, self.below(at + 1));
        }
        order
    }

    /// Standard normal values; each `which` is another draw.
    pub fn normal(&self, which: u32, count: usize) -> Vec<f32> {
        let mut values = vec![0.0; count];
        // The number's upper half goes into the seed: a run of 2³² examples needs it never.
        let seed = self.seed ^ (self.number >> 32);
        noise::normal(seed, self.purpose, Draw::Step(which), self.number as u32, &mut values);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_even_and_depend_on_every_key() {
        let mut draws = Draws::new(7, 3, Purpose::Example);
        let mut counts = [0u32; 5];
        (0..50_000).for_each(|_| counts[draws.below(5)] += 1);
        // Five standard errors of 10,000 are 450.
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 450), "{counts:?}");
        let mean = (0..50_000).map(|_| f64::from(draws.uniform())).sum::<f64>() / 50_000.0;
        assert!((mean - 0.5).abs() < 0.007, "{mean}");
        let first = |mut draws: Draws| [draws.below(1 << 30), draws.below(1 << 30)];
        let others = [
            Draws::new(8, 3, Purpose::Example),
            Draws::new(7, 4, Purpose::Example),
            Draws::new(7, 3 + (1 << 32), Purpose::Example),
            Draws::new(7, 3, Purpose::Order),
        ];
        let own = first(Draws::new(7, 3, Purpose::Example));
        assert!(others.into_iter().all(|draws| first(draws) != own));
    }

    #[test]
    fn an_order_is_a_permutation() {
        let order = Draws::new(1, 0, Purpose::Order).order(1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(order, sorted);
        assert_ne!(order, Draws::new(1, 1, Purpose::Order).order(1000));
    }
}
