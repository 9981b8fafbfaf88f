// The tiles of workgroup memory that linear.wgsl and conv.wgsl multiply, and where outputs lie in them. In front stand
// TILE_M, TILE_N, THREADS_M, THREADS_N and Factor.

const THREADS = THREADS_M * THREADS_N;
const STRIDE = 5u;

var<workgroup> x_tile: array<Factor, TILE_M * STRIDE>;
var<workgroup> w_tile: array<Factor, TILE_N * STRIDE>;

// The output of the slab that lies at a row of the weights' tile: four neighbours belong to one thread.
fn output_at(row: u32) -> u32 {
    return row / (4u * THREADS_N) * (4u * THREADS_N) + row % THREADS_N * 4u + row / THREADS_N % 4u;
}
