//! A picture from a prompt, on the CPU.
//!
//!     cargo run --example generate -- "a red house on a hill at night" house.png

use imagen_web::cascade::{Cascade, Directory, Request, Silent, picture_settings};
use imagen_web::gpu::Backend;
use imagen_web::image::png;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let prompt = arguments.next().unwrap_or_else(|| "a red house on a hill at night".to_owned());
    let path = arguments.next().unwrap_or_else(|| "house.png".to_owned());

    let files = Directory::new("models/storybook");
    let request = Request { seed: 7, ..Request::new(prompt) };
    let output = pollster::block_on(async {
        let mut cascade = Cascade::open(Box::new(files), Backend::Cpu).await?;
        let output = cascade.generate(&request, &mut Silent).await?;
        let last = cascade.manifest().stages.len() - 1;
        let settings = picture_settings(&request, cascade.manifest(), last)?;
        Ok::<_, Box<dyn Error>>((output, settings))
    });
    let (output, settings) = output?;
    let picture = output.pictures().first().ok_or("no picture")?;
    std::fs::write(&path, png::write(picture, &settings)?)?;
    println!("{path}\n{}", settings.to_parameters());
    Ok(())
}
