//! What an adapter is, and whether it is a real one.

/// The kind of processor behind an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    Discrete,
    Integrated,
    Virtual,
    /// A CPU that plays a GPU.
    Software,
    Unknown,
}

/// Name and kind of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// As the driver names it.
    pub name: String,
    pub kind: DeviceKind,
    /// Vulkan, Metal, Dx12 or WebGPU.
    pub api: String,
    pub driver: String,
    /// The work is done by the CPU (lavapipe, SwiftShader, WARP): say so, and prefer the CPU path where it is faster.
    pub software: bool,
    /// The least number of invocations in a subgroup.
    pub subgroup: u32,
}

impl Adapter {
    /// Browsers hide the device type, so software renderers are also told by their names. `fallback` is the browser's
    /// own word for it.
    pub(super) fn new(info: &wgpu::AdapterInfo, fallback: bool) -> Self {
        let text = format!("{} {} {}", info.name, info.driver, info.driver_info).to_lowercase();
        let known = ["llvmpipe", "lavapipe", "swiftshader", "softpipe", "warp", "microsoft basic render"];
        let software =
            fallback || info.device_type == wgpu::DeviceType::Cpu || known.iter().any(|name| text.contains(name));
        let kind = match info.device_type {
            _ if software => DeviceKind::Software,
            wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
            wgpu::DeviceType::VirtualGpu => DeviceKind::Virtual,
            _ => DeviceKind::Unknown,
        };
        let name = [&info.name, &info.driver, &info.driver_info].into_iter().find(|name| !name.is_empty());
        Self {
            name: name.cloned().unwrap_or_else(|| "unnamed GPU".to_owned()),
            kind,
            api: format!("{:?}", info.backend),
            driver: info.driver.clone(),
            software,
            subgroup: info.subgroup_min_size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::{AdapterInfo, Backend, DeviceType};

    fn adapter(name: &str, device_type: DeviceType, fallback: bool) -> Adapter {
        let info = AdapterInfo { name: name.to_owned(), ..AdapterInfo::new(device_type, Backend::Vulkan) };
        Adapter::new(&info, fallback)
    }

    #[test]
    fn software_is_called_software() {
        for (name, kind) in [
            ("llvmpipe (LLVM 15.0.6, 256 bits)", DeviceType::Cpu),
            ("SwiftShader Device (Subzero)", DeviceType::Other),
            ("Microsoft Basic Render Driver", DeviceType::Other),
            ("", DeviceType::Cpu),
        ] {
            let adapter = adapter(name, kind, false);
            assert!(adapter.software && adapter.kind == DeviceKind::Software, "{name}");
            assert!(!adapter.name.is_empty());
        }
        assert!(adapter("anything", DeviceType::Other, true).software);
    }

    #[test]
    fn hardware_is_not() {
        let discrete = adapter("NVIDIA GeForce RTX 4070", DeviceType::DiscreteGpu, false);
        assert_eq!((discrete.software, discrete.kind), (false, DeviceKind::Discrete));
        let browser = adapter("apple metal-3", DeviceType::Other, false);
        assert_eq!((browser.software, browser.kind), (false, DeviceKind::Unknown));
    }
}
