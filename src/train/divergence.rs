//! Whether a training still makes sense: values that are not finite, or a loss that has grown far beyond what it was.

use super::StepReport;
use super::checkpoint::Progress;
use std::fmt;

/// Memory of the running mean of the loss.
const DECAY: f64 = 0.98;
/// Losses of which the first lowest mean is made; those before are chance, of one noise level or another.
const YOUNG: u64 = 20;
/// What chance does not do: the loss may be so many times the lowest mean until then.
const WILD: f64 = 1e6;
/// The mean may grow to so many times its lowest value.
const GROWTH: f64 = 10.0;
/// A single loss may be so many times the lowest mean: noise levels differ.
const SPIKE: f64 = 1000.0;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Divergence {
    NotFinite,
    Grown { loss: f64, lowest: f64 },
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => write!(f, "the loss or its gradients are no longer finite"),
            Self::Grown { loss, lowest } => write!(f, "the loss has grown to {loss:.3}, it was {lowest:.3} on average"),
        }
    }
}

/// The progress with a step's loss in its running mean, unless that is where training ends.
pub(super) fn judge(progress: &Progress, report: &StepReport) -> Result<Progress, Divergence> {
    let loss = report.loss;
    if !loss.is_finite() || !report.norm.is_finite() {
        return Err(Divergence::NotFinite);
    }
    let losses = progress.losses + 1;
    // A plain mean at first: the first loss is worth no more than the others.
    let share = (1.0 / losses as f64).max(1.0 - DECAY);
    let mean = progress.loss.map_or(loss, |mean| mean + share * (loss - mean));
    let lowest = progress.lowest.map_or(mean, |lowest| lowest.min(mean));
    let (growth, spike) = if losses <= YOUNG { (WILD, WILD) } else { (GROWTH, SPIKE) };
    if mean > growth * lowest || loss > spike * lowest {
        return Err(Divergence::Grown { loss: loss.max(mean), lowest });
    }
    let lowest = if losses == YOUNG { mean } else { lowest };
    Ok(Progress { loss: Some(mean), losses, lowest: Some(lowest), ..progress.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(losses: impl IntoIterator<Item = f64>) -> Option<(u64, Divergence)> {
        let mut progress = Progress::default();
        for loss in losses {
            match judge(&progress, &StepReport { loss, rate: 1e-3, norm: 1.0 }) {
                Ok(judged) => progress = Progress { step: judged.step + 1, ..judged },
                Err(what) => return Some((progress.step, what)),
            }
        }
        None
    }

    #[test]
    fn noise_passes_and_growth_does_not() {
        // Losses of one noise level or another, thirty times apart, and slowly falling.
        let noisy = (0..2000).map(|i| if i % 7 == 0 { 0.9 } else { 0.03 } * (1.0 + 10.0 / (1.0 + f64::from(i))));
        assert_eq!(run(noisy), None);
        let growing = (0..200).map(|i| if i < 50 { 0.1 } else { 0.1 * 1.2f64.powi(i - 50) });
        let (step, _) = run(growing).unwrap();
        assert!((60..90).contains(&step), "{step}");
        assert!(matches!(run([0.1, f64::NAN]), Some((1, Divergence::NotFinite))));
        // A first picture with almost nothing but noise, and a rate that was wild from the start.
        assert_eq!(run((0..200).map(|i| if i == 0 { 0.0003 } else { 0.12 })), None);
        assert!(matches!(run([0.1, 0.1, 1e7, 1e9]), Some((2, Divergence::Grown { .. }))));
    }
}
