// Attention with online softmax (Milakov and Gimelshein 2018; FlashAttention, Dao et al. 2022): the scores exist only
// one tile at a time. Keys and values come in one or two segments (text, then image) that stand one behind the other
// without being copied together.
//
// Tiling: a workgroup of 64 lanes, 8 × 8, takes QUERIES = 8·LANE_QUERIES queries of one head and walks over the keys
// in tiles of KEYS = 8·LANE_KEYS. The queries stay in workgroup memory, the tile of keys is overwritten by that of
// the values. A lane owns the queries (lane / 8) + 8·r: it computes LANE_QUERIES × LANE_KEYS scores, each Value read
// serving several products, and keeps its part of those queries' output in registers. Rows of the tiles are padded
// to an odd number of Values, so that lanes reading one column of different rows hit different banks. The tile is as
// large as 16 KiB allow for the head's width; a row's maximum meets in workgroup memory, its sum only once at the
// end. The loops over registers are written out (`// unroll`). In front stand the type Value, a vec4 or (for heads
// whose width is no multiple of 4) an f32, with its `product`, what reads and writes Values, and the constants PARTS (Values of a head),
// LANE_QUERIES, LANE_KEYS and LANE_PARTS (output Values of a lane per query).

struct Params {
    query_tokens: u32,
    // Keys of the two segments.
    first_tokens: u32,
    second_tokens: u32,
    heads: u32,
    scale: f32,
    // Batch entries that share one entry of a segment or of the mask.
    first_share: u32,
    second_share: u32,
    mask_share: u32,
    // 1 when there is a bias or a mask (else it is never read).
    has_bias: u32,
    has_mask: u32,
    // In Values: from one token to the next, and the first of a token, of queries, keys and values.
    q_pitch: u32,
    q_first: u32,
    first_key_pitch: u32,
    first_key_first: u32,
    first_value_pitch: u32,
    first_value_first: u32,
    second_key_pitch: u32,
    second_key_first: u32,
    second_value_pitch: u32,
    second_value_first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> mask: array<f32>;

const QUERIES = 8u * LANE_QUERIES;
const KEYS = 8u * LANE_KEYS;
const STRIDE = PARTS | 1u;
// Below any score that matters; finite, since WGSL need not honour infinities. A masked key's score is raised to it,
// so a fully masked query takes the plain mean of the values instead of 0 / 0.
const LOWEST = -1e30;

var<workgroup> queries: array<Value, QUERIES * STRIDE>;
var<workgroup> tile: array<Value, KEYS * STRIDE>;
var<workgroup> probabilities: array<f32, QUERIES * (KEYS + 1u)>;
var<workgroup> shares: array<f32, QUERIES * 8u>;

fn load_key(entry: u32, head: u32, key: u32, part: u32) -> Value {
    if key < params.first_tokens {
        let token = entry / params.first_share * params.first_tokens + key;
        return first_key_at(token * params.first_key_pitch + params.first_key_first + head * PARTS + part);
    }
    if key < params.first_tokens + params.second_tokens {
        let token = entry / params.second_share * params.second_tokens + key - params.first_tokens;
        return second_key_at(token * params.second_key_pitch + params.second_key_first + head * PARTS + part);
    }
    return Value();
}

fn load_value(entry: u32, head: u32, key: u32, part: u32) -> Value {
    if key < params.first_tokens {
        let token = entry / params.first_share * params.first_tokens + key;
        return first_value_at(token * params.first_value_pitch + params.first_value_first + head * PARTS + part);
    }
    if key < params.first_tokens + params.second_tokens {
        let token = entry / params.second_share * params.second_tokens + key - params.first_tokens;
        return second_value_at(token * params.second_value_pitch + params.second_value_first + head * PARTS + part);
    }
    return Value();
}

fn load_query(entry: u32, head: u32, query: u32, part: u32) -> Value {
    if query < params.query_tokens {
        return query_at((entry * params.query_tokens + query) * params.q_pitch + params.q_first + head * PARTS + part);
    }
    return Value();
}

// The score with bias and mask; of a key beyond the last it does not matter, but that it is no higher than others'.
fn adjusted(score: f32, entry: u32, head: u32, query: u32, key: u32) -> f32 {
    let tokens = params.first_tokens + params.second_tokens;
    if key >= tokens {
        return LOWEST;
    }
    var value = score;
    if query < params.query_tokens {
        if params.has_bias == 1u {
            value += bias[(head * params.query_tokens + query) * tokens + key];
        }
        if params.has_mask == 1u {
            value += mask[entry / params.mask_share * tokens + key];
        }
    }
    return max(value, LOWEST);
}

fn probability(score: f32, highest: f32, key: u32) -> f32 {
    return select(0.0, exp(score - highest), key < params.first_tokens + params.second_tokens);
}

fn store(entry: u32, head: u32, query: u32, part: u32, value: Value) {
    if query < params.query_tokens && part < PARTS {
        write(((entry * params.query_tokens + query) * params.heads + head) * PARTS + part, value);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let head = group.y;
    let entry = group.z;
    let first_query = group.x * QUERIES;
    let tokens = params.first_tokens + params.second_tokens;
    let lane_row = lane / 8u;
    let lane_column = lane % 8u;

    for (var i = lane; i < QUERIES * PARTS; i += 64u) {
        queries[i / PARTS * STRIDE + i % PARTS] = load_query(entry, head, first_query + i / PARTS, i % PARTS) * params.scale;
    }
    // unroll r LANE_QUERIES
    var highest_{r} = LOWEST;
    var sum_{r} = 0.0;
    // unroll p LANE_PARTS
    var output_{r}_{p} = Value();
    // end
    // end

    for (var first_key = 0u; first_key < tokens; first_key += KEYS) {
        for (var i = lane; i < KEYS * PARTS; i += 64u) {
            tile[i / PARTS * STRIDE + i % PARTS] = load_key(entry, head, first_key + i / PARTS, i % PARTS);
        }
        workgroupBarrier();
        // unroll r LANE_QUERIES
        // unroll c LANE_KEYS
        var score_{r}_{c} = 0.0;
        // end
        // end
        for (var part = 0u; part < PARTS; part++) {
            // unroll r LANE_QUERIES
            let query_{r} = queries[(lane_row + 8u * {r}u) * STRIDE + part];
            // end
            // unroll c LANE_KEYS
            let key_{c} = tile[(lane_column + 8u * {c}u) * STRIDE + part];
            // unroll r LANE_QUERIES
            score_{r}_{c} += product(query_{r}, key_{c});
            // end
            // end
        }
        // unroll r LANE_QUERIES
        var best_{r} = LOWEST;
        // unroll c LANE_KEYS
        score_{r}_{c} = adjusted(score_{r}_{c}, entry, head, first_query + lane_row + 8u * {r}u, first_key + lane_column + 8u * {c}u);
        best_{r} = max(best_{r}, score_{r}_{c});
        // end
        shares[(lane_row + 8u * {r}u) * 8u + lane_column] = best_{r};
        // end
        workgroupBarrier();
        // All lanes are done with the keys: the values may overwrite them.
        for (var i = lane; i < KEYS * PARTS; i += 64u) {
            tile[i / PARTS * STRIDE + i % PARTS] = load_value(entry, head, first_key + i / PARTS, i % PARTS);
        }
        // unroll r LANE_QUERIES
        best_{r} = highest_{r};
        for (var c = 0u; c < 8u; c++) {
            best_{r} = max(best_{r}, shares[(lane_row + 8u * {r}u) * 8u + c]);
        }
        let rescale_{r} = exp(highest_{r} - best_{r});
        highest_{r} = best_{r};
        sum_{r} *= rescale_{r};
        // unroll p LANE_PARTS
        output_{r}_{p} *= rescale_{r};
        // end
        // unroll c LANE_KEYS
        score_{r}_{c} = probability(score_{r}_{c}, best_{r}, first_key + lane_column + 8u * {c}u);
        sum_{r} += score_{r}_{c};
        probabilities[(lane_row + 8u * {r}u) * (KEYS + 1u) + lane_column + 8u * {c}u] = score_{r}_{c};
        // end
        // end
        workgroupBarrier();
        for (var key = 0u; key < KEYS; key++) {
            // unroll r LANE_QUERIES
            let probability_{r} = probabilities[(lane_row + 8u * {r}u) * (KEYS + 1u) + key];
            // end
            // unroll p LANE_PARTS
            if lane_column + 8u * {p}u < PARTS {
                let value = tile[key * STRIDE + lane_column + 8u * {p}u];
                // unroll r LANE_QUERIES
                output_{r}_{p} += probability_{r} * value;
                // end
            }
            // end
        }
        workgroupBarrier();
    }

    // unroll r LANE_QUERIES
    shares[(lane_row + 8u * {r}u) * 8u + lane_column] = sum_{r};
    // end
    workgroupBarrier();
    // unroll r LANE_QUERIES
    var total_{r} = 0.0;
    for (var c = 0u; c < 8u; c++) {
        total_{r} += shares[(lane_row + 8u * {r}u) * 8u + c];
    }
    // unroll p LANE_PARTS
    store(entry, head, first_query + lane_row + 8u * {r}u, lane_column + 8u * {p}u, output_{r}_{p} / total_{r});
    // end
    // end
}
