//! Pictures: resampling against torch, PNG files there and back, and PNG files that mean harm.

mod hostile;
mod png;
mod resample;
