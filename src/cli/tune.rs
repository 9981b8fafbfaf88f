//! `imagen tune`: measures the tiles of the matrix kernels on this machine's GPU.

use super::args::Tune;
use super::exit::Failure;
use super::model::gpu;
use crate::gpu::tune::{Timing, USUAL, measure};
use pollster::block_on;
use serde_json::json;

pub(super) fn run(options: &Tune, as_json: bool) -> Result<(), Failure> {
    let (device, words) = gpu(options.half)?;
    if !as_json {
        println!(
            "{words}\nms and GFLOP/s of each tile (results of a thread, in threads); * the table's, < the fastest"
        );
    }
    for product in USUAL.into_iter().take(options.products.into()) {
        let timings =
            block_on(measure(&device, product, options.format.into(), options.runs.into())).map_err(Failure::new)?;
        let fastest = timings.iter().map(|timing| timing.milliseconds).fold(f64::INFINITY, f64::min);
        if !as_json {
            println!("\n{product}");
        }
        for Timing { tile, milliseconds, gflops, chosen } in timings {
            if as_json {
                let (product, tile) = (product.to_string(), tile.to_string());
                println!(
                    "{}",
                    json!({"product": product, "tile": tile, "ms": milliseconds, "gflops": gflops, "chosen": chosen})
                );
            } else {
                let own = if chosen { "*" } else { " " };
                let best = if milliseconds <= fastest { "<" } else { " " };
                println!("  {own}{best} {tile:<14} {milliseconds:>10.3} {gflops:>10.2}");
            }
        }
    }
    Ok(())
}
