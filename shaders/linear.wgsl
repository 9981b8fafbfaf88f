// y = (act(W · x + bias) · gate + residual) · scale for many rows of x.
//
// Tiling: a workgroup makes TILE_M rows × TILE_N outputs, a thread 4 × 4 of them in registers (rows ty + i·TILE_M/4,
// outputs tx + j·TILE_N/4, so that neighbouring threads store neighbouring values). It walks along K in steps of 16:
// x (after norm and activation) and the dequantised weights go to workgroup memory as vec4 along K, once each, and a
// thread takes 8 vec4 from there for 16 dot products. A row of the tiles is 4 vec4 of values and one of padding, so
// that threads reading one column of different rows hit different banks. Dequantising while filling the tile costs once
// per TILE_M uses. In front stand the constants TILE_M and TILE_N and the readers of x and the affine.

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
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> gate: array<f32>;
@group(0) @binding(6) var<storage, read> residual: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

override HAS_NORM: bool;
override HAS_BIAS: bool;
override HAS_GATE: bool;
override HAS_RESIDUAL: bool;
override INPUT_ACTIVATION: u32;
override ACTIVATION: u32;

const THREADS_N = TILE_N / 4u;
const THREADS_M = TILE_M / 4u;
const THREADS = THREADS_M * THREADS_N;
const STRIDE = 5u;

var<workgroup> x_tile: array<vec4<f32>, TILE_M * STRIDE>;
var<workgroup> w_tile: array<vec4<f32>, TILE_N * STRIDE>;

// Four values of a row of x from column k on, after norm and activation; zero outside.
fn load(row: u32, k: u32) -> vec4<f32> {
    if row >= params.m || k >= params.k {
        return vec4(0.0);
    }
    var value = read_x(row * params.k + k);
    if HAS_NORM {
        let affine = row / params.positions * 2u * params.k + k;
        value = value * read_affine(affine) + read_affine(affine + params.k);
    }
    value = activate(INPUT_ACTIVATION, value);
    return select(vec4(0.0), value, vec4(k, k + 1u, k + 2u, k + 3u) < vec4(params.k));
}

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
    var sums: array<vec4<f32>, 4>;
    for (var k = 0u; k < params.k; k += 16u) {
        for (var i = local; i < TILE_M * 4u; i += THREADS) {
            x_tile[i / 4u * STRIDE + i % 4u] = load(first_m + i / 4u, k + i % 4u * 4u);
        }
        for (var i = local; i < TILE_N * 4u; i += THREADS) {
            let output = first_n + i / 4u;
            let column = k + i % 4u * 4u;
            var value = vec4(0.0);
            if output < params.outputs && column < params.k {
                value = weight4(output, column);
            }
            w_tile[i / 4u * STRIDE + i % 4u] = value;
        }
        workgroupBarrier();
        for (var part = 0u; part < 4u; part++) {
            let w0 = w_tile[tx * STRIDE + part];
            let w1 = w_tile[(tx + THREADS_N) * STRIDE + part];
            let w2 = w_tile[(tx + 2u * THREADS_N) * STRIDE + part];
            let w3 = w_tile[(tx + 3u * THREADS_N) * STRIDE + part];
            for (var i = 0u; i < 4u; i++) {
                let v = x_tile[(ty + i * THREADS_M) * STRIDE + part];
                sums[i] += vec4(dot(v, w0), dot(v, w1), dot(v, w2), dot(v, w3));
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let row = first_m + ty + i * THREADS_M;
        if row >= params.m {
            continue;
        }
        for (var j = 0u; j < 4u; j++) {
            let output = first_n + tx + j * THREADS_N;
            if output < params.outputs {
                store(row, params.first_output + output, sums[i][j]);
            }
        }
    }
}
