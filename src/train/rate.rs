//! The learning rate of each update: a linear warm-up, then constant or a cosine down to the last rate.

use serde::{Deserialize, Serialize};

/// How the rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    Constant,
    #[default]
    Cosine,
}

/// Learning rates of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub peak: f64,
    /// The rate at the end of a cosine.
    pub last: f64,
    /// Updates until the warm-up reaches the full rate; 0 is none.
    pub warm_up: u64,
    pub decay: Decay,
    /// Updates of the whole run, over which the cosine goes down.
    pub updates: u64,
}

impl Rate {
    /// The rate of update `index`, counted from 0. The warm-up multiplies the curve, so the first update has a rate too.
    pub fn at(&self, index: u64) -> f64 {
        let progress = (index as f64 / self.updates.max(1) as f64).min(1.0);
        let curve = match self.decay {
            Decay::Constant => self.peak,
            Decay::Cosine => {
                self.last + (self.peak - self.last) * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * progress))
            }
        };
        let warm = (index + 1) as f64 / self.warm_up.max(1) as f64;
        curve * warm.min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_up_and_goes_down_to_the_last_rate() {
        let rate = Rate { peak: 1.0, last: 0.2, warm_up: 4, decay: Decay::Cosine, updates: 100 };
        assert!(rate.at(0) > 0.24 && rate.at(0) <= 0.25);
        assert!((rate.at(50) - 0.6).abs() < 1e-12 && (rate.at(100) - 0.2).abs() < 1e-12);
        assert_eq!(rate.at(1000), rate.at(100), "a run that goes on longer stays at the last rate");
        assert!((4..100).all(|index| rate.at(index) > rate.at(index + 1)));
        let constant = Rate { warm_up: 0, decay: Decay::Constant, ..rate };
        assert_eq!((constant.at(0), constant.at(99)), (1.0, 1.0));
    }
}
