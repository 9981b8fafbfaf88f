// A picture of half the size with four pixels' channels in each (channel c·4 + i·2 + j), or the way back with SiLU in front.
//
// Tiling: one invocation per value of the output, 256 to a workgroup. Bound by memory.

struct Params {
    values: u32,
    // Of the output.
    height: u32,
    width: u32,
    channels: u32,
    // 1 towards the larger picture.
    up: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 256u;
    if index >= params.values {
        return;
    }
    let channel = index % params.channels;
    let pixel = index / params.channels;
    let column = pixel % params.width;
    let row = pixel / params.width % params.height;
    let entry = pixel / params.width / params.height;
    if params.up == 1u {
        let place = ((entry * (params.height / 2u) + row / 2u) * (params.width / 2u) + column / 2u) * params.channels;
        let value = x[(place + channel) * 4u + row % 2u * 2u + column % 2u];
        y[index] = value / (1.0 + exp(-max(value, -80.0)));
    } else {
        let part = channel % 4u;
        let place = (entry * 2u * params.height + 2u * row + part / 2u) * 2u * params.width + 2u * column + part % 2u;
        y[index] = x[place * (params.channels / 4u) + channel / 4u];
    }
}
