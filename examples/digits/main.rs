//! Handwritten digits from nothing: prepares what `imagen train` needs for them, see `examples/digits/README.md`.
//!
//!     cargo run --example digits -- out/digits

mod prepare;
mod strokes;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("give the folder to prepare: cargo run --example digits -- out/digits")?;
    let out = Path::new(&out);
    prepare::data(&out.join("data"), 6000, 0)?;
    prepare::model(Path::new("models/storybook"), &out.join("model"))?;
    println!("{} has data and model; go on with examples/digits/README.md", out.display());
    Ok(())
}
