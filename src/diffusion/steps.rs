//! How many steps a run takes, or on which timesteps.

use super::{DiffusionError, ReleasedGrid};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A number of steps, spread as the schedule says, or a released grid. Written as a number or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    Count(u32),
    Grid(ReleasedGrid),
}

impl Steps {
    /// Number of steps.
    pub fn count(self) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Grid(grid) => grid.steps(),
        }
    }
}

impl From<u32> for Steps {
    fn from(count: u32) -> Self {
        Self::Count(count)
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Grid(grid) => grid.fmt(f),
        }
    }
}

impl FromStr for Steps {
    type Err = DiffusionError;

    fn from_str(text: &str) -> Result<Self, DiffusionError> {
        match text.parse() {
            Ok(count) => Ok(Self::Count(count)),
            Err(_) => text.parse().map(Self::Grid),
        }
    }
}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => count.serialize(serializer),
            Self::Grid(grid) => serializer.collect_str(grid),
        }
    }
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Count(u32),
            Name(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Count(count) => Ok(Self::Count(count)),
            Written::Name(name) => name.parse().map(Self::Grid).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_round_trip() {
        for (text, json, count) in [("20", "20", 20), ("smart50", "\"smart50\"", 50)] {
            let steps: Steps = text.parse().unwrap();
            assert_eq!((steps.to_string(), steps.count()), (text.to_owned(), count));
            assert_eq!(serde_json::to_string(&steps).unwrap(), json);
            assert_eq!(serde_json::from_str::<Steps>(json).unwrap(), steps);
        }
        for bad in ["-1", "many", "smart51", ""] {
            assert!(bad.parse::<Steps>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Steps>("-1").is_err() && serde_json::from_str::<Steps>("\"20\"").is_err());
    }
}
