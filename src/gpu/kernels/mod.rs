//! One file per operation: its builder method, its choice of variant and tile, and its test.
