//! Nothing: the package is there for its benchmarks, `kernels` and `sampler`.
