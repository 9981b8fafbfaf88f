// y = (conv(act(a · x + b)) + bias + residual) · scale as a matrix product: rows are output pixels, columns of the
// weight are the window's taps times the channels, channels fastest. The gathered matrix is never stored.
//
// Tiling: as in linear.wgsl, TILE_M pixels × TILE_N outputs per workgroup, 4 × 4 per thread, steps of 16 columns through
// workgroup memory. A thread always loads the same pixels and every fourth vec4 of columns, so it decodes its pixels
// once and walks through taps and channels by counting, without a division in the loop. Norm, activation, nearest
// upsampling and the second input are part of the load; an input value is normalised again for each tap and each
// TILE_N outputs, which is cheap beside their products. In front stand TILE_M, TILE_N and the readers of x, second
// and affine.

struct Params {
    m: u32,
    // Outputs of the layer, over all slabs; channels of y.
    n: u32,
    // Columns of the weight.
    k: u32,
    // This slab's part of the outputs.
    first_output: u32,
    outputs: u32,
    row_words: u32,
    scale_words: u32,
    scales_offset: u32,
    scale: f32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    // Channels of x and of second.
    first_channels: u32,
    second_channels: u32,
    window: u32,
    stride: u32,
    padding: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> weight: array<u32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read> residual: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

// All channel counts are multiples of 4: four columns are four channels of one tap and one input.
override WIDE: bool;
override HAS_SECOND: bool;
override HAS_NORM: bool;
override HAS_BIAS: bool;
// 0 none, 1 of the output's shape, 2 one vector per batch entry.
override RESIDUAL: u32;
// 1 where the picture is doubled first.
override UPSAMPLE: u32;
override ACTIVATION: u32;

const THREADS_N = TILE_N / 4u;
const THREADS_M = TILE_M / 4u;
const THREADS = THREADS_M * THREADS_N;
const STRIDE = 5u;
// Vec4 of each tile that a thread loads.
const PIXELS = 64u / TILE_N;
const ROWS = 64u / TILE_M;

var<workgroup> x_tile: array<vec4<f32>, TILE_M * STRIDE>;
var<workgroup> w_tile: array<vec4<f32>, TILE_N * STRIDE>;

// Where the window of an output pixel begins.
struct Origin {
    entry: u32,
    y: i32,
    x: i32,
}

// A column of the weight: a tap and a channel.
struct Column {
    y: u32,
    x: u32,
    channel: u32,
}

fn origin_of(pixel: u32) -> Origin {
    if pixel >= params.m {
        // Outside every picture.
        return Origin(0u, -1000000, 0);
    }
    let line = pixel / params.out_width;
    let y = line % params.out_height * params.stride;
    let x = pixel % params.out_width * params.stride;
    return Origin(line / params.out_height, i32(y) - i32(params.padding), i32(x) - i32(params.padding));
}

fn advance(column: Column, by: u32) -> Column {
    let channels = params.first_channels + params.second_channels;
    var next = column;
    next.channel += by;
    while next.channel >= channels {
        next.channel -= channels;
        next.x += 1u;
        if next.x == params.window {
            next.x = 0u;
            next.y += 1u;
        }
    }
    return next;
}

// The input pixel under a tap; none beyond the picture's edge or the weight's end.
struct Place {
    inside: bool,
    pixel: u32,
}

fn place_of(origin: Origin, column: Column) -> Place {
    let y = origin.y + i32(column.y);
    let x = origin.x + i32(column.x);
    let inside = column.y < params.window && y >= 0 && x >= 0
        && y < i32(params.height << UPSAMPLE) && x < i32(params.width << UPSAMPLE);
    let line = origin.entry * params.height + (u32(y) >> UPSAMPLE);
    return Place(inside, line * params.width + (u32(x) >> UPSAMPLE));
}

fn load_wide(origin: Origin, column: Column) -> vec4<f32> {
    let place = place_of(origin, column);
    if !place.inside {
        return vec4(0.0);
    }
    var value: vec4<f32>;
    if HAS_SECOND && column.channel >= params.first_channels {
        value = read_second(place.pixel * params.second_channels + column.channel - params.first_channels);
    } else {
        value = read_x(place.pixel * params.first_channels + column.channel);
    }
    if HAS_NORM {
        let channels = params.first_channels + params.second_channels;
        let affine = origin.entry * 2u * channels + column.channel;
        value = value * read_affine(affine) + read_affine(affine + channels);
    }
    return activate(ACTIVATION, value);
}

fn load_narrow(origin: Origin, first: Column) -> vec4<f32> {
    let channels = params.first_channels + params.second_channels;
    var column = first;
    var value = vec4(0.0);
    var inside = vec4(false);
    for (var i = 0u; i < 4u; i++) {
        let place = place_of(origin, column);
        if place.inside {
            var one: f32;
            if HAS_SECOND && column.channel >= params.first_channels {
                one = read_second_1(place.pixel * params.second_channels + column.channel - params.first_channels);
            } else {
                one = read_x_1(place.pixel * params.first_channels + column.channel);
            }
            if HAS_NORM {
                let affine = origin.entry * 2u * channels + column.channel;
                one = one * read_affine_1(affine) + read_affine_1(affine + channels);
            }
            value[i] = one;
            inside[i] = true;
        }
        column = advance(column, 1u);
    }
    return select(vec4(0.0), activate(ACTIVATION, value), inside);
}

fn store(pixel: u32, output: u32, sum: f32) {
    var value = sum;
    if HAS_BIAS {
        value += bias[output];
    }
    let at = pixel * params.n + output;
    if RESIDUAL == 1u {
        value += residual[at];
    } else if RESIDUAL == 2u {
        value += residual[pixel / (params.out_height * params.out_width) * params.n + output];
    }
    y[at] = value * params.scale;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = group.x + group.y * groups.x;
    let tiles_n = (params.outputs + TILE_N - 1u) / TILE_N;
    let first_m = tile / tiles_n * TILE_M;
    let first_n = tile % tiles_n * TILE_N;
    if first_m >= params.m {
        return;
    }
    let tx = local % THREADS_N;
    let ty = local / THREADS_N;
    // A row of the tiles has four vec4: a thread loads the part `local % 4` of every (THREADS / 4)-th row.
    let part_loaded = local % 4u;
    let row_loaded = local / 4u;
    var origins: array<Origin, PIXELS>;
    for (var i = 0u; i < PIXELS; i++) {
        origins[i] = origin_of(first_m + row_loaded + i * (THREADS / 4u));
    }
    var column = advance(Column(0u, 0u, 0u), part_loaded * 4u);
    var sums: array<vec4<f32>, 4>;
    for (var k = 0u; k < params.k; k += 16u) {
        for (var i = 0u; i < PIXELS; i++) {
            let at = (row_loaded + i * (THREADS / 4u)) * STRIDE + part_loaded;
            if WIDE {
                x_tile[at] = load_wide(origins[i], column);
            } else {
                x_tile[at] = load_narrow(origins[i], column);
            }
        }
        for (var i = 0u; i < ROWS; i++) {
            let row = row_loaded + i * (THREADS / 4u);
            let at = k + part_loaded * 4u;
            var value = vec4(0.0);
            if first_n + row < params.outputs && at < params.k {
                value = weight4(first_n + row, at);
            }
            w_tile[row * STRIDE + part_loaded] = value;
        }
        column = advance(column, 16u);
        workgroupBarrier();
        for (var part = 0u; part < 4u; part++) {
            let w0 = w_tile[tx * STRIDE + part];
            let w1 = w_tile[(tx + THREADS_N) * STRIDE + part];
            let w2 = w_tile[(tx + 2u * THREADS_N) * STRIDE + part];
            let w3 = w_tile[(tx + 3u * THREADS_N) * STRIDE + part];
            for (var i = 0u; i < 4u; i++) {
                let v = x_tile[(ty + i * THREADS_M) * STRIDE + part];
                sums[i] += vec4(dot(v, w0), dot(v, w1), dot(v, w2), dot(v, w3));
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let pixel = first_m + ty + i * THREADS_M;
        if pixel >= params.m {
            continue;
        }
        for (var j = 0u; j < 4u; j++) {
            let output = first_n + tx + j * THREADS_N;
            if output < params.outputs {
                store(pixel, params.first_output + output, sums[i][j]);
            }
        }
    }
}
