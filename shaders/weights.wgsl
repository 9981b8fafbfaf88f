// Reads packed weights (`Layout` in src/gpu/weights/layout.rs). The kernel declares `weight: array<u32>` and has
// row_words, scale_words and scales_offset in its `params`.

// 0 F32, 1 F16, 2 BF16, 3 Q8_0, 4 Q4_0, 5 Q5_0, 6 Q4_K, 7 Q5_K, 8 Q6_K.
override FORMAT: u32;

// Four neighbouring quants of `bits` bits each, which lie from the word `first` on: byte k of a word holds the values k,
// k + 4, k + 8, …, the first of them in its lowest bits.
fn quants4(first: u32, column: u32, bits: u32) -> vec4<f32> {
    let word = weight[first + column * bits / 32u] >> (column / 4u * bits % 8u);
    return vec4<f32>(vec4(word, word >> 8u, word >> 16u, word >> 24u) & vec4((1u << bits) - 1u));
}

// Scale and minimum of the group that holds a column.
fn weight_scale(row: u32, column: u32) -> vec2<f32> {
    let first = params.scales_offset + row * params.scale_words;
    if FORMAT <= 5u {
        let pair = unpack2x16float(weight[first + column / 64u]);
        return vec2(select(pair.x, pair.y, (column & 32u) != 0u), 0.0);
    }
    let block = first + column / 256u * 5u;
    let d = bitcast<f32>(weight[block]);
    if FORMAT == 8u {
        // Sign extension: the byte to the top, then an arithmetic shift down.
        let word = weight[block + 1u + column / 64u % 4u] << (24u - column / 16u % 4u * 8u);
        return vec2(d * f32(bitcast<i32>(word) >> 24u), 0.0);
    }
    let parts = vec3(weight[block + 2u], weight[block + 3u], weight[block + 4u]) >> vec3(column / 32u % 8u * 4u);
    let upper = vec2(parts.z, parts.z >> 2u) & vec2(3u);
    return vec2(d, bitcast<f32>(weight[block + 1u])) * vec2<f32>((upper << vec2(4u)) | (parts.xy & vec2(15u)));
}

// Four values of a row of this slab from `column` on, which is a multiple of 4 within the padded row.
fn weight4(row: u32, column: u32) -> vec4<f32> {
    let start = row * params.row_words;
    var quants: vec4<f32>;
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
            let i = start + column / 2u;
            let words = vec2(weight[i], weight[i + 1u]).xxyy;
            return bitcast<vec4<f32>>((words << vec4(16u, 0u, 16u, 0u)) & vec4(0xffff0000u));
        }
        case 3u: {
            quants = quants4(start, column, 8u) - 128.0;
        }
        case 4u: {
            quants = quants4(start, column, 4u) - 8.0;
        }
        case 6u: {
            quants = quants4(start, column, 4u);
        }
        default: {
            // Blocks of 32: their low nibbles, then their upper bits.
            let upper = select(1u, 2u, FORMAT == 8u);
            let block = start + column / 32u * (4u + upper);
            quants = quants4(block, column % 32u, 4u) + 16.0 * quants4(block + 4u, column % 32u, upper);
            quants -= select(select(16.0, 0.0, FORMAT == 7u), 32.0, FORMAT == 8u);
        }
    }
    let scale = weight_scale(row, column);
    return quants * scale.x - scale.y;
}
