// The norm in front of an Efficient U-Net's convolutions: every pixel's channels to a root mean square of 1, times a factor
// per channel, then the time's scale and shift if there are any, then SiLU.
//
// Tiling: one workgroup per pixel, as rms_norm. In front stand LANES and workgroup_sum (sum.wgsl).

struct Params {
    rows: u32,
    channels: u32,
    // Pixels of one batch entry.
    positions: u32,
    // 1 with scale and shift (else `time` is never read).
    has_time: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> factors: array<f32>;
// For each batch entry first the scales of all channels, then the shifts.
@group(0) @binding(3) var<storage, read> time: array<f32>;
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
        let value = x[first + i];
        sum += value * value;
    }
    let scale = sqrt(f32(params.channels)) / max(sqrt(workgroup_sum(lane, sum)), 1e-12);
    let entry = row / params.positions * 2u * params.channels;
    for (var i = lane; i < params.channels; i += LANES) {
        var value = x[first + i] * scale * factors[i];
        if params.has_time == 1u {
            value = value * (time[entry + i] + 1.0) + time[entry + params.channels + i];
        }
        // The clamp keeps exp finite.
        y[first + i] = value / (1.0 + exp(-max(value, -80.0)));
    }
}
