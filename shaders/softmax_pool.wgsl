// The mean over a picture's pixels, weighted by a softmax over a score of each.
//
// Tiling: `chunk` takes 256 pixels to a workgroup of 64 lanes: their largest score, then the sum of their weights and of
// their weighted channels, relative to it. `merge` gives a lane to each channel, which brings all chunks to one scale.

struct Params {
    positions: u32,
    channels: u32,
    chunks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> scores: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const CHUNK = 256u;
var<workgroup> weights: array<f32, CHUNK>;
var<workgroup> largest: array<f32, 64>;

// A row of the result: the weighted channels, the largest score, the weights' sum.
@compute @workgroup_size(64)
fn chunk(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let entry = group.y;
    let first = group.x * CHUNK;
    let count = min(CHUNK, params.positions - first);
    var highest = -3e38;
    for (var i = lane; i < count; i += 64u) {
        highest = max(highest, scores[entry * params.positions + first + i]);
    }
    largest[lane] = highest;
    workgroupBarrier();
    for (var i = 0u; i < 64u; i++) {
        highest = max(highest, largest[i]);
    }
    for (var i = lane; i < count; i += 64u) {
        weights[i] = exp(scores[entry * params.positions + first + i] - highest);
    }
    workgroupBarrier();
    let row = (entry * params.chunks + group.x) * (params.channels + 2u);
    for (var channel = lane; channel < params.channels; channel += 64u) {
        var sum = 0.0;
        for (var i = 0u; i < count; i++) {
            sum += weights[i] * x[(entry * params.positions + first + i) * params.channels + channel];
        }
        y[row + channel] = sum;
    }
    if lane == 0u {
        var sum = 0.0;
        for (var i = 0u; i < count; i++) {
            sum += weights[i];
        }
        y[row + params.channels] = highest;
        y[row + params.channels + 1u] = sum;
    }
}

// `x` holds the rows of `chunk`.
@compute @workgroup_size(64)
fn merge(@builtin(global_invocation_id) id: vec3<u32>) {
    let channel = id.x;
    let entry = id.y;
    if channel >= params.channels {
        return;
    }
    let width = params.channels + 2u;
    let first = entry * params.chunks * width;
    var highest = -3e38;
    for (var i = 0u; i < params.chunks; i++) {
        highest = max(highest, x[first + i * width + params.channels]);
    }
    var sum = 0.0;
    var total = 0.0;
    for (var i = 0u; i < params.chunks; i++) {
        let row = first + i * width;
        let scale = exp(x[row + params.channels] - highest);
        sum += scale * x[row + channel];
        total += scale * x[row + params.channels + 1u];
    }
    y[entry * params.channels + channel] = sum / total;
}
