//! How fast each tile of the matrix kernels is on a device: what the tables in `kernels::tile` are made from.

use super::kernels::{Conv, Linear, Tile, tiles};
use super::plan::{PlanBuilder, PlanDescription, Shape};
use super::{Device, GpuError};
use crate::weights::{BlockFormat, GgufWriter, MemorySource, Metadata, WeightIndex, Weights};
use std::sync::Arc;
use std::time::Instant;

/// A product of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// `tokens` rows of `inputs` values through a layer.
    Linear { tokens: u32, inputs: u32, outputs: u32 },
    /// A 3 × 3 convolution of two pictures, as guidance makes them.
    Conv { size: u32, channels: u32, outputs: u32 },
}

/// Products of the shapes that matter: storybook's, DeepFloyd IF-I-M's and T5-base's.
pub const USUAL: [Product; 9] = [
    Product::Conv { size: 32, channels: 32, outputs: 32 },
    Product::Conv { size: 16, channels: 64, outputs: 64 },
    Product::Conv { size: 4, channels: 256, outputs: 256 },
    Product::Conv { size: 64, channels: 192, outputs: 192 },
    Product::Conv { size: 16, channels: 576, outputs: 576 },
    Product::Linear { tokens: 77, inputs: 768, outputs: 768 },
    Product::Linear { tokens: 77, inputs: 768, outputs: 2048 },
    Product::Linear { tokens: 512, inputs: 128, outputs: 384 },
    Product::Linear { tokens: 2048, inputs: 576, outputs: 576 },
];

impl std::fmt::Display for Product {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Linear { tokens, inputs, outputs } => write!(f, "linear, {tokens} rows, {inputs} to {outputs}"),
            Self::Conv { size, channels, outputs } => {
                write!(f, "3×3 convolution, 2 × {size}×{size}, {channels} to {outputs}")
            }
        }
    }
}

/// One tile on one product.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub tile: Tile,
    /// Of one run: the fastest of several.
    pub milliseconds: f64,
    pub gflops: f64,
    /// The table's choice.
    pub chosen: bool,
}

/// Times every tile that fits the device, with weights of `format`.
///
/// # Errors
/// A format that does not divide the weight's rows, out of memory, or the device is lost.
pub async fn measure(
    device: &Arc<Device>,
    product: Product,
    format: BlockFormat,
    runs: u32,
) -> Result<Vec<Timing>, GpuError> {
    let (rows, columns) = match product {
        Product::Linear { inputs, outputs, .. } => (outputs, inputs),
        Product::Conv { channels, outputs, .. } => (outputs, 9 * channels),
    };
    let bytes = weight(rows as usize, columns as usize, format)?;
    let own = plan(device, &index(rows, columns, format), product, None)?.1;
    let mut timings = Vec::new();
    for tile in tiles().filter(|tile| tile.fits(device.limits())) {
        let (description, _) = plan(device, &index(rows, columns, format), product, Some(tile))?;
        let mut weights = Weights::open(Box::new(MemorySource::new("tune", bytes.clone()))).await?;
        let uploaded = description.upload(device, &mut weights).await?;
        let plan = description.compile(device, &uploaded, &mut |_, _| {}).await?;
        plan.run("step")?;
        device.finished().await?;
        let mut best = f64::INFINITY;
        for _ in 0..runs.max(1) {
            let start = Instant::now();
            plan.run("step")?;
            device.finished().await?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        let gflops = description.flops("step") as f64 / best / 1e9;
        timings.push(Timing { tile, milliseconds: best * 1e3, gflops, chosen: tile == own });
    }
    Ok(timings)
}

/// The product as a plan with the given tile, or with the table's; and that of the table.
fn plan(
    device: &Device,
    index: &WeightIndex,
    product: Product,
    tile: Option<Tile>,
) -> Result<(PlanDescription, Tile), GpuError> {
    let mut b = PlanBuilder::for_device(index, device);
    let (m, n) = match product {
        Product::Linear { tokens, outputs, .. } => (tokens, outputs),
        Product::Conv { size, outputs, .. } => (2 * size * size, outputs),
    };
    let own = b.tile(m, n);
    if let Some(tile) = tile {
        b.force_tile(tile);
    }
    let y = match product {
        Product::Linear { tokens, inputs, .. } => {
            let x = b.input("x", Shape::tokens(1, tokens, inputs))?;
            b.linear(x, Linear::new("w"))?
        }
        Product::Conv { size, channels, .. } => {
            let x = b.input("x", Shape::image(2, size, size, channels))?;
            b.conv(x, Conv::new("w", 3))?
        }
    };
    b.output("y", y);
    Ok((b.finish()?, own))
}

fn index(rows: u32, columns: u32, format: BlockFormat) -> WeightIndex {
    let mut index = WeightIndex::new();
    index.insert("w".to_owned(), vec![rows as usize, columns as usize], format);
    index
}

/// A file with one weight of small numbers.
fn weight(rows: usize, columns: usize, format: BlockFormat) -> Result<Vec<u8>, GpuError> {
    let values: Vec<f32> = (0..rows * columns).map(|i| (i % 13) as f32 / 13.0 - 0.5).collect();
    let mut writer = GgufWriter::new("tune", Metadata::new("tune"));
    writer.declare("w", &[rows, columns], format)?;
    let mut body = writer.begin(Vec::new())?;
    body.rows(&values)?;
    Ok(body.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::testing::device;

    #[test]
    fn every_tile_is_timed_and_one_is_the_tables() {
        let product = Product::Linear { tokens: 20, inputs: 64, outputs: 24 };
        let timings = pollster::block_on(measure(&device(), product, BlockFormat::Q8_0, 1)).unwrap();
        assert!(timings.len() > 8);
        assert!(timings.iter().all(|timing| timing.milliseconds > 0.0 && timing.gflops > 0.0));
        assert_eq!(timings.iter().filter(|timing| timing.chosen).count(), 1);
        let odd = Product::Linear { tokens: 20, inputs: 40, outputs: 24 };
        assert!(pollster::block_on(measure(&device(), odd, BlockFormat::Q8_0, 1)).is_err());
    }
}
