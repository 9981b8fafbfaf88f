//! Which training timesteps a run with fewer steps visits (2305.08891, table 2).
//!
//! The grid is authoritative: the timestep after an entry is the next entry, not the entry minus an interval.

use serde::{Deserialize, Serialize};

use super::{DiffusionError, ScheduleConfig};

/// How steps are spread over the training timesteps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// From the last training timestep downwards; the first step sees the noisiest timestep.
    Trailing,
    /// Multiples of a whole interval upwards from 0, plus the offset.
    #[default]
    Leading,
    /// Equally spaced from the last training timestep to 0, both included.
    Linspace,
}

/// Whether the grid's lower end is a step of its own.
///
/// DPM-Solver++ in diffusers spreads one entry more and leaves the lowest one out, since its last step jumps to the
/// clean picture. The trailing spacing has no such entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Included,
    LeftOut,
}

/// The timesteps of a run, strictly descending, within the training range.
pub(super) fn timesteps(config: &ScheduleConfig, steps: usize, end: End) -> Result<Vec<u32>, DiffusionError> {
    let train = config.train_steps;
    if steps == 0 || steps > train {
        return Err(DiffusionError::Steps { steps, max: train });
    }
    let entries = if end == End::LeftOut { steps + 1 } else { steps };
    let ascending = |value: &dyn Fn(usize) -> f64| (0..entries).rev().take(steps).map(value).collect::<Vec<_>>();
    let grid = match config.spacing {
        // The quotient is exact where the timestep lies halfway between two, so ties go to the even one on every
        // platform.
        Spacing::Trailing => (0..steps)
            .map(|i| (train as f64 - (i * train) as f64 / steps as f64).round_ties_even() - 1.0)
            .collect::<Vec<_>>(),
        Spacing::Leading => ascending(&|i| (i * (train / entries)) as f64 + f64::from(config.steps_offset)),
        Spacing::Linspace if entries == 1 => vec![0.0],
        Spacing::Linspace => {
            let interval = (train - 1) as f64 / (entries - 1) as f64;
            ascending(&|i| (i as f64 * interval).round_ties_even())
        }
    };
    let grid = grid.into_iter().map(|timestep| timestep as u32).collect::<Vec<_>>();
    check(train, &grid)?;
    Ok(grid)
}

/// Checks a grid, be it computed or given.
pub(super) fn check(train: usize, grid: &[u32]) -> Result<(), DiffusionError> {
    let steps = grid.len();
    let unusable = |reason: String| Err(DiffusionError::Grid { steps, reason });
    match grid.first() {
        None => return Err(DiffusionError::Steps { steps, max: train }),
        Some(&first) if first as usize >= train => {
            return unusable(format!("timestep {first} lies beyond the {train} training timesteps"));
        }
        Some(_) => {}
    }
    match grid.windows(2).find(|pair| pair[1] >= pair[0]) {
        Some(pair) => unusable(format!("timestep {} is followed by {}", pair[0], pair[1])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{Prediction, ScheduleKind, Variance};

    fn config(spacing: Spacing, steps_offset: u32) -> ScheduleConfig {
        ScheduleConfig {
            kind: ScheduleKind::Linear,
            train_steps: 1000,
            beta_start: 1e-4,
            beta_end: 0.02,
            prediction: Prediction::Epsilon,
            variance: Variance::FixedSmall,
            spacing,
            steps_offset,
        }
    }

    #[test]
    fn every_count_has_a_grid() {
        for steps in 1..=1000 {
            for spacing in [Spacing::Trailing, Spacing::Leading, Spacing::Linspace] {
                let grid = timesteps(&config(spacing, 0), steps, End::Included).unwrap();
                assert_eq!(grid.len(), steps, "{spacing:?} {steps}");
            }
        }
    }

    #[test]
    fn grids_begin_and_end_where_the_paper_says() {
        let ends = |spacing, offset, end| {
            let grid = timesteps(&config(spacing, offset), 4, end).unwrap();
            (grid[0], grid[3])
        };
        assert_eq!(ends(Spacing::Trailing, 0, End::Included), (999, 249));
        assert_eq!(ends(Spacing::Trailing, 0, End::LeftOut), (999, 249));
        assert_eq!(ends(Spacing::Leading, 1, End::Included), (751, 1));
        assert_eq!(ends(Spacing::Leading, 1, End::LeftOut), (801, 201));
        assert_eq!(ends(Spacing::Linspace, 0, End::Included), (999, 0));
        assert_eq!(ends(Spacing::Linspace, 0, End::LeftOut), (999, 250));
    }

    #[test]
    fn impossible_counts_are_errors() {
        let steps = |count| timesteps(&config(Spacing::Trailing, 0), count, End::Included);
        assert_eq!(steps(0), Err(DiffusionError::Steps { steps: 0, max: 1000 }));
        assert_eq!(steps(1001), Err(DiffusionError::Steps { steps: 1001, max: 1000 }));
        assert!(matches!(
            timesteps(&config(Spacing::Leading, 1), 1000, End::Included),
            Err(DiffusionError::Grid { steps: 1000, .. })
        ));
        assert!(matches!(
            timesteps(&config(Spacing::Leading, 0), 1000, End::LeftOut),
            Err(DiffusionError::Grid { .. })
        ));
    }
}
