// The linear layer for few rows of x (embeddings of the timestep, pooled text): bound by reading the weights.
//
// Tiling: a workgroup of 128 threads makes 16 outputs for up to ROWS rows, 8 threads to an output. It walks along K in
// steps of 256: x (after norm and activation) goes to workgroup memory once for all 16 outputs, each weight is read once
// from storage, dequantised in a register and used for every row; the 8 threads of an output read neighbouring
// weights and add their sums up at the end. In front stand the constant ROWS and the readers of x and the affine.

struct Params {
    m: u32,
    n: u32,
    k: u32,
    positions: u32,
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
override HAS_GATE: bool;
override INPUT_ACTIVATION: u32;
override ACTIVATION: u32;

const THREADS = 128u;
const LANES = 8u;
// Columns of a step, in vec4.
const STEP = 64u;

var<workgroup> x_tile: array<vec4<f32>, ROWS * STEP>;
var<workgroup> lane_sums: array<f32, ROWS * THREADS>;

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

fn store(row: u32, output: u32, sum: f32) {
    // An absent bias or residual reads as zero.
    var value = activate1(ACTIVATION, sum + bias[output]);
    let at = row * params.n + output;
    if HAS_GATE {
        value *= gate[at];
    }
    y[at] = (value + residual[at]) * params.scale;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let output = (group.x + group.y * groups.x) * (THREADS / LANES) + local / LANES;
    let lane = local % LANES;
    // unroll r ROWS
    var sum_{r} = 0.0;
    // end
    for (var k = 0u; k < params.k; k += STEP * 4u) {
        for (var i = local; i < ROWS * STEP; i += THREADS) {
            x_tile[i] = load(i / STEP, k + i % STEP * 4u);
        }
        workgroupBarrier();
        if output < params.outputs {
            for (var part = lane; part < STEP && k + part * 4u < params.k; part += LANES) {
                let value = weight4(output, k + part * 4u);
                // unroll r ROWS
                sum_{r} += dot(value, x_tile[{r}u * STEP + part]);
                // end
            }
        }
        workgroupBarrier();
    }
    // unroll r ROWS
    lane_sums[{r}u * THREADS + local] = sum_{r};
    // end
    workgroupBarrier();
    // The lanes of an output share its rows.
    if output >= params.outputs {
        return;
    }
    for (var row = lane; row < min(ROWS, params.m); row += LANES) {
        var sum = 0.0;
        for (var i = 0u; i < LANES; i++) {
            sum += lane_sums[row * THREADS + local - lane + i];
        }
        store(row, params.first_output + output, sum);
    }
}
