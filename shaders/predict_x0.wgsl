// The network's output to the predicted picture: pixel-shuffle, guidance, and x0 from epsilon, sample or v.
//
// Tiling: one invocation per planar value, 256 to a workgroup; x and x0 are contiguous, the gather from the network's
// output stays within a few cache lines. Bound by memory, nothing is reused. Behind step.wgsl and pixel.wgsl.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> network: array<f32>;
// The rows with the prompt: the same buffer, unless they were computed in a pass of their own.
@group(0) @binding(3) var<storage, read> told: array<f32>;
@group(0) @binding(4) var<storage, read_write> x0: array<f32>;
@group(0) @binding(5) var<uniform> sampling: Step;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 256u;
    if index >= params.values {
        return;
    }
    let pixel = pixel_at(index);
    var predicted = network[network_index(pixel.image, pixel.colour, pixel)];
    if params.guided == 1u {
        let with_prompt = told[network_index(pixel.image + params.told_row, pixel.colour, pixel)];
        predicted += sampling.guidance * (with_prompt - predicted);
    }
    if params.prediction == 0u {
        x0[index] = (x[index] - sampling.sigma * predicted) / sampling.alpha;
    } else if params.prediction == 1u {
        x0[index] = predicted;
    } else {
        x0[index] = sampling.alpha * x[index] - sampling.sigma * predicted;
    }
}
