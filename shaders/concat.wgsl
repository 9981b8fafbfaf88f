// Two pictures' channels side by side, the second's times a factor.
//
// Tiling: one invocation per value, 256 to a workgroup. Bound by memory.

struct Params {
    values: u32,
    first_channels: u32,
    second_channels: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> second: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 256u;
    if index >= params.values {
        return;
    }
    let channels = params.first_channels + params.second_channels;
    let row = index / channels;
    let channel = index % channels;
    if channel < params.first_channels {
        y[index] = x[row * params.first_channels + channel];
    } else {
        y[index] = second[row * params.second_channels + channel - params.first_channels] * params.scale;
    }
}
