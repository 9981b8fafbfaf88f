//! Checks of single settings of a training: their errors name them.

use crate::train::{Decay, Focus, Hardware, Precision, TrainError};
use serde_json::Value;

pub(super) fn setting(name: &'static str, reason: impl ToString) -> TrainError {
    TrainError::Setting { name, reason: reason.to_string() }
}

pub(super) fn at_least<T: PartialOrd + std::fmt::Display>(
    name: &'static str,
    value: T,
    least: T,
) -> Result<T, TrainError> {
    if value >= least { Ok(value) } else { Err(setting(name, format!("{value} is less than {least}"))) }
}

pub(super) fn positive(name: &'static str, value: f64) -> Result<f64, TrainError> {
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err(setting(name, format!("{value} is not above 0"))) }
}

/// AdamW divides by what is left to 1.
pub(super) fn below_one(name: &'static str, value: f32) -> Result<f32, TrainError> {
    if (0.0..1.0).contains(&value) {
        Ok(value)
    } else {
        Err(setting(name, format!("{value} is not from 0 to below 1")))
    }
}

pub(super) fn share<T: Copy + Into<f64> + std::fmt::Display>(name: &'static str, value: T) -> Result<T, TrainError> {
    if (0.0..=1.0).contains(&value.into()) {
        Ok(value)
    } else {
        Err(setting(name, format!("{value} is not from 0 to 1")))
    }
}

/// `SHARE:MEAN:DEVIATION`
pub(super) fn focus(text: &str) -> Result<Focus, TrainError> {
    let wrong = || setting("focus", format!("{text:?} is not SHARE:MEAN:DEVIATION, as in 0.5:600:180"));
    let numbers = text.split(':').map(str::parse).collect::<Result<Vec<f32>, _>>().map_err(|_| wrong())?;
    let &[share_of, mean, deviation] = numbers.as_slice() else { return Err(wrong()) };
    if !(mean >= 0.0 && deviation >= 0.0 && mean.is_finite() && deviation.is_finite()) {
        return Err(wrong());
    }
    Ok(Focus { share: share("focus", share_of)?, mean, deviation })
}

/// A name of [`Decay`].
pub(super) fn decay(name: &str) -> Result<Decay, String> {
    serde_json::from_value(Value::from(name)).map_err(|_| "choose cosine or constant".to_owned())
}

/// A name of [`Hardware`].
pub(super) fn hardware(name: &str) -> Result<Hardware, String> {
    serde_json::from_value(Value::from(name)).map_err(|_| "choose cpu, gpu or cuda".to_owned())
}

/// A name of [`Precision`].
pub(super) fn precision(name: &str) -> Result<Precision, String> {
    serde_json::from_value(Value::from(name)).map_err(|_| "choose f32, bf16 or f16".to_owned())
}
