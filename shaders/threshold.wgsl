// Thresholding of x0 (Imagen, section 2.3): per image the limit to clamp to and the divisor to scale by.
// Dynamic: s = the quantile of |x0| with linear interpolation (as torch.quantile), kept in [1, max]; limit = divisor = s.
//
// Tiling: one workgroup of 256 per image finds the exact order statistics by radix selection. The bits of a
// non-negative float order as it does, so three passes over digits of 11, 10 and 10 bits, each a histogram in workgroup
// memory (8 KiB), walk down to the value at the rank; a fourth finds its successor. One workgroup means one dispatch and
// no global histogram to clear; a picture is read four times, which even at 1024² is little beside a U-Net. All
// arithmetic but the last line is on integers, so the result does not depend on the order of the atomics.
// Behind step.wgsl.

struct Params {
    // Values of one image.
    values: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
// Per image: x0 is clamped to ±limit and divided by divisor.
@group(0) @binding(2) var<storage, read_write> scales: array<vec2<f32>>;
@group(0) @binding(3) var<uniform> sampling: Step;

const BINS = 2048u;
const PER_LANE = 8u;
const UNLIMITED = 3.4e38;

var<workgroup> histogram: array<atomic<u32>, BINS>;
var<workgroup> sums: array<u32, 256>;
// The bin that holds the rank, the rank within it, and how many values it holds.
var<workgroup> chosen: vec3<u32>;
var<workgroup> successor: atomic<u32>;

fn magnitude(index: u32) -> u32 {
    return bitcast<u32>(x0[index]) & 0x7fffffffu;
}

// Finds the bin of the histogram in which the rank falls. Called by the whole workgroup after a barrier; ends on one.
fn choose(lane: u32, rank: u32) {
    var own = 0u;
    for (var i = 0u; i < PER_LANE; i++) {
        own += atomicLoad(&histogram[lane * PER_LANE + i]);
    }
    sums[lane] = own;
    workgroupBarrier();
    for (var reach = 1u; reach < 256u; reach *= 2u) {
        var before = 0u;
        if lane >= reach {
            before = sums[lane - reach];
        }
        workgroupBarrier();
        sums[lane] += before;
        workgroupBarrier();
    }
    var below = sums[lane] - own;
    if below <= rank && rank < sums[lane] {
        for (var i = 0u; i < PER_LANE; i++) {
            let count = atomicLoad(&histogram[lane * PER_LANE + i]);
            if below <= rank && rank < below + count {
                chosen = vec3<u32>(lane * PER_LANE + i, rank - below, count);
            }
            below += count;
        }
    }
    workgroupBarrier();
}

struct Rank {
    whole: u32,
    part: f32,
}

// quantile · last without rounding, whole and fractional part: in f32 the rank of a large picture would be off by whole
// places. The quantile is mantissa · 2^−shift, and a product of two u32 takes 64 bits.
fn rank_of(quantile: f32, last: u32) -> Rank {
    let bits = bitcast<u32>(quantile);
    let mantissa = (bits & 0x7fffffu) | 0x800000u;
    let shift = 150u - (bits >> 23u);
    let outer = (mantissa >> 16u) * (last >> 16u);
    let left = (mantissa >> 16u) * (last & 0xffffu);
    let right = (mantissa & 0xffffu) * (last >> 16u);
    let inner = (mantissa & 0xffffu) * (last & 0xffffu);
    let carry = (inner >> 16u) + (left & 0xffffu) + (right & 0xffffu);
    let low = (carry << 16u) | (inner & 0xffffu);
    let high = outer + (left >> 16u) + (right >> 16u) + (carry >> 16u);
    // 2^−shift from its bits: exp2 may be a few units off.
    let unit = bitcast<f32>((127u - min(shift, 126u)) << 23u);
    if shift < 32u {
        return Rank((high << (32u - shift)) | (low >> shift), f32(low & ((1u << shift) - 1u)) * unit);
    }
    // Quantiles below 1/256; far below, the rank is 0.
    let above = min(shift - 32u, 31u);
    return Rank(high >> above, f32(high & ((1u << above) - 1u)) * (unit * 4294967296.0) + f32(low) * unit);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let image = group.x;
    // The same for the whole workgroup: every lane leaves here or none does.
    if sampling.threshold_kind != 2u {
        if lane == 0u {
            scales[image] = vec2<f32>(select(UNLIMITED, sampling.threshold_max, sampling.threshold_kind == 1u), 1.0);
        }
        return;
    }
    let first = image * params.values;
    let place = rank_of(clamp(sampling.threshold_quantile, 0.0, 1.0), params.values - 1u);
    let lower = place.whole;
    var rank = lower;
    var prefix = 0u;
    var equal = 0u;
    for (var turn = 0u; turn < 3u; turn++) {
        let shift = 20u - 10u * turn;
        let bits = select(10u, 11u, turn == 0u);
        for (var i = lane; i < BINS; i += 256u) {
            atomicStore(&histogram[i], 0u);
        }
        workgroupBarrier();
        for (var i = lane; i < params.values; i += 256u) {
            let value = magnitude(first + i);
            if value >> (shift + bits) == prefix {
                atomicAdd(&histogram[(value >> shift) & ((1u << bits) - 1u)], 1u);
            }
        }
        workgroupBarrier();
        choose(lane, rank);
        prefix = (prefix << bits) | chosen.x;
        rank = chosen.y;
        equal = chosen.z;
        workgroupBarrier();
    }
    if lane == 0u {
        atomicStore(&successor, 0x7fffffffu);
    }
    workgroupBarrier();
    for (var i = lane; i < params.values; i += 256u) {
        let value = magnitude(first + i);
        if value > prefix {
            atomicMin(&successor, value);
        }
    }
    workgroupBarrier();
    if lane == 0u {
        var upper = prefix;
        // The last of its equals, and not the greatest of all: the next rank is the next greater value.
        if rank + 1u >= equal && lower + 1u < params.values {
            upper = atomicLoad(&successor);
        }
        let scale = min(max(mix_ranks(bitcast<f32>(prefix), bitcast<f32>(upper), place.part), 1.0), sampling.threshold_max);
        scales[image] = vec2<f32>(scale, scale);
    }
}

// torch.lerp: exact at both ends.
fn mix_ranks(lower: f32, upper: f32, weight: f32) -> f32 {
    if weight < 0.5 {
        return lower + weight * (upper - lower);
    }
    return upper - (upper - lower) * (1.0 - weight);
}
