// Mean over the tokens, plus a learned vector if there is one (the class token of attention pooling).
//
// Tiling: a workgroup of 16 × 16 takes 16 channels of one batch entry; lanes along x read neighbouring channels, lanes
// along y share the tokens and meet in workgroup memory. Short enough for tokens ≤ 512 and wide enough to fill a GPU.

struct Params {
    tokens: u32,
    channels: u32,
    // 1 when a learned vector is added (else `added` is never read).
    has_added: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> added: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> sums: array<array<f32, 16>, 16>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let channel = group.x * 16u + lane.x;
    let entry = group.y;
    var sum = 0.0;
    if channel < params.channels {
        for (var token = lane.y; token < params.tokens; token += 16u) {
            sum += x[(entry * params.tokens + token) * params.channels + channel];
        }
    }
    sums[lane.y][lane.x] = sum;
    workgroupBarrier();
    if lane.y == 0u && channel < params.channels {
        var total = 0.0;
        for (var i = 0u; i < 16u; i++) {
            total += sums[i][lane.x];
        }
        var mean = total / f32(params.tokens);
        if params.has_added == 1u {
            mean += added[channel];
        }
        y[entry * params.channels + channel] = mean;
    }
}
