//! The time grids that DeepFloyd IF was released with, by name (`deepfloyd_if/timesteps.py`).
//!
//! Each divides the training timesteps into equal sections and takes so many, evenly spaced, from each (`space_timesteps`
//! of "Improved Denoising Diffusion Probabilistic Models", 2102.09672): the numbers per section are the whole table.

use super::DiffusionError;
use std::fmt;
use std::str::FromStr;

/// A released grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleasedGrid {
    Fast27,
    Smart27,
    Smart50,
    Smart100,
    Smart185,
    Super27,
    Super40,
    Super100,
}

impl ReleasedGrid {
    pub const ALL: [Self; 8] = [
        Self::Fast27,
        Self::Smart27,
        Self::Smart50,
        Self::Smart100,
        Self::Smart185,
        Self::Super27,
        Self::Super40,
        Self::Super100,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Fast27 => "fast27",
            Self::Smart27 => "smart27",
            Self::Smart50 => "smart50",
            Self::Smart100 => "smart100",
            Self::Smart185 => "smart185",
            Self::Super27 => "super27",
            Self::Super40 => "super40",
            Self::Super100 => "super100",
        }
    }

    /// Timesteps taken from each section, the least noisy section first.
    fn sections(self) -> &'static [usize] {
        match self {
            Self::Fast27 => &[10, 10, 3, 2, 2],
            Self::Smart27 => &[7, 4, 2, 1, 2, 4, 7],
            Self::Smart50 => &[10, 6, 4, 3, 2, 2, 3, 4, 6, 10],
            Self::Smart100 => &[1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 7, 8, 9, 10, 13],
            Self::Smart185 => &[1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20],
            Self::Super27 => &[1, 1, 1, 1, 1, 1, 1, 2, 5, 13],
            Self::Super40 => &[2, 2, 2, 2, 2, 2, 3, 4, 6, 15],
            Self::Super100 => &[4, 4, 6, 6, 8, 8, 10, 10, 14, 30],
        }
    }

    /// Number of timesteps.
    pub fn steps(self) -> usize {
        self.sections().iter().sum()
    }

    /// The grid for a model of `train_steps` training timesteps, strictly descending.
    ///
    /// # Errors
    /// [`DiffusionError::Grid`] where a section is too short for its timesteps.
    pub fn timesteps(self, train_steps: usize) -> Result<Vec<u32>, DiffusionError> {
        let sections = self.sections();
        let (length, longer) = (train_steps / sections.len(), train_steps % sections.len());
        let mut grid = Vec::new();
        let mut start = 0;
        for (index, &count) in sections.iter().enumerate() {
            let length = length + usize::from(index < longer);
            if length < count {
                let reason = format!("{self} takes {count} timesteps out of {length}");
                return Err(DiffusionError::Grid { steps: self.steps(), reason });
            }
            let stride = if count > 1 { (length - 1) as f64 / (count - 1) as f64 } else { 0.0 };
            // Added up as the original does it: half of a step away from two timesteps, its rounding decides.
            let places = std::iter::successors(Some(0.0f64), |place| Some(place + stride));
            grid.extend(places.take(count).map(|place| start + place.round_ties_even() as u32));
            start += length as u32;
        }
        grid.reverse();
        Ok(grid)
    }
}

impl fmt::Display for ReleasedGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ReleasedGrid {
    type Err = DiffusionError;

    fn from_str(name: &str) -> Result<Self, DiffusionError> {
        let unknown = || DiffusionError::UnknownGrid { name: name.to_owned() };
        Self::ALL.into_iter().find(|grid| grid.name() == name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_grid_is_diffusers() {
        let published = include_str!("../../tests/fixtures/deepfloyd_grids.json");
        let published: BTreeMap<String, Vec<u32>> = serde_json::from_str(published).unwrap();
        assert_eq!(published.len(), ReleasedGrid::ALL.len());
        for (name, timesteps) in published {
            let grid: ReleasedGrid = name.parse().unwrap();
            assert_eq!((grid.to_string(), grid.steps()), (name, timesteps.len()));
            assert_eq!(grid.timesteps(1000).unwrap(), timesteps);
        }
    }

    #[test]
    fn short_schedules_and_other_names_are_errors() {
        assert!(matches!(ReleasedGrid::Super100.timesteps(100), Err(DiffusionError::Grid { .. })));
        assert!(matches!("smart51".parse::<ReleasedGrid>(), Err(DiffusionError::UnknownGrid { .. })));
    }
}
