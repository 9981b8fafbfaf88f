// The linear layer for few rows of x (embeddings of the timestep, pooled text): bound by reading the weights.
//
// Tiling: a workgroup of THREADS makes 16 outputs for up to ROWS rows, LANES threads to OUTPUTS of them. It walks along K in
// steps of 256: x (after norm and activation) goes to workgroup memory once for all 16 outputs, each weight is read once
// from storage, dequantised in a register and used for every row; the LANES of an output read neighbouring
// weights and add their sums up at the end. In front stand these constants and the readers of x and the affine.

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

// Columns of a step, in vec4.
const STEP = 64u;

var<workgroup> x_tile: array<vec4<f32>, ROWS * STEP>;
var<workgroup> lane_sums: array<f32, OUTPUTS * ROWS * THREADS>;

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
    let first = (group.x + group.y * groups.x) * (THREADS / LANES * OUTPUTS) + local / LANES;
    let lane = local % LANES;
    // unroll o OUTPUTS
    let output_{o} = first + {o}u * (THREADS / LANES);
    // unroll r ROWS
    var sum_{o}_{r} = 0.0;
    // end
    // end
    for (var k = 0u; k < params.k; k += STEP * 4u) {
        for (var i = local; i < ROWS * STEP; i += THREADS) {
            x_tile[i] = load(i / STEP, k + i % STEP * 4u);
        }
        workgroupBarrier();
        for (var part = lane; part < STEP && k + part * 4u < params.k; part += LANES) {
            // unroll r ROWS
            let x_{r} = x_tile[{r}u * STEP + part];
            // end
            // What is read for outputs beyond the last is dropped in the end.
            // unroll o OUTPUTS
            let weight_{o} = weight4(output_{o}, k + part * 4u);
            // unroll r ROWS
            sum_{o}_{r} += dot(weight_{o}, x_{r});
            // end
            // end
        }
        workgroupBarrier();
    }
    // unroll o OUTPUTS
    // unroll r ROWS
    lane_sums[({o}u * ROWS + {r}u) * THREADS + local] = sum_{o}_{r};
    // end
    // end
    workgroupBarrier();
    // The lanes of an output share its rows.
    // unroll o OUTPUTS
    for (var row = lane; row < min(ROWS, params.m) && output_{o} < params.outputs; row += LANES) {
        var sum = 0.0;
        for (var i = 0u; i < LANES; i++) {
            sum += lane_sums[({o}u * ROWS + row) * THREADS + local - lane + i];
        }
        store(row, params.first_output + output_{o}, sum);
    }
    // end
}
