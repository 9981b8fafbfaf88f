//! Finding an adapter and requesting its device.

use super::{Adapter, Device, DeviceOptions, Shared, locked, pipelines};
use crate::gpu::GpuError;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

impl Device {
    /// The fastest adapter's device. With `default_limits` unset, larger buffers and bindings and more workgroup
    /// memory are requested where the adapter has them, subgroups, timestamp queries (which only profiles use), and half
    /// precision if the options say so.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`] or [`GpuError::NoDevice`].
    pub async fn request(options: DeviceOptions) -> Result<Arc<Self>, GpuError> {
        let limits = options.limits.clone();
        Self::with_limits(options, limits).await
    }

    /// Another device in place of this one, which was lost: with the limits that it had, since plans were made for them; where
    /// there is none such any more, because another adapter has taken over, as this one was requested.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn again(&self) -> Result<Arc<Self>, GpuError> {
        match Self::with_limits(self.options.clone(), Some(self.limits.clone())).await {
            Ok(device) => Ok(device),
            Err(_) => Self::request(self.options.clone()).await,
        }
    }

    async fn with_limits(options: DeviceOptions, limits: Option<wgpu::Limits>) -> Result<Arc<Self>, GpuError> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let request = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            force_fallback_adapter: options.force_fallback,
            ..Default::default()
        };
        let adapter = instance
            .request_adapter(&request)
            .await
            .map_err(|error| GpuError::NoAdapter { reason: error.to_string() })?;
        let info = Adapter::new(&adapter.get_info(), options.force_fallback);
        let limits = limits.unwrap_or_else(|| {
            let mut limits = wgpu::Limits::default();
            if !options.default_limits {
                raise(&mut limits, &adapter.limits());
            }
            limits
        });
        let features = match options.default_limits {
            true => wgpu::Features::empty(),
            false => adapter.features() & wanted(options.half),
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("imagen"),
            required_features: features,
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| GpuError::NoDevice { adapter: info.name.clone(), reason: error.to_string() })?;
        let shared = Arc::new(Shared::default());
        watch(&device, &shared);
        let limits = device.limits();
        #[cfg_attr(
            target_arch = "wasm32",
            expect(
                clippy::arc_with_non_send_sync,
                reason = "a browser's GPU objects stay on their thread; natively the device is shared"
            )
        )]
        let device = Arc::new(Self {
            device,
            queue,
            info,
            limits,
            options,
            shared,
            fail_in: AtomicI64::new(0),
            pipelines: pipelines::Cache::default(),
        });
        Ok(device)
    }

    /// A device with exactly WebGPU's default limits and no optional feature: what every kernel must run on.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn with_default_limits() -> Result<Arc<Self>, GpuError> {
        Self::request(DeviceOptions { default_limits: true, ..Default::default() }).await
    }
}

/// Records a lost device and errors outside all scopes (wgpu's own handler panics).
fn watch(device: &wgpu::Device, shared: &Arc<Shared>) {
    let lost = Arc::clone(shared);
    device.set_device_lost_callback(move |reason, message| {
        tracing::warn!(?reason, message, "GPU lost");
        locked(&lost.lost).get_or_insert_with(|| if message.is_empty() { format!("{reason:?}") } else { message });
    });
    let uncaptured = Arc::clone(shared);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        tracing::error!(%error, "GPU error");
        let what = "earlier work".to_owned();
        locked(&uncaptured.uncaptured).get_or_insert_with(|| match error {
            // Staging memory of uploads is allocated outside all scopes.
            wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory { what, bytes: 0 },
            error => GpuError::Validation { what, message: error.to_string() },
        });
    }));
}

/// The optional features that the kernels use.
fn wanted(half: bool) -> wgpu::Features {
    let always = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::SUBGROUP;
    if half { always | wgpu::Features::SHADER_F16 } else { always }
}

/// Raises the limits that more memory or larger tiles can use to what the adapter has.
fn raise(limits: &mut wgpu::Limits, available: &wgpu::Limits) {
    limits.max_buffer_size = limits.max_buffer_size.max(available.max_buffer_size);
    // Offsets in the kernels are 32-bit words.
    limits.max_storage_buffer_binding_size =
        limits.max_storage_buffer_binding_size.max(available.max_storage_buffer_binding_size).min((1 << 32) - 16);
    limits.max_compute_workgroup_storage_size =
        limits.max_compute_workgroup_storage_size.max(available.max_compute_workgroup_storage_size);
    limits.max_compute_invocations_per_workgroup =
        limits.max_compute_invocations_per_workgroup.max(available.max_compute_invocations_per_workgroup);
    limits.max_compute_workgroup_size_x =
        limits.max_compute_workgroup_size_x.max(available.max_compute_workgroup_size_x);
}
