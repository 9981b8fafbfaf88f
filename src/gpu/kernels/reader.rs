//! WGSL that reads or writes four neighbouring values of a tensor: as one vec4 where every row is a multiple of four
//! values, one by one where not.

/// Declares storage binding `binding` as `NAME`, with `read_NAME(i) -> vec4<f32>` for the values from index i on (a
/// multiple of 4 where `wide`), and `read_NAME_1(i) -> f32` for one value. Reading past the end gives some value.
pub(super) fn reader(name: &str, binding: u32, wide: bool) -> String {
    let (element, four, one) = if wide {
        ("vec4<f32>", format!("{name}[i / 4u]"), format!("{name}[i / 4u][i % 4u]"))
    } else {
        ("f32", format!("vec4({name}[i], {name}[i + 1u], {name}[i + 2u], {name}[i + 3u])"), format!("{name}[i]"))
    };
    format!(
        "@group(0) @binding({binding}) var<storage, read> {name}: array<{element}>;\n\
         fn read_{name}(i: u32) -> vec4<f32> {{ return {four}; }}\n\
         fn read_{name}_1(i: u32) -> f32 {{ return {one}; }}\n"
    )
}

/// Declares storage binding `binding` as `NAME`, with `write_NAME(i, value, count)` for the values from index i on (a
/// multiple of 4 where `wide`), of which only the first `count` belong to the row.
pub(super) fn writer(name: &str, binding: u32, wide: bool) -> String {
    let (element, body) = if wide {
        ("vec4<f32>", format!("{name}[i / 4u] = value;"))
    } else {
        ("f32", format!("for (var c = 0u; c < min(count, 4u); c++) {{ {name}[i + c] = value[c]; }}"))
    };
    format!(
        "@group(0) @binding({binding}) var<storage, read_write> {name}: array<{element}>;\n\
         fn write_{name}(i: u32, value: vec4<f32>, count: u32) {{ {body} }}\n"
    )
}
