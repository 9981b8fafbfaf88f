// Where a pixel of a planar picture lies in the network's channels-last output, folded by patch: channel
// colour·p² + i·p + j at position (y / p, x / p), with i = y % p and j = x % p. Shared by predict_x0 and sampler_update.

struct Params {
    // Values of the planar tensor [images, colours, size, size].
    values: u32,
    images: u32,
    colours: u32,
    size: u32,
    patch_size: u32,
    // Channels of the network's output: colours·p², or twice that when it predicts the variance too.
    network_channels: u32,
    // 1 with guidance: there are rows without the prompt and rows with it.
    guided: u32,
    // The first of the rows with the prompt.
    told_row: u32,
    // 0 epsilon, 1 sample, 2 v.
    prediction: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

struct Pixel {
    image: u32,
    colour: u32,
    y: u32,
    x: u32,
}

// The pixel at an index of the planar tensor.
fn pixel_at(index: u32) -> Pixel {
    let line = index / params.size;
    let plane = line / params.size;
    return Pixel(plane / params.colours, plane % params.colours, line % params.size, index % params.size);
}

// Its place in one row of the network's output; `colour` may name a variance plane.
fn network_index(row: u32, colour: u32, pixel: Pixel) -> u32 {
    let side = params.size / params.patch_size;
    let position = (row * side + pixel.y / params.patch_size) * side + pixel.x / params.patch_size;
    let within = pixel.y % params.patch_size * params.patch_size + pixel.x % params.patch_size;
    return position * params.network_channels + colour * params.patch_size * params.patch_size + within;
}
