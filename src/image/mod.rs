//! Pictures: PNG with its settings in it, and resampling.
