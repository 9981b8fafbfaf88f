//! How attention is cut into tiles: a function of the head's width and the number of queries alone.

use super::reader::Access;
use super::unroll::unroll;
use crate::gpu::plan::Tensor;

/// The kernel's variant: vector width, how many queries and keys a lane works on, and its share of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    /// Floats of a Value: 4, or 1 for heads whose width is no multiple of 4.
    pub vector: u32,
    /// Values of a head.
    parts: u32,
    pub lane_queries: u32,
    lane_keys: u32,
}

impl Tile {
    /// The largest tile for heads of this width that fits into 16 KiB of workgroup memory; more queries come before
    /// more keys, since each tile of keys is read once per tile of queries. None for heads that are too wide.
    pub fn choose(head: u32, query_tokens: u32, software: bool) -> Option<Self> {
        let vector = if head.is_multiple_of(4) { 4 } else { 1 };
        // With more queries to a lane each key is loaded less often, but there are fewer workgroups: a GPU needs many.
        let most = match query_tokens {
            0..=8 => 1,
            9..=16 => 2,
            17..1024 if !software => 2,
            _ => 4,
        };
        [(4, 4), (4, 2), (2, 4), (2, 2), (2, 1), (1, 4), (1, 2), (1, 1)]
            .map(|(lane_queries, lane_keys)| Self { vector, parts: head / vector, lane_queries, lane_keys })
            .into_iter()
            .find(|tile| tile.lane_queries <= most && tile.workgroup_bytes() <= 16 * 1024)
    }

    /// Workgroup memory of the kernel: queries, one tile of keys or values, probabilities, one value per row and column.
    fn workgroup_bytes(self) -> u32 {
        let (queries, keys) = (8 * self.lane_queries, 8 * self.lane_keys);
        4 * (self.vector * (self.parts | 1) * (queries + keys) + queries * (keys + 1) + queries * 8)
    }

    fn constants(self) -> [(&'static str, u32); 4] {
        [
            ("PARTS", self.parts),
            ("LANE_QUERIES", self.lane_queries),
            ("LANE_KEYS", self.lane_keys),
            ("LANE_PARTS", self.parts.div_ceil(8)),
        ]
    }

    /// The kernel's text with its loops over registers written out.
    pub fn unroll(self, text: &str) -> String {
        unroll(text, &self.constants())
    }

    /// What stands in front of the kernel's text: Values, their product, their readers and their writer, the constants.
    pub fn preamble(self, inputs: [(&str, Option<Tensor>); 5], y: Tensor) -> String {
        let wide = self.vector == 4;
        let mut text = String::from(if wide {
            "alias Value = vec4<f32>;\nfn product(a: Value, b: Value) -> f32 { return dot(a, b); }\n\
             fn write(i: u32, value: Value) { write_y(i * 4u, value, 4u); }\n"
        } else {
            "alias Value = f32;\nfn product(a: Value, b: Value) -> f32 { return a * b; }\n\
             fn write(i: u32, value: Value) { write_y(i, vec4(value), 1u); }\n"
        });
        text += &Access::of(Some(y), wide).writer("y", 8);
        for (binding, (name, tensor)) in (1..).zip(inputs) {
            text += &Access::of(tensor, wide).reader(name, binding);
            let read = if wide { format!("read_{name}(i * 4u)") } else { format!("read_{name}_1(i)") };
            text += &format!("fn {name}_at(i: u32) -> Value {{ return {read}; }}\n");
        }
        let constants = self.constants();
        constants.iter().fold(text, |text, (name, value)| text + &format!("const {name} = {value}u;\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::Tile;

    #[test]
    fn tiles_fit_and_shrink_with_the_head() {
        let lanes = |head, queries| Tile::choose(head, queries, false).map(|tile| (tile.lane_queries, tile.lane_keys));
        assert_eq!(lanes(32, 64), Some((2, 4)));
        assert_eq!(lanes(64, 64), Some((2, 4)));
        assert_eq!(lanes(88, 64), Some((2, 2)));
        assert_eq!(lanes(128, 64), Some((2, 1)));
        assert_eq!(lanes(64, 8), Some((1, 4)));
        assert_eq!(lanes(32, 4096), Some((4, 4)));
        for head in 1..=244 {
            for (queries, software) in [(1, false), (64, false), (4096, false), (1, true), (64, true)] {
                let tile = Tile::choose(head, queries, software).unwrap();
                assert!(tile.workgroup_bytes() <= 16 * 1024);
                assert_eq!(tile.parts * tile.vector, head);
            }
        }
        assert_eq!(lanes(256, 64), None);
    }
}
