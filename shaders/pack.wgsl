// Planar pictures to the network's channels-last input, folded by patch (pixel-unshuffle), repeated for guidance rows.
//
// Tiling: one invocation per output value, 256 to a workgroup, channels fastest. Writes are then contiguous, and the
// reads of one position gather patch rows of a few planes that the cache keeps. There is nothing to reuse, so no
// workgroup memory.

struct Params {
    values: u32,
    images: u32,
    size: u32,
    patch_size: u32,
    colours: u32,
    // Planes of the second picture; 0 when there is none (then `second` is never read).
    second_colours: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> second: array<f32>;
@group(0) @binding(3) var<storage, read_write> folded: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 256u;
    if index >= params.values {
        return;
    }
    let side = params.size / params.patch_size;
    let area = params.patch_size * params.patch_size;
    let channels = (params.colours + params.second_colours) * area;
    let channel = index % channels;
    let position = index / channels;
    let column = position % side * params.patch_size + channel % params.patch_size;
    let row = position / side % side * params.patch_size + channel % area / params.patch_size;
    let image = position / (side * side) % params.images;
    let colour = channel / area;
    if colour < params.colours {
        folded[index] = x[((image * params.colours + colour) * params.size + row) * params.size + column];
    } else {
        let plane = image * params.second_colours + colour - params.colours;
        folded[index] = second[(plane * params.size + row) * params.size + column];
    }
}
