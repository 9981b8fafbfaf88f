// One sampler step in place: x' = keep·x + denoised·x0 + previous·x0' + noise, with x0 thresholded on the way. The
// thresholded x0 replaces the remembered one (x0').
//
// Tiling: one invocation per planar value, 256 to a workgroup; every access is contiguous but the learned variance,
// gathered from the network's output. Bound by memory. Behind step.wgsl and pixel.wgsl.

@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> x0: array<f32>;
// Per image: x0 is clamped to ±limit and divided by divisor.
@group(0) @binding(3) var<storage, read> scales: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> remembered: array<f32>;
@group(0) @binding(5) var<storage, read> noise: array<f32>;
// The network's output with the prompt.
@group(0) @binding(6) var<storage, read> told: array<f32>;
@group(0) @binding(7) var<uniform> sampling: Step;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 256u;
    if index >= params.values {
        return;
    }
    let pixel = pixel_at(index);
    let limit = scales[pixel.image];
    let clean = clamp(x0[index], -limit.x, limit.x) / limit.y;
    var next = sampling.keep * x[index] + sampling.denoised * clean;
    // Not 0 · x0': before the first step the memory may hold anything.
    if sampling.previous != 0.0 {
        next += sampling.previous * remembered[index];
    }
    if sampling.noise_kind == 1u {
        next += sampling.noise_a * noise[index];
    } else if sampling.noise_kind == 2u {
        let row = pixel.image + params.told_row;
        let fraction = 0.5 * (told[network_index(row, pixel.colour + params.colours, pixel)] + 1.0);
        let log_variance = fraction * sampling.noise_b + (1.0 - fraction) * sampling.noise_a;
        next += exp(0.5 * log_variance) * noise[index];
    }
    x[index] = next;
    remembered[index] = clean;
}
