// Halving (mean of 2 × 2) and doubling (nearest) of a picture, with a norm and an activation applied on the way.
//
// Tiling: one invocation per output Value, 256 to a workgroup, channels fastest: reads and writes are contiguous along
// the channels. A doubled value is normalised four times, which costs less than sharing it would. Bound by memory.
// Behind activation.wgsl and the type Value, a vec4 or (for channels that are no multiple of 4) an f32, with `activated`,
// x_at, affine_at and write, which count in Values.

struct Params {
    // Values of the output.
    values: u32,
    height: u32,
    width: u32,
    // In Values.
    channels: u32,
    // Of the input.
    source_height: u32,
    source_width: u32,
    // 1 halves, else doubles.
    halves: u32,
    // 1 when there is a norm (else `affine` is never read).
    has_norm: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 256u;
    if index >= params.values {
        return;
    }
    let channel = index % params.channels;
    let position = index / params.channels;
    let column = position % params.width;
    let row = position / params.width % params.height;
    let entry = position / params.width / params.height;
    var a = Value(1.0);
    var b = Value(0.0);
    if params.has_norm == 1u {
        a = affine_at(entry * 2u * params.channels + channel);
        b = affine_at((entry * 2u + 1u) * params.channels + channel);
    }
    let line = params.source_width * params.channels;
    if params.halves == 1u {
        // Of an odd height or width the last row or column is dropped, as in torch's pooling.
        let first = (entry * params.source_height + row * 2u) * line + column * 2u * params.channels + channel;
        let top = activated(a * x_at(first) + b) + activated(a * x_at(first + params.channels) + b);
        let bottom = activated(a * x_at(first + line) + b)
            + activated(a * x_at(first + line + params.channels) + b);
        write(index, 0.25 * (top + bottom));
    } else {
        let at = (entry * params.source_height + row / 2u) * line + column / 2u * params.channels + channel;
        write(index, activated(a * x_at(at) + b));
    }
}
