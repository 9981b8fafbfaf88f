//! burn's wgpu backend in a page: the same operations and networks as imagen-web's plans, to be timed beside them.
//!
//! Autotuning and fusion are on, as burn's own defaults have them; without the feature `fusion`, fusion is off, because the
//! U-Nets' results are not numbers with it. Every network is the burn module of `imagen-web`.

mod case;
mod ops;

pub use case::BurnCase;

use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use futures_channel::oneshot;
use wasm_bindgen::prelude::*;

/// A device of burn's, made by burn as it likes.
#[wasm_bindgen]
pub struct BurnPeer {
    device: Device,
    setup: WgpuSetup,
}

#[wasm_bindgen]
impl BurnPeer {
    /// # Errors
    /// There is no adapter that burn runs on.
    pub async fn open() -> Result<BurnPeer, JsError> {
        console_error_panic_hook::set_once();
        let (device, setup) = Device::wgpu_options().init_with_setup_async().await?;
        Ok(Self { device, setup })
    }

    /// The adapter's description.
    pub fn adapter(&self) -> String {
        let info = self.setup.adapter.get_info();
        format!("{} {}", info.name, info.driver)
    }

    /// A row of the table: its JSON, and its weights as GGUF.
    ///
    /// # Errors
    /// A row that burn has no part in, or a damaged file.
    pub async fn load(&self, row: &str, weights: Vec<u8>) -> Result<BurnCase, JsError> {
        BurnCase::load(row, weights, self.device.clone(), self.setup.queue.clone()).await
    }
}

/// Waits until everything submitted to `queue` is done. burn's own `sync` blocks, which a page cannot.
async fn drained(queue: &wgpu::Queue) -> Result<(), JsError> {
    let (done, waited) = oneshot::channel();
    queue.on_submitted_work_done(move || {
        // Nobody waits any more where this fails.
        let _ = done.send(());
    });
    Ok(waited.await?)
}
