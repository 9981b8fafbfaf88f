// Layer norm over the channels: y = (x − mean) / sqrt(variance + eps) · weight + bias.
//
// Tiling: one workgroup per token, as rms_norm. The variance is summed over x − mean in a second sweep (served by the
// cache): the one-sweep form E[x²] − mean² loses everything when the mean is large.

struct Params {
    rows: u32,
    channels: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.x + group.y * groups.x;
    if row >= params.rows {
        return;
    }
    let first = row * params.channels;
    var sum = 0.0;
    for (var i = lane; i < params.channels; i += LANES) {
        sum += x[first + i];
    }
    let mean = workgroup_sum(lane, sum) / f32(params.channels);
    var squares = 0.0;
    for (var i = lane; i < params.channels; i += LANES) {
        let centred = x[first + i] - mean;
        squares += centred * centred;
    }
    let scale = inverseSqrt(workgroup_sum(lane, squares) / f32(params.channels) + params.epsilon);
    for (var i = lane; i < params.channels; i += LANES) {
        y[first + i] = (x[first + i] - mean) * scale * weight[i] + bias[i];
    }
}
