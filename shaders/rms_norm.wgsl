// Root-mean-square norm over the channels (T5): y = x / sqrt(mean(x²) + eps) · weight.
//
// Tiling: one workgroup per token. Lanes stride over the channels, so reads are contiguous. The number of lanes follows the
// channels. The second read of x comes from the cache. In front stand LANES and workgroup_sum (sum.wgsl).

struct Params {
    rows: u32,
    channels: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

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
        let value = x[first + i];
        sum += value * value;
    }
    let scale = inverseSqrt(workgroup_sum(lane, sum) / f32(params.channels) + params.epsilon);
    for (var i = lane; i < params.channels; i += LANES) {
        y[first + i] = x[first + i] * scale * weight[i];
    }
}
