//! The samplers, one file each: a schedule and a time grid in, a row of coefficients per step out.

mod ddim;
mod ddpm;
mod dpm_solver;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::grid::{self, End};
use super::{DiffusionError, NoiseScale, Schedule, ScheduleKind, Step, Steps, continuous};

/// A sampler by name. Written `ddpm`, `ddim` (or `ddim:0.5` with eta) and `dpm++2m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampler {
    /// Ancestral sampling (2006.11239): fresh noise at every step.
    Ddpm,
    /// DDIM (2010.02502): deterministic at eta 0, as noisy as DDPM at eta 1.
    Ddim {
        /// Share of fresh noise, 0 to 1.
        eta: f32,
    },
    /// DPM-Solver++(2M) (2211.01095): deterministic, second order, remembers one x0.
    DpmSolverPp,
}

impl Sampler {
    /// The steps of a run, noisiest first: so many on the schedule's own time grid, or those of a released grid.
    ///
    /// # Errors
    /// Where the count is not in `1..=train_steps`, there is no such grid for the schedule, or eta is out of range.
    pub fn steps(&self, schedule: &Schedule, steps: impl Into<Steps>) -> Result<Vec<Step>, DiffusionError> {
        let (config, steps) = (schedule.config(), steps.into());
        if matches!(config.kind, ScheduleKind::CosineLogSnr | ScheduleKind::LinearLogSnr) {
            return match (*self, steps) {
                (Self::Ddpm, Steps::Count(count)) if (1..=config.train_steps).contains(&(count as usize)) => {
                    Ok(continuous::steps(config.kind, count as usize))
                }
                (Self::Ddpm, Steps::Count(count)) => {
                    Err(DiffusionError::Steps { steps: count as usize, max: config.train_steps })
                }
                (sampler, steps) => Err(DiffusionError::Continuous { sampler, steps }),
            };
        }
        let grid = match steps {
            Steps::Count(count) => {
                let end = if *self == Self::DpmSolverPp { End::LeftOut } else { End::Included };
                grid::timesteps(config, count as usize, end)?
            }
            Steps::Grid(grid) => grid.timesteps(config.train_steps)?,
        };
        self.steps_on(schedule, &grid)
    }

    /// The steps of a run on a given time grid: training timesteps, strictly descending.
    ///
    /// # Errors
    /// Where the grid is empty, not descending or beyond the training timesteps, or eta is out of range.
    pub fn steps_on(&self, schedule: &Schedule, grid: &[u32]) -> Result<Vec<Step>, DiffusionError> {
        grid::check(schedule.alphas_cumprod().len(), grid)?;
        match *self {
            Self::Ddpm => Ok(ddpm::steps(schedule, grid)),
            Self::Ddim { eta } if (0.0..=1.0).contains(&eta) => Ok(ddim::steps(schedule, grid, eta)),
            Self::Ddim { eta } => Err(DiffusionError::Eta { eta }),
            Self::DpmSolverPp => Ok(dpm_solver::steps(schedule, grid)),
        }
    }
}

/// Every entry of the grid with ᾱ there and ᾱ at the entry after it (1 after the last).
fn transitions(schedule: &Schedule, grid: &[u32]) -> impl Iterator<Item = (u32, f32, f32)> {
    (0..grid.len()).map(move |i| {
        let next = grid.get(i + 1).copied();
        (grid[i], schedule.alpha_bar(Some(grid[i])), schedule.alpha_bar(next))
    })
}

/// A step at a timestep with signal level √ᾱ that moves nowhere yet.
fn step_at(timestep: u32, alpha_bar: f32) -> Step {
    let alpha_bar = f64::from(alpha_bar);
    Step {
        timestep: timestep as f32,
        alpha: libm::sqrt(alpha_bar) as f32,
        sigma: libm::sqrt(1.0 - alpha_bar) as f32,
        keep: 0.0,
        denoised: 0.0,
        previous: 0.0,
        noise: NoiseScale::None,
    }
}

/// Noise of a standard deviation; none where it is zero, so that nobody draws it.
fn fixed_noise(deviation: f32) -> NoiseScale {
    if deviation > 0.0 { NoiseScale::Fixed(deviation) } else { NoiseScale::None }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ddpm => f.write_str("ddpm"),
            Self::Ddim { eta } if *eta == 0.0 => f.write_str("ddim"),
            Self::Ddim { eta } => write!(f, "ddim:{eta}"),
            Self::DpmSolverPp => f.write_str("dpm++2m"),
        }
    }
}

impl FromStr for Sampler {
    type Err = DiffusionError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || DiffusionError::UnknownSampler { name: name.to_owned() };
        match name {
            "ddpm" => Ok(Self::Ddpm),
            "ddim" => Ok(Self::Ddim { eta: 0.0 }),
            "dpm++2m" => Ok(Self::DpmSolverPp),
            _ => {
                let eta = name.strip_prefix("ddim:").and_then(|eta| eta.parse::<f32>().ok()).ok_or_else(unknown)?;
                if (0.0..=1.0).contains(&eta) { Ok(Self::Ddim { eta }) } else { Err(DiffusionError::Eta { eta }) }
            }
        }
    }
}

impl Serialize for Sampler {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sampler {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for sampler in [Sampler::Ddpm, Sampler::Ddim { eta: 0.0 }, Sampler::Ddim { eta: 0.3 }, Sampler::DpmSolverPp] {
            assert_eq!(sampler.to_string().parse(), Ok(sampler));
            let json = serde_json::to_string(&sampler).unwrap();
            assert_eq!(serde_json::from_str::<Sampler>(&json).unwrap(), sampler);
        }
        assert_eq!(serde_json::to_string(&Sampler::DpmSolverPp).unwrap(), "\"dpm++2m\"");
    }

    #[test]
    fn unknown_names_and_ranges_are_errors() {
        for name in ["", "DDIM", "euler", "ddim:", "ddim:x"] {
            assert_eq!(name.parse::<Sampler>(), Err(DiffusionError::UnknownSampler { name: name.to_owned() }));
        }
        assert_eq!("ddim:1.5".parse::<Sampler>(), Err(DiffusionError::Eta { eta: 1.5 }));
        assert!("ddim:nan".parse::<Sampler>().is_err());
    }
}
