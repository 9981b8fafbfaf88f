//! WGSL that reads or writes four neighbouring values of a tensor: at once where every row is a multiple of four values,
//! one by one where not. Tensors in half precision are unpacked and packed on the way, which needs no `shader-f16`.

use crate::gpu::plan::Tensor;

/// How a binding's values lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    half: bool,
    /// Every index is a multiple of 4.
    wide: bool,
}

impl Access {
    /// Of a tensor, or of a weight or nothing (f32).
    pub fn of(tensor: Option<Tensor>, wide: bool) -> Self {
        Self { half: tensor.is_some_and(|tensor| tensor.half), wide }
    }

    /// Of values in f32.
    pub const fn single(wide: bool) -> Self {
        Self { half: false, wide }
    }

    const fn element(self) -> &'static str {
        match (self.half, self.wide) {
            (false, false) => "f32",
            (false, true) => "vec4<f32>",
            (true, false) => "u32",
            (true, true) => "vec2<u32>",
        }
    }

    /// Declares storage binding `binding` as `NAME`, with `read_NAME(i) -> vec4<f32>` for the values from index i on (a
    /// multiple of 4 where `wide`), and `read_NAME_1(i) -> f32` for one value. Reading past the end gives some value.
    pub fn reader(self, name: &str, binding: u32) -> String {
        let one = match (self.half, self.wide) {
            (false, false) => format!("{name}[i]"),
            (false, true) => format!("{name}[i / 4u][i % 4u]"),
            (true, false) => format!("unpack2x16float({name}[i / 2u])[i % 2u]"),
            (true, true) => format!("unpack2x16float({name}[i / 4u][i / 2u % 2u])[i % 2u]"),
        };
        let four = match (self.half, self.wide) {
            (false, true) => format!("{name}[i / 4u]"),
            (true, true) => format!("vec4(unpack2x16float({name}[i / 4u].x), unpack2x16float({name}[i / 4u].y))"),
            _ => {
                let one = |offset| format!("read_{name}_1(i + {offset}u)");
                format!("vec4({}, {}, {}, {})", one(0), one(1), one(2), one(3))
            }
        };
        let element = self.element();
        format!(
            "@group(0) @binding({binding}) var<storage, read> {name}: array<{element}>;\n\
             fn read_{name}_1(i: u32) -> f32 {{ return {one}; }}\n\
             fn read_{name}(i: u32) -> vec4<f32> {{ return {four}; }}\n"
        )
    }

    /// Declares storage binding `binding` as `NAME`, with `write_NAME(i, value, count)` for the values from index i on (a
    /// multiple of 4 where `wide`), of which only the first `count` belong to the row. Half precision is only written
    /// wide; what it cannot hold becomes the largest value that it can.
    pub fn writer(self, name: &str, binding: u32) -> String {
        let body = match (self.half, self.wide) {
            (false, true) => format!("{name}[i / 4u] = value;"),
            (true, _) => format!(
                "let v = clamp(value, vec4(-65504.0), vec4(65504.0)); \
                 {name}[i / 4u] = vec2(pack2x16float(v.xy), pack2x16float(v.zw));"
            ),
            (false, false) => format!("for (var c = 0u; c < min(count, 4u); c++) {{ {name}[i + c] = value[c]; }}"),
        };
        let element = self.element();
        format!(
            "@group(0) @binding({binding}) var<storage, read_write> {name}: array<{element}>;\n\
             fn write_{name}(i: u32, value: vec4<f32>, count: u32) {{ {body} }}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::GpuError;
    use crate::gpu::kernels::{Activation, Attention, Conv, GroupNorm, Linear, Norm, Resample};
    use crate::gpu::plan::{PlanBuilder, Shape, Tensor};
    use crate::gpu::testing::{TestWeights, assert_close, device, featured_device, run_on, values};
    use crate::gpu::{Device, Hardware};
    use crate::weights::{BlockFormat, WeightIndex};
    use half::f16;
    use std::sync::Arc;

    fn output(
        device: &Arc<Device>,
        weights: &TestWeights,
        input: (Shape, &[f32]),
        build: impl FnOnce(&mut PlanBuilder, Tensor) -> Result<Tensor, GpuError>,
    ) -> Vec<f32> {
        let outputs = run_on(device, weights, &[input], None, |b, inputs| Ok(vec![("y", build(b, inputs[0])?)]));
        outputs.unwrap().remove("y").unwrap()
    }

    /// Storing halves needs no feature of the device.
    fn storing(b: &mut PlanBuilder) {
        b.choose_for(Hardware { half_storage: true, ..Hardware::default() });
    }

    #[test]
    fn values_are_rounded_to_halves_and_kept_within_their_range() {
        let shape = Shape::image(1, 2, 3, 8);
        let mut x: Vec<f32> = values(1, shape.values() as usize).iter().map(|v| v * 300.0).collect();
        (x[3], x[9], x[10]) = (1e6, -1e30, 6e-8);
        let stored = |channels| {
            let shape = Shape { channels, ..shape };
            let x = &x[..shape.values() as usize];
            output(&device(), &TestWeights::new(), (shape, x), |b, x| {
                storing(b);
                let doubled = b.in_half(|b| b.resample(x, Resample::Nearest2, None))?;
                assert_eq!(doubled.half, channels.is_multiple_of(4));
                b.resample(doubled, Resample::AvgPool2, None)
            })
        };
        let expected: Vec<f32> = x.iter().map(|v| f16::from_f32(v.clamp(-65504.0, 65504.0)).to_f32()).collect();
        assert_eq!(stored(8), expected);
        assert_eq!(stored(3), x[..18], "rows that are no multiple of four stay in f32");
    }

    /// What a U-Net's blocks do, with heads of a whole number of vec4 and of none.
    fn block(b: &mut PlanBuilder, x: Tensor, heads: u32) -> Result<Tensor, GpuError> {
        let affine = |b: &mut PlanBuilder, x, second, weight| {
            let norm = GroupNorm { groups: 4, eps: 1e-5, weight, bias: weight, scale_shift: None };
            Ok::<_, GpuError>(Norm { affine: b.group_norm(x, second, norm)?, activation: Activation::Silu })
        };
        let h = b.conv(x, Conv::new("conv", 3))?;
        let norm = affine(b, h, Some(h), "norm2")?;
        let h = b.conv(h, Conv { second: Some(h), norm: Some(norm), residual: Some(x), ..Conv::new("conv2", 3) })?;
        let norm = affine(b, h, None, "norm")?;
        let layer = |weight| Linear { norm: Some(norm), ..Linear::new(weight) };
        let parts = b.linears(h, &[layer("q"), layer("k"), layer("v")])?;
        let keys = [(parts[1], parts[2])];
        let h2 = b.attention(parts[0], Attention { keys: &keys, heads, scale: 0.4, bias: None, mask: None })?;
        let h = b.linear(h2, Linear { gate: Some(h2), residual: Some(h), ..Linear::new("q") })?;
        let h = b.resample(h, Resample::AvgPool2, Some(norm))?;
        b.conv(h, Conv { upsample: true, ..Conv::new("conv", 3) })
    }

    #[test]
    fn a_block_in_half_precision_is_close_to_one_in_single() {
        let mut weights = TestWeights::new();
        for (name, columns) in [("conv", 9 * 24), ("conv2", 9 * 48), ("q", 24), ("k", 24), ("v", 24)] {
            weights.random(name, &[24, columns], BlockFormat::F16);
        }
        weights.random("norm", &[24], BlockFormat::F32);
        weights.random("norm2", &[48], BlockFormat::F32);
        // Few rows take another kernel.
        for (side, heads) in [(6, 2), (6, 4), (2, 2)] {
            let shape = Shape::image(2, side, side, 24);
            let x = values(5, shape.values() as usize);
            let single = output(&device(), &weights, (shape, &x), |b, x| {
                let h = block(b, x, heads)?;
                b.conv(h, Conv::new("conv", 3))
            });
            for (device, half) in [(device(), false), (featured_device(), featured_device().hardware().half)] {
                let stored = output(&device, &weights, (shape, &x), |b, x| {
                    b.choose_for(Hardware { half_storage: true, half, ..Hardware::default() });
                    let h = b.in_half(|b| block(b, x, heads))?;
                    assert!(h.half);
                    b.conv(h, Conv::new("conv", 3))
                });
                assert_close(&stored, &single, 2e-2);
                assert_ne!(stored, single);
            }
        }
    }

    #[test]
    fn halves_go_only_where_they_are_understood() {
        let mut b = PlanBuilder::new(&WeightIndex::new(), &wgpu::Limits::default());
        storing(&mut b);
        let x = b.input("x", Shape::image(1, 2, 2, 4)).unwrap();
        let halves = b.in_half(|b| b.resample(x, Resample::Nearest2, None)).unwrap();
        assert!(matches!(b.mean_tokens(halves, None), Err(GpuError::Shape { .. })));
        b.output("y", halves);
        assert!(matches!(b.finish(), Err(GpuError::Shape { op: "output", .. })));
    }
}
