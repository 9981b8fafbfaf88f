//! An observer of one's own: keeps a preview of every fourth step as a PNG, and stops after the 64×64 stage.
//! Runs on the GPU where there is one.
//!
//!     cargo run --example observer

use async_trait::async_trait;
use imagen_web::cascade::{Cascade, CascadeError, Directory, Event, Observer, Request};
use imagen_web::gpu::{Backend, Device, DeviceOptions};
use imagen_web::image::png::{self, Settings};
use std::error::Error;

/// Writes previews and asks for the end once a stage is finished.
#[derive(Default)]
struct Previews {
    finished: bool,
}

#[async_trait(?Send)]
impl Observer for Previews {
    fn event(&mut self, event: Event) {
        match event {
            Event::Step { step, steps, preview: Some(picture), .. } => {
                let path = format!("preview-{step:02}.png");
                let written = png::write(&picture, &Settings::default()).map(|bytes| std::fs::write(&path, bytes));
                match written {
                    Ok(Ok(())) => println!("step {step} of {steps}: {path}"),
                    problem => println!("step {step} of {steps}: no preview: {problem:?}"),
                }
            }
            Event::StageFinished { image_size, .. } => {
                println!("{image_size}×{image_size} is finished");
                self.finished = true;
            }
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.finished
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let backend = match pollster::block_on(Device::request(DeviceOptions::default())) {
        Ok(device) if !device.info().software => Backend::Gpu(device),
        _ => Backend::Cpu,
    };
    println!("running on {}", backend.name());
    let files = Box::new(Directory::new("models/storybook"));
    let mut cascade = pollster::block_on(Cascade::open(files, backend))?;
    let request = Request { preview_every: Some(4), ..Request::new("a snowman with a red hat and scarf in the snow") };
    match pollster::block_on(cascade.generate(&request, &mut Previews::default())) {
        Err(CascadeError::Cancelled) => println!("stopped, as asked"),
        other => drop(other?),
    }
    Ok(())
}
