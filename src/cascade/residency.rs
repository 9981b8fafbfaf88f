//! What stays loaded, decided from bytes: how a cascade runs on a GPU that is smaller than its files.
//!
//! | residency | on the GPU at the most |
//! | --- | --- |
//! | [`KeepAll`](Residency::KeepAll) | the text encoder and all stages |
//! | [`DropTextEncoder`](Residency::DropTextEncoder) | the text encoder, or all stages |
//! | [`OneAtATime`](Residency::OneAtATime) | the text encoder, or one stage |
//! | [`StreamTextEncoder`](Residency::StreamTextEncoder) | two layers of the text encoder, or one stage |
//!
//! The first that fits is taken. The bytes are those of the plans, which ask the device for exactly that; staging memory
//! of uploads lies outside the GPU's own and comes on top.

use super::events::During;
use bytesize::ByteSize;
use serde::Serialize;
use std::fmt::{Display, Formatter};

/// What is taken as the budget where nobody names one. WebGPU tells no page, and wgpu no program, how much memory an
/// adapter has; half of a common GPU's 8 GiB leaves room for everything else that draws.
pub const ASSUMED_BUDGET: u64 = 4 << 30;

/// What stays loaded between the parts of a run. Later ones take less memory, and load more often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Residency {
    /// Everything that was loaded stays.
    #[default]
    KeepAll,
    /// The text encoder and the stages are not loaded at the same time; the stages stay.
    DropTextEncoder,
    /// Only the part that runs is loaded.
    OneAtATime,
    /// The same, and the text encoder runs layer by layer from its file.
    StreamTextEncoder,
}

impl Residency {
    /// All, the largest first.
    pub const ALL: [Self; 4] = [Self::KeepAll, Self::DropTextEncoder, Self::OneAtATime, Self::StreamTextEncoder];
}

impl Display for Residency {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::KeepAll => "all parts stay loaded",
            Self::DropTextEncoder => "the text encoder makes room for the stages",
            Self::OneAtATime => "each part makes room for the next",
            Self::StreamTextEncoder => "each part makes room for the next, and the text encoder runs layer by layer",
        })
    }
}

/// Bytes that the parts of a run take, each by itself with all its buffers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The text encoder with all its weights; 0 where nothing is encoded.
    pub text: u64,
    /// The text encoder layer by layer.
    pub streamed_text: u64,
    pub stages: Vec<u64>,
}

impl Needs {
    /// The most that is loaded at any moment.
    pub fn peak(&self, residency: Residency) -> u64 {
        let all = self.stages.iter().fold(0, |sum: u64, &bytes| sum.saturating_add(bytes));
        let largest = self.stages.iter().copied().max().unwrap_or(0);
        match residency {
            Residency::KeepAll => self.text.saturating_add(all),
            Residency::DropTextEncoder => self.text.max(all),
            Residency::OneAtATime => self.text.max(largest),
            Residency::StreamTextEncoder => self.streamed_text.max(largest),
        }
    }

    /// The first residency, from `at_least` on, that fits the budget. Where no budget was named and nothing fits the
    /// assumed one, that which takes least.
    ///
    /// # Errors
    /// The least bytes with which it would run, where those are more than the named budget.
    pub fn decide(&self, budget: Option<u64>, at_least: Residency) -> Result<Residency, u64> {
        let choices = || Residency::ALL.into_iter().filter(|residency| *residency >= at_least);
        let available = budget.unwrap_or(ASSUMED_BUDGET);
        let fits = choices().find(|residency| self.peak(*residency) <= available);
        let least = choices().min_by_key(|residency| self.peak(*residency)).unwrap_or(at_least);
        match (fits, budget) {
            (Some(residency), _) => Ok(residency),
            (None, None) => Ok(least),
            (None, Some(_)) => Err(self.peak(least)),
        }
    }
}

/// What was decided, and why. Shown in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    pub residency: Residency,
    /// The most bytes that are loaded at any moment; none where an allocation failed before they were counted.
    pub bytes: Option<u64>,
    /// The budget that was named.
    pub budget: Option<u64>,
    /// What memory ran out in, when more had stayed loaded.
    pub after: Option<During>,
}

