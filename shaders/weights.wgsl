// Reads packed weights (`Layout` in src/gpu/weights/layout.rs). The kernel declares `weight: array<u32>` and has
// row_words, scale_words and scales_offset in its `params`.

// 0 F32, 1 F16, 2 Q8_0, 3 Q4_0.
override FORMAT: u32;

// The scale of the block of 32 that holds a column.
fn weight_scale(row: u32, column: u32) -> f32 {
    let block = column / 32u;
    let pair = unpack2x16float(weight[params.scales_offset + row * params.scale_words + block / 2u]);
    return select(pair.x, pair.y, (block & 1u) == 1u);
}

// Four values of a row of this slab from `column` on, which is a multiple of 4 within the padded row.
fn weight4(row: u32, column: u32) -> vec4<f32> {
    let start = row * params.row_words;
    switch FORMAT {
        case 0u: {
            let i = start + column;
            return bitcast<vec4<f32>>(vec4(weight[i], weight[i + 1u], weight[i + 2u], weight[i + 3u]));
        }
        case 1u: {
            let i = start + column / 2u;
            return vec4(unpack2x16float(weight[i]), unpack2x16float(weight[i + 1u]));
        }
        case 2u: {
            let word = weight[start + column / 4u];
            // Sign extension: each byte to the top, then an arithmetic shift down.
            let quants = bitcast<vec4<i32>>(vec4(word << 24u, word << 16u, word << 8u, word)) >> vec4(24u);
            return vec4<f32>(quants) * weight_scale(row, column);
        }
        default: {
            let within = column % 32u;
            let word = weight[start + column / 32u * 4u + within % 16u / 4u] >> (within / 16u * 4u);
            let quants = vec4(word, word >> 8u, word >> 16u, word >> 24u) & vec4(15u);
            return (vec4<f32>(quants) - 8.0) * weight_scale(row, column);
        }
    }
}
