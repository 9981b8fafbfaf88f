// y = x · sigmoid(gate) + residual, with one gate for each channel of a batch entry.
//
// Tiling: one invocation per value, 256 to a workgroup. Bound by memory.

struct Params {
    values: u32,
    channels: u32,
    // Values of one batch entry.
    entry: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> gate: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 256u;
    if index >= params.values {
        return;
    }
    let value = gate[index / params.entry * params.channels + index % params.channels];
    y[index] = x[index] / (1.0 + exp(-max(value, -80.0))) + residual[index];
}
