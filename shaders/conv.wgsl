// y = (conv(act(a · x + b)) + bias + residual) · scale as a matrix product: rows are output pixels, columns of the
// weight are the window's taps times the channels, channels fastest. The gathered matrix is never stored.
//
// Tiling: as in linear.wgsl, TILE_M pixels × TILE_N outputs per workgroup, ROWS × OUTPUTS per thread in registers,
// steps of 16 columns through workgroup memory. A thread always loads the same pixels and every fourth vec4 of
// columns: the pixels are decoded once, and it walks through taps and channels by counting, without a division in
// the loop. Norm, activation, nearest upsampling and the second input are part of the load; an input value is
// normalised again for each tap and each TILE_N outputs, which is cheap beside their products. The loops over
// registers are written out (`// unroll`), those that load are not: their branches make slow compilers slower still.
// In front stand TILE_M, TILE_N, THREADS_M, THREADS_N, Factor (what is multiplied), tile.wgsl, the readers of x, second,
// affine, bias and residual, and the writer of y. What layers differ in and costs little is a parameter, not a constant: every
// constant is another pipeline to compile.

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
    // 1 where the picture is doubled first.
    upsample: u32,
    // Of the residual: values from one batch entry to the next, from one pixel to the next, and the first. With a
    // vector per batch entry the second is 0.
    residual_entry: u32,
    residual_pixel: u32,
    residual_first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(4) var<storage, read> weight: array<u32>;

// All channel counts are multiples of 4: four columns are four channels of one tap and one input.
override WIDE: bool;
override HAS_NORM: bool;
override ACTIVATION: u32;

var<workgroup> origins: array<Origin, TILE_M>;

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
        && y < i32(params.height << params.upsample) && x < i32(params.width << params.upsample);
    let line = origin.entry * params.height + (u32(y) >> params.upsample);
    return Place(inside, line * params.width + (u32(x) >> params.upsample));
}

// Four channels of one input pixel, before the norm.
fn read_wide(place: Place, channel: u32) -> vec4<f32> {
    if channel >= params.first_channels {
        return read_second(place.pixel * params.second_channels + channel - params.first_channels);
    }
    return read_x(place.pixel * params.first_channels + channel);
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
            if column.channel >= params.first_channels {
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

// `first` counts within the slab; what lies beyond its outputs is dropped.
fn store(pixel: u32, first: u32, sum: vec4<f32>) {
    if pixel >= params.m || first >= params.outputs {
        return;
    }
    let output = params.first_output + first;
    let pixels = params.out_height * params.out_width;
    let residual = pixel / pixels * params.residual_entry + pixel % pixels * params.residual_pixel;
    // An absent bias or residual reads as zero.
    let value = sum + read_bias(output) + read_residual(residual + params.residual_first + output);
    write_y(pixel * params.n + output, value * params.scale, params.outputs - first);
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
    let channels = params.first_channels + params.second_channels;
    let tx = local % THREADS_N;
    let ty = local / THREADS_N;
    // A row of the tiles has four vec4: a thread loads the part `local % 4` of every (THREADS / 4)-th row.
    let part_loaded = local % 4u;
    let row_loaded = local / 4u;
    for (var row = local; row < TILE_M; row += THREADS) {
        origins[row] = origin_of(first_m + row);
    }
    workgroupBarrier();
    // unroll r ROWS
    // unroll c QUADS
    var sum_{r}_{c} = vec4(0.0);
    // end
    // end
    var column = advance(Column(0u, 0u, 0u), part_loaded * 4u);
    for (var first_k = 0u; first_k < params.k; first_k += 16u) {
        let k = first_k + part_loaded * 4u;
        var factor = vec4(1.0);
        var summand = vec4(0.0);
        var entry = 0xffffffffu;
        for (var row = row_loaded; row < TILE_M; row += THREADS / 4u) {
            let origin = origins[row];
            var value = vec4(0.0);
            if WIDE {
                let place = place_of(origin, column);
                if place.inside {
                    value = read_wide(place, column.channel);
                    if HAS_NORM {
                        if entry != origin.entry {
                            entry = origin.entry;
                            factor = read_affine(entry * 2u * channels + column.channel);
                            summand = read_affine((entry * 2u + 1u) * channels + column.channel);
                        }
                        value = activate(ACTIVATION, value * factor + summand);
                    }
                }
            } else {
                value = load_narrow(origin, column);
            }
            x_tile[row * STRIDE + part_loaded] = Factor(value);
        }
        column = advance(column, 16u);
        // Here stands tile_product.wgsl.
    }
    // unroll r ROWS
    // unroll c QUADS
    store(first_m + ty + {r}u * THREADS_M, first_n + tx * 4u + {c}u * (4u * THREADS_N), sum_{r}_{c});
    // end
    // end
}
