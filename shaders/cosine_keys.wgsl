// Keys and values of attention by cosines, from a learnt null and up to two lists of tokens: all in one list, the keys
// brought to length 1 and multiplied by a factor per channel.
//
// Tiling: one workgroup per head of a token. In front stand LANES and workgroup_sum (sum.wgsl).

struct Params {
    rows: u32,
    heads: u32,
    // Channels of a head.
    width: u32,
    first_tokens: u32,
    second_tokens: u32,
    // From the null key to the null value.
    null_pitch: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> null_kv: array<f32>;
// For each token the keys of all heads, then the values.
@group(0) @binding(2) var<storage, read> first: array<f32>;
@group(0) @binding(3) var<storage, read> second: array<f32>;
@group(0) @binding(4) var<storage, read> factors: array<f32>;
@group(0) @binding(5) var<storage, read_write> keys: array<f32>;
@group(0) @binding(6) var<storage, read_write> values: array<f32>;

// Channel i of a key (offset 0) or value (offset 1).
fn load(entry: u32, token: u32, head: u32, i: u32, value: u32) -> f32 {
    let channels = params.heads * params.width;
    let place = value * channels + head * params.width + i;
    if token == 0u {
        return null_kv[value * params.null_pitch + i];
    }
    if token <= params.first_tokens {
        return first[(entry * params.first_tokens + token - 1u) * 2u * channels + place];
    }
    return second[(entry * params.second_tokens + token - 1u - params.first_tokens) * 2u * channels + place];
}

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
    let head = row % params.heads;
    let tokens = 1u + params.first_tokens + params.second_tokens;
    let token = row / params.heads % tokens;
    let entry = row / params.heads / tokens;
    var sum = 0.0;
    for (var i = lane; i < params.width; i += LANES) {
        let key = load(entry, token, head, i, 0u);
        sum += key * key;
    }
    let scale = 1.0 / max(sqrt(workgroup_sum(lane, sum)), 1e-12);
    for (var i = lane; i < params.width; i += LANES) {
        keys[row * params.width + i] = load(entry, token, head, i, 0u) * scale * factors[i];
        values[row * params.width + i] = load(entry, token, head, i, 1u);
    }
}