impl Display for Decision {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if let Some(during) = &self.after {
            write!(f, "Not enough memory for {during}; trying again, now ")?;
        } else {
            write!(f, "Memory: ")?;
        }
        write!(f, "{}", self.residency)?;
        if let Some(bytes) = self.bytes {
            write!(f, " ({} at the most", in_words(bytes))?;
            if let Some(budget) = self.budget {
                write!(f, ", of {}", in_words(budget))?;
            }
            write!(f, ")")?;
        }
        Ok(())
    }
}

/// "1.5 GiB"
pub(super) fn in_words(bytes: u64) -> impl Display {
    ByteSize::b(bytes).display().iec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: u64 = 1 << 30;

    /// About T5-XXL in Q4_K_M, IF-I-M and IF-II-M in Q8_0.
    fn deepfloyd() -> Needs {
        Needs { text: 3 * GIB, streamed_text: GIB / 4, stages: vec![GIB / 2, GIB] }
    }

    #[test]
    fn the_first_that_fits_is_taken() {
        let decide = |tenths: u64| deepfloyd().decide(Some(tenths * GIB / 10), Residency::KeepAll);
        assert_eq!(decide(45), Ok(Residency::KeepAll));
        assert_eq!(decide(44), Ok(Residency::DropTextEncoder));
        assert_eq!(decide(30), Ok(Residency::DropTextEncoder));
        assert_eq!(decide(29), Ok(Residency::StreamTextEncoder));
        assert_eq!(decide(10), Ok(Residency::StreamTextEncoder));
        assert_eq!(decide(9), Err(GIB), "the larger stage");
        let needs = Needs { stages: vec![2 * GIB; 2], ..deepfloyd() };
        assert_eq!(needs.decide(Some(3 * GIB), Residency::KeepAll), Ok(Residency::OneAtATime));
    }

    #[test]
    fn without_a_budget_something_is_always_taken() {
        let decide = |needs: &Needs| needs.decide(None, Residency::KeepAll);
        assert_eq!(decide(&Needs::default()), Ok(Residency::KeepAll));
        assert_eq!(decide(&deepfloyd()), Ok(Residency::DropTextEncoder));
        // A stage beyond the assumed budget: streaming the text encoder as well would help nobody.
        let large = Needs { stages: vec![5 * GIB, 5 * GIB], ..deepfloyd() };
        assert_eq!(decide(&large), Ok(Residency::OneAtATime));
        assert_eq!(large.decide(None, Residency::StreamTextEncoder), Ok(Residency::StreamTextEncoder));
    }

    #[test]
    fn decisions_are_told_in_words() {
        let residency = Residency::StreamTextEncoder;
        let decision = Decision { residency, bytes: Some(GIB), budget: Some(6 * GIB), after: None };
        let words = decision.to_string();
        assert!(
            words.contains("layer by layer") && words.contains("1.0 GiB") && words.contains("of 6.0 GiB"),
            "{words}"
        );
        let after = Decision { after: Some(During::Prompt), bytes: None, ..decision };
        assert!(after.to_string().contains("Not enough memory for encoding the prompt"), "{after}");
    }

    proptest! {
        #[test]
        fn what_is_decided_fits_and_the_least_is_enough(
            text in 0u64..1000,
            layers in 1u64..50,
            stages in prop::collection::vec(0u64..1000, 0..4),
            budget in 0u64..3000,
            least in 0usize..4,
        ) {
            let needs = Needs { text, streamed_text: text / layers, stages };
            let at_least = Residency::ALL[least];
            match needs.decide(Some(budget), at_least) {
                Ok(residency) => {
                    prop_assert!(residency >= at_least && needs.peak(residency) <= budget);
                    // Nothing that keeps more would have done, and more memory never means keeping less.
                    let before = Residency::ALL.into_iter().filter(|r| (at_least..residency).contains(r));
                    prop_assert!(before.into_iter().all(|r| needs.peak(r) > budget));
                    prop_assert!(needs.decide(Some(budget + 1), at_least).unwrap() <= residency);
                }
                Err(least) => {
                    prop_assert!(least > budget);
                    prop_assert!(needs.decide(Some(least), at_least).is_ok());
                    prop_assert!(needs.decide(Some(least - 1), at_least).is_err());
                }
            }
        }
    }
}
