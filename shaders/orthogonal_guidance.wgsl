// Rows without and with the prompt, of which the first is changed so that guidance from it to the second goes along what is
// orthogonal to the second alone: u' = u + ((c − u)·c / c·c) · c.
//
// Tiling: one workgroup per picture, whose sums need all of it. In front stand LANES and workgroup_sum (sum.wgsl).

struct Params {
    images: u32,
    // Values of one row.
    length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let without = group.x * params.length;
    let told = (params.images + group.x) * params.length;
    var along = 0.0;
    var square = 0.0;
    for (var i = lane; i < params.length; i += LANES) {
        let c = x[told + i];
        along += (c - x[without + i]) * c;
        square += c * c;
    }
    let all_along = workgroup_sum(lane, along);
    let all_square = workgroup_sum(lane, square);
    let share = select(0.0, all_along / all_square, all_square > 0.0);
    for (var i = lane; i < params.length; i += LANES) {
        let c = x[told + i];
        y[without + i] = x[without + i] + share * c;
        y[told + i] = c;
    }
}
