// The sum of one value per lane of a workgroup that is one subgroup: no memory, no barrier.

// Known to every lane. Called by the whole workgroup.
fn workgroup_sum(lane: u32, value: f32) -> f32 {
    return subgroupAdd(value);
}
