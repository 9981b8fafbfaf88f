// Attention with online softmax (Milakov and Gimelshein 2018; FlashAttention, Dao et al. 2022): the scores exist only
// one tile at a time. Keys and values come in one or two segments (text, then image) that stand one behind the other
// without being copied together.
//
// Tiling: a workgroup of 64 lanes, 8 × 8, takes QUERIES = 8·LANE_QUERIES queries of one head and walks over the keys in
// tiles of KEYS = 8·LANE_KEYS. The queries stay in workgroup memory, the tile of keys is overwritten by that of the
// values. A lane owns the queries (lane / 8) + 8·r: it computes LANE_QUERIES × LANE_KEYS scores, each
// Value read serving several products, and keeps its part of those queries' output in registers. Rows of the tiles are padded
// to an odd number of Values, so that lanes reading one column of different rows hit different banks. The tile is as large
// as 16 KiB allow for the head's width; a row's maximum meets in workgroup memory, its sum only once at the end.
// In front stand the type Value, a vec4 or (for heads whose width is no multiple of 4) an f32, with its `product`, and
// the constants PARTS (Values of a head), LANE_QUERIES, LANE_KEYS and LANE_PARTS (output Values of a lane per query).

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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Value>;
@group(0) @binding(2) var<storage, read> first_keys: array<Value>;
@group(0) @binding(3) var<storage, read> first_values: array<Value>;
@group(0) @binding(4) var<storage, read> second_keys: array<Value>;
@group(0) @binding(5) var<storage, read> second_values: array<Value>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read> mask: array<f32>;
@group(0) @binding(8) var<storage, read_write> y: array<Value>;

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
        return first_keys[(token * params.heads + head) * PARTS + part];
    }
    if key < params.first_tokens + params.second_tokens {
        let token = entry / params.second_share * params.second_tokens + key - params.first_tokens;
        return second_keys[(token * params.heads + head) * PARTS + part];
    }
    return Value();
}

fn load_value(entry: u32, head: u32, key: u32, part: u32) -> Value {
    if key < params.first_tokens {
        let token = entry / params.first_share * params.first_tokens + key;
        return first_values[(token * params.heads + head) * PARTS + part];
    }
    if key < params.first_tokens + params.second_tokens {
        let token = entry / params.second_share * params.second_tokens + key - params.first_tokens;
        return second_values[(token * params.heads + head) * PARTS + part];
    }
    return Value();
}

fn load_query(entry: u32, head: u32, query: u32, part: u32) -> Value {
    if query < params.query_tokens {
        return q[((entry * params.query_tokens + query) * params.heads + head) * PARTS + part];
    }
    return Value();
}

// The score with bias and mask; 0 outside.
fn adjusted(score: f32, entry: u32, head: u32, query: u32, key: u32) -> f32 {
    let tokens = params.first_tokens + params.second_tokens;
    var value = score;
    if query < params.query_tokens && key < tokens {
        if params.has_bias == 1u {
            value += bias[(head * params.query_tokens + query) * tokens + key];
        }
        if params.has_mask == 1u {
            value += mask[entry / params.mask_share * tokens + key];
        }
    }
    return max(value, LOWEST);
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
    var highest = array<f32, LANE_QUERIES>();
    var sum = array<f32, LANE_QUERIES>();
    var output = array<Value, LANE_QUERIES * LANE_PARTS>();
    for (var r = 0u; r < LANE_QUERIES; r++) {
        highest[r] = LOWEST;
    }

    for (var first_key = 0u; first_key < tokens; first_key += KEYS) {
        for (var i = lane; i < KEYS * PARTS; i += 64u) {
            tile[i / PARTS * STRIDE + i % PARTS] = load_key(entry, head, first_key + i / PARTS, i % PARTS);
        }
        workgroupBarrier();
        var scores = array<f32, LANE_QUERIES * LANE_KEYS>();
        for (var part = 0u; part < PARTS; part++) {
            for (var c = 0u; c < LANE_KEYS; c++) {
                let key = tile[(lane_column + 8u * c) * STRIDE + part];
                for (var r = 0u; r < LANE_QUERIES; r++) {
                    scores[r * LANE_KEYS + c] += product(queries[(lane_row + 8u * r) * STRIDE + part], key);
                }
            }
        }
        for (var r = 0u; r < LANE_QUERIES; r++) {
            let row = lane_row + 8u * r;
            var best = LOWEST;
            for (var c = 0u; c < LANE_KEYS; c++) {
                let key = first_key + lane_column + 8u * c;
                let score = adjusted(scores[r * LANE_KEYS + c], entry, head, first_query + row, key);
                scores[r * LANE_KEYS + c] = score;
                if key < tokens {
                    best = max(best, score);
                }
            }
            shares[row * 8u + lane_column] = best;
        }
        workgroupBarrier();
        // All lanes are done with the keys: the values may overwrite them.
        for (var i = lane; i < KEYS * PARTS; i += 64u) {
            tile[i / PARTS * STRIDE + i % PARTS] = load_value(entry, head, first_key + i / PARTS, i % PARTS);
        }
        for (var r = 0u; r < LANE_QUERIES; r++) {
            let row = lane_row + 8u * r;
            var best = highest[r];
            for (var c = 0u; c < 8u; c++) {
                best = max(best, shares[row * 8u + c]);
            }
            let rescale = exp(highest[r] - best);
            highest[r] = best;
            sum[r] *= rescale;
            for (var part = 0u; part < LANE_PARTS; part++) {
                output[r * LANE_PARTS + part] *= rescale;
            }
            for (var c = 0u; c < LANE_KEYS; c++) {
                var probability = 0.0;
                if first_key + lane_column + 8u * c < tokens {
                    probability = exp(scores[r * LANE_KEYS + c] - best);
                }
                sum[r] += probability;
                probabilities[row * (KEYS + 1u) + lane_column + 8u * c] = probability;
            }
        }
        workgroupBarrier();
        for (var key = 0u; key < KEYS; key++) {
            for (var part = 0u; part < LANE_PARTS; part++) {
                let column = lane_column + 8u * part;
                if column < PARTS {
                    let value = tile[key * STRIDE + column];
                    for (var r = 0u; r < LANE_QUERIES; r++) {
                        output[r * LANE_PARTS + part] += probabilities[(lane_row + 8u * r) * (KEYS + 1u) + key] * value;
                    }
                }
            }
        }
        workgroupBarrier();
    }

    for (var r = 0u; r < LANE_QUERIES; r++) {
        shares[(lane_row + 8u * r) * 8u + lane_column] = sum[r];
    }
    workgroupBarrier();
    for (var r = 0u; r < LANE_QUERIES; r++) {
        let row = lane_row + 8u * r;
        let query = first_query + row;
        var total = 0.0;
        for (var c = 0u; c < 8u; c++) {
            total += shares[row * 8u + c];
        }
        for (var part = 0u; part < LANE_PARTS; part++) {
            let column = lane_column + 8u * part;
            if query < params.query_tokens && column < PARTS {
                let at = ((entry * params.query_tokens + query) * params.heads + head) * PARTS + column;
                y[at] = output[r * LANE_PARTS + part] / total;
            }
        }
    }
}
