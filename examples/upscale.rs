//! A picture of one's own, 64×64 or a square of a multiple of that, enlarged by the super-resolution stages.
//!
//!     cargo run --example upscale -- small.png large.png "a red house"

use imagen_web::cascade::{Cascade, Directory, Request, Silent, picture_settings};
use imagen_web::gpu::Backend;
use imagen_web::image::resample::box_downsample;
use imagen_web::image::{Picture, png};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(source), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("usage: upscale SMALL.png LARGE.png [PROMPT]".into());
    };
    let prompt = arguments.next().unwrap_or_else(|| "a picture".to_owned());
    let (picture, _) = png::read(&std::fs::read(source)?)?;

    let mut cascade = pollster::block_on(Cascade::open(Box::new(Directory::new("models/storybook")), Backend::Cpu))?;
    let low = cascade.manifest().stages.first().ok_or("a model without stages")?.image_size as usize;
    let (width, height) = (picture.width as usize, picture.height as usize);
    let small = box_downsample(&picture.to_planar(), [3, height, width], width / low)?;
    let request = Request {
        // Stages are counted from 1: the second one takes the picture.
        start_at_stage: 2,
        start_pictures: vec![Picture::from_planar(&small, low, low)?],
        ..Request::new(prompt)
    };
    let output = pollster::block_on(cascade.generate(&request, &mut Silent))?;
    let large = output.pictures().first().ok_or("no picture")?;
    let settings = picture_settings(&request, cascade.manifest(), cascade.manifest().stages.len() - 1)?;
    std::fs::write(&target, png::write(large, &settings)?)?;
    println!("{target}: {}×{}", large.width, large.height);
    Ok(())
}
