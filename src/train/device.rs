//! Where networks are trained. burn's tensors carry their device, so the same code runs on all; what `unet/cpu` fuses steps aside.

use super::TrainError;
use burn::tensor::{DType, Device};
use serde::Deserialize;

/// A kind of device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hardware {
    /// burn's flex.
    #[default]
    Cpu,
    /// burn's wgpu: Vulkan, Metal or DirectX 12; the feature `train-gpu`.
    Gpu,
    /// burn's CUDA; the feature `train-cuda`.
    Cuda,
}

impl Hardware {
    /// The device, without automatic differentiation.
    ///
    /// # Errors
    /// [`TrainError::Setting`] where the machine has none, or the program was built without.
    pub fn device(self) -> Result<Device, TrainError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Gpu => gpu(),
            Self::Cuda => cuda(),
        }
    }
}

/// The type in which a U-Net computes while it is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    #[default]
    F32,
    Bf16,
    F16,
}

impl Precision {
    /// The type of burn's tensors.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }

    /// Checks that a device has it.
    ///
    /// # Errors
    /// [`TrainError::Setting`] where it has not.
    pub fn check(self, hardware: Hardware, device: &Device) -> Result<(), TrainError> {
        match (self, hardware) {
            (Self::F32, _) => Ok(()),
            (_, Hardware::Cpu) => Err(TrainError::setting("precision", "the CPU trains in f32")),
            _ if device.supports_dtype(self.dtype()) => Ok(()),
            _ => Err(TrainError::setting("precision", format!("this device does not compute in {:?}", self.dtype()))),
        }
    }
}

#[cfg(feature = "train-gpu")]
fn gpu() -> Result<Device, TrainError> {
    first(burn::tensor::DeviceType::Wgpu, "no GPU was found; is there a driver for Vulkan?")?;
    // The one that wgpu prefers; CUBECL_WGPU_DEFAULT_DEVICE names another.
    Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice))
}

#[cfg(feature = "train-cuda")]
fn cuda() -> Result<Device, TrainError> {
    first(burn::tensor::DeviceType::Cuda, "no CUDA device was found")
}

#[cfg(any(feature = "train-gpu", feature = "train-cuda"))]
fn first(kind: burn::tensor::DeviceType, otherwise: &str) -> Result<Device, TrainError> {
    let found = Device::enumerate(kind).into_vec().into_iter().next();
    found.ok_or_else(|| TrainError::setting("device", otherwise))
}

#[cfg(not(feature = "train-gpu"))]
fn gpu() -> Result<Device, TrainError> {
    Err(missing("gpu", "train-gpu"))
}

#[cfg(not(feature = "train-cuda"))]
fn cuda() -> Result<Device, TrainError> {
    Err(missing("cuda", "train-cuda"))
}

#[cfg(not(all(feature = "train-gpu", feature = "train-cuda")))]
fn missing(name: &str, feature: &str) -> TrainError {
    TrainError::setting("device", format!("{name} is not in this build; build the program with `--features {feature}`"))
}
