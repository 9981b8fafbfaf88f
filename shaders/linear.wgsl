// y = (act(W · x + b) · gate + residual) · scale for many rows of x.
//
// Tiling: a workgroup of THREADS_M × THREADS_N threads makes TILE_M rows × TILE_N outputs, a thread ROWS × OUTPUTS
// of them in registers: rows ty + r·THREADS_M, outputs in runs of four neighbours. It walks along K in steps of 16:
// x (after norm and activation) and the dequantised weights go to workgroup memory as vec4 along K, once each; a
// thread takes ROWS + OUTPUTS vec4 from there for ROWS · OUTPUTS dot products, which is why the register tile is as
// large as the processor bears. A row of the tiles is 4 vec4 of values and one of padding, and the outputs lie in it
// in the order in which neighbouring threads read them, so that those hit different banks. Dequantising while
// filling the tile costs once per TILE_M uses; the norm's factors are read once per batch entry that a thread meets.
// The loops over registers are written out (`// unroll`), those that load are not: their branches make slow
// compilers slower still. In front stand TILE_M, TILE_N, THREADS_M, THREADS_N,
// Factor (what is multiplied), tile.wgsl, the readers and the writer.

struct Params {
    m: u32,
    // Outputs of the layer, over all slabs; columns of y.
    n: u32,
    k: u32,
    // Rows of x per batch entry.
    positions: u32,
    // This slab's part of the outputs.
    first_output: u32,
    outputs: u32,
    row_words: u32,
    scale_words: u32,
    scales_offset: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> weight: array<u32>;

override HAS_NORM: bool;
override INPUT_ACTIVATION: u32;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = group.x + group.y * groups.x;
    let tiles_n = (params.outputs + TILE_N - 1u) / TILE_N;
    let first_m = tile / tiles_n * TILE_M;
    let first_n = tile % tiles_n * TILE_N;
    if first_m >= params.m {
        return;
    }
    let tx = local % THREADS_N;
    let ty = local / THREADS_N;
    // A row of the tiles has four vec4: a thread loads the part `local % 4` of every (THREADS / 4)-th row.
    let part_loaded = local % 4u;
    let row_loaded = local / 4u;
    // unroll r ROWS
    // unroll c QUADS
    var sum_{r}_{c} = vec4(0.0);
    // end
    // end
    for (var first_k = 0u; first_k < params.k; first_k += 16u) {
        let k = first_k + part_loaded * 4u;
        let inside = vec4(k, k + 1u, k + 2u, k + 3u) < vec4(params.k);
        var factor = vec4(1.0);
        var summand = vec4(0.0);
        var entry = 0xffffffffu;
        for (var row = row_loaded; row < TILE_M; row += THREADS / 4u) {
            var value = vec4(0.0);
            if first_m + row < params.m && k < params.k {
                value = read_x((first_m + row) * params.k + k);
                if HAS_NORM {
                    let own = (first_m + row) / params.positions;
                    if entry != own {
                        entry = own;
                        factor = read_affine(entry * 2u * params.k + k);
                        summand = read_affine((entry * 2u + 1u) * params.k + k);
                    }
                    value = value * factor + summand;
                }
                value = select(vec4(0.0), activate(INPUT_ACTIVATION, value), inside);
            }
            x_tile[row * STRIDE + part_loaded] = Factor(value);
        }
        // Here stands tile_product.wgsl.
    }
    // unroll r ROWS
    // unroll c QUADS
    store(first_m + ty + {r}u * THREADS_M, first_n + tx * 4u + {c}u * (4u * THREADS_N), sum_{r}_{c});
    // end
    // end
}
