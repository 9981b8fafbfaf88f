//! Finds the model, opens it, and chooses the device.

use super::args::{DeviceChoice, Setup};
use super::exit::Failure;
use super::interrupt;
use crate::cascade::{Cascade, Directory};
use crate::gpu::{Backend, Device, DeviceOptions, GpuError};
use pollster::block_on;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a model lies when nobody says so, below the working directory or the program's own.
const USUAL: &str = "models/storybook";
/// Names the model's folder.
const VARIABLE: &str = "IMAGEN_MODEL";

/// The folder of the model: the option, the environment, or the usual places.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let here = |path: PathBuf, named: &str| match path.join(crate::cascade::manifest::MANIFEST_FILE).is_file() {
        true => Ok(path),
        false => Err(Failure::new(format!(
            "{named} {} holds no model (no imagen.json); convert one with `imagen convert SRC -o DIR`",
            path.display()
        ))),
    };
    if let Some(path) = given {
        return here(path.to_owned(), "--model");
    }
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return here(path.into(), VARIABLE);
    }
    let program = std::env::current_exe().ok().and_then(|path| path.parent().map(|folder| folder.join(USUAL)));
    let usual = [Some(PathBuf::from(USUAL)), program].into_iter().flatten();
    usual.into_iter().find(|path| path.join(crate::cascade::manifest::MANIFEST_FILE).is_file()).ok_or_else(|| {
        let message = format!(
            "no model found in {USUAL}, here or beside the program; give its folder with --model or {VARIABLE}"
        );
        Failure::new(message)
    })
}

/// A model on a device.
pub(super) struct Opened {
    pub cascade: Cascade,
    /// What the device is, in words.
    pub device: String,
}

/// Opens the model and the device, and says on stderr which device it is.
pub(super) fn open(setup: &Setup, quiet: bool) -> Result<Opened, Failure> {
    let path = find(setup.model.as_deref())?;
    if let Some(threads) = setup.threads {
        // Fails only if the pool runs already; nothing has used it yet.
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global().map_err(Failure::new)?;
    }
    let (backend, device) = choose(setup.device)?;
    if !quiet {
        eprintln!("Device: {device}");
    }
    interrupt::listen()?;
    let mut cascade = block_on(Cascade::open(Box::new(Directory::new(path)), backend))?;
    cascade.set_gpu_memory(setup.gpu_memory.map(|size| size.as_u64()));
    Ok(Opened { cascade, device })
}

fn request(half: bool) -> Result<Arc<Device>, GpuError> {
    block_on(Device::request(DeviceOptions { half, ..DeviceOptions::default() }))
}

fn describe(device: &Device) -> String {
    let info = device.info();
    let kind = if info.software { "software adapter, the CPU does its work" } else { "GPU" };
    format!("{} ({kind}, {}{})", info.name, info.api, device.hardware().precision())
}

/// A GPU, a software adapter included, and what it is in words.
pub(super) fn gpu(half: bool) -> Result<(Arc<Device>, String), Failure> {
    let device = request(half).map_err(Failure::new)?;
    let words = describe(&device);
    Ok((device, words))
}

/// The backend of a choice, and what it is in words.
fn choose(choice: DeviceChoice) -> Result<(Backend, String), Failure> {
    match choice {
        DeviceChoice::Cpu => Ok((Backend::Cpu, "CPU".to_owned())),
        DeviceChoice::Gpu | DeviceChoice::GpuHalf => {
            let half = choice == DeviceChoice::GpuHalf;
            let device = request(half).map_err(|error| Failure::new(format!("{error}; or leave --device gpu out")))?;
            let words = describe(&device);
            Ok((Backend::Gpu(device), words))
        }
        DeviceChoice::Auto => Ok(match request(false) {
            Ok(device) if !device.info().software => {
                let words = describe(&device);
                (Backend::Gpu(device), words)
            }
            Ok(device) => {
                let words = format!("CPU (the only adapter, {}, is a software one and slower)", device.info().name);
                (Backend::Cpu, words)
            }
            Err(_) => (Backend::Cpu, "CPU (no GPU was found)".to_owned()),
        }),
    }
}
