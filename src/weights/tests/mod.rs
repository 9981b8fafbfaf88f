//! Tests of the weights files against the `gguf` package, and on any bytes.
