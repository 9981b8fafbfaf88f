// The sum of one value per lane of a workgroup of LANES (a power of two, at most 256).

var<workgroup> sums: array<f32, LANES>;

// Known to every lane. Called by the whole workgroup.
fn workgroup_sum(lane: u32, value: f32) -> f32 {
    // The sum before may still be read.
    workgroupBarrier();
    sums[lane] = value;
    workgroupBarrier();
    for (var reach = LANES / 2u; reach > 0u; reach /= 2u) {
        if lane < reach {
            sums[lane] += sums[lane + reach];
        }
        workgroupBarrier();
    }
    return sums[0];
}
