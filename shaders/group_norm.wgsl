// Statistics of group normalisation, as a factor and a summand per batch entry and channel.
//
// A small picture takes one dispatch, `whole`: one workgroup of LANES per batch entry and group. A large one would be a few
// slow workgroups, so it takes two. `slices`: one thread per channel and slice; slice s takes the positions s,
// s + SLICES, …, so that neighbouring threads read neighbouring values. `finish`: one workgroup per batch entry and
// group puts the slices together. Every thread sums differences from its first value, which loses nothing where the mean
// is far from zero; (count, mean, sum of squared deviations) are merged as Chan, Golub and LeVeque (1979) do.
// In front stand LANES and workgroup_sum (sum.wgsl), and the readers of x and second.

struct Params {
    batch: u32,
    positions: u32,
    first_channels: u32,
    second_channels: u32,
    groups: u32,
    slices: u32,
    eps: f32,
    // Of scale_shift: values from one batch entry to the next, and the first.
    pitch: u32,
    first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

// slices
// Mean and sum of squared deviations: [batch, slices, channels].
@group(0) @binding(3) var<storage, read_write> partials: array<vec2<f32>>;

fn value_at(pixel: u32, channel: u32) -> f32 {
    if channel >= params.first_channels {
        return read_second_1(pixel * params.second_channels + channel - params.first_channels);
    }
    return read_x_1(pixel * params.first_channels + channel);
}

@compute @workgroup_size(64)
fn slices(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = (group.x + group.y * groups.x) * 64u + local;
    let channels = params.first_channels + params.second_channels;
    if thread >= params.batch * params.slices * channels {
        return;
    }
    let channel = thread % channels;
    let slice = thread / channels % params.slices;
    let first = thread / channels / params.slices * params.positions;
    let origin = value_at(first + slice, channel);
    var sum = 0.0;
    var squares = 0.0;
    var count = 0.0;
    for (var position = slice; position < params.positions; position += params.slices) {
        let difference = value_at(first + position, channel) - origin;
        sum += difference;
        squares += difference * difference;
        count += 1.0;
    }
    partials[thread] = vec2(origin + sum / count, max(squares - sum * sum / count, 0.0));
}

// finish and whole
@group(0) @binding(1) var<storage, read> parts: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> scale_shift: array<f32>;
@group(0) @binding(6) var<storage, read_write> affine: array<f32>;

// The channels of one group of one batch entry.
struct Group {
    entry: u32,
    first_channel: u32,
    width: u32,
}

fn group_at(index: u32) -> Group {
    let width = (params.first_channels + params.second_channels) / params.groups;
    return Group(index / params.groups, index % params.groups * width, width);
}

// Count, mean and sum of squared deviations of two sets together.
fn merge(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
    let count = a.x + b.x;
    if count == 0.0 {
        return a;
    }
    let difference = b.y - a.y;
    let share = b.x / count;
    return vec3(count, a.y + difference * share, a.z + b.z + difference * difference * a.x * share);
}

// Merges what the lanes hold; then the affine of the group's channels.
fn write_affine(lane: u32, mine: vec3<f32>, group: Group) {
    let channels = params.first_channels + params.second_channels;
    let width = group.width;
    let count = f32(params.positions * width);
    let mean = workgroup_sum(lane, mine.x * mine.y) / count;
    let apart = mine.y - mean;
    let squares = workgroup_sum(lane, mine.z + mine.x * apart * apart);
    let inverse = 1.0 / sqrt(squares / count + params.eps);
    for (var i = lane; i < width; i += LANES) {
        let channel = group.first_channel + i;
        let own = weight[channel] * inverse;
        let at = group.entry * 2u * channels + channel;
        // An absent scale and shift read as zero.
        let given = group.entry * params.pitch + params.first + channel;
        let factor = 1.0 + scale_shift[given];
        affine[at] = own * factor;
        affine[at + channels] = (bias[channel] - mean * own) * factor + scale_shift[given + channels];
    }
}

@compute @workgroup_size(LANES)
fn finish(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group.x + group.y * groups.x;
    if index >= params.batch * params.groups {
        return;
    }
    let channels = params.first_channels + params.second_channels;
    let norm_group = group_at(index);
    let width = norm_group.width;
    var mine = vec3(0.0);
    for (var i = lane; i < params.slices * width; i += LANES) {
        let slice = i / width;
        let part = parts[(norm_group.entry * params.slices + slice) * channels + norm_group.first_channel + i % width];
        let count = (params.positions - slice + params.slices - 1u) / params.slices;
        mine = merge(mine, vec3(f32(count), part));
    }
    write_affine(lane, mine, norm_group);
}

@compute @workgroup_size(LANES)
fn whole(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group.x + group.y * groups.x;
    if index >= params.batch * params.groups {
        return;
    }
    let norm_group = group_at(index);
    let width = norm_group.width;
    let first_channel = norm_group.first_channel;
    let first = norm_group.entry * params.positions;
    let values = params.positions * width;
    var mine = vec3(0.0);
    if lane < values {
        let origin = value_at(first + lane / width, first_channel + lane % width);
        var sum = 0.0;
        var squares = 0.0;
        var count = 0.0;
        for (var i = lane; i < values; i += LANES) {
            let difference = value_at(first + i / width, first_channel + i % width) - origin;
            sum += difference;
            squares += difference * difference;
            count += 1.0;
        }
        mine = vec3(count, origin + sum / count, max(squares - sum * sum / count, 0.0));
    }
    write_affine(lane, mine, norm_group);
}
