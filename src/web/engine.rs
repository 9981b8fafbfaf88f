//! The engine: an opened model on a chosen device.

use super::device::{self, DeviceInfo};
use super::error;
use super::files::JsFiles;
use super::json;
use super::model_card::ModelCard;
use super::observer::JsObserver;
use crate::cascade::{Cascade, Decision, Manifest, Request};
use crate::image::png;
use crate::weights::Adapter;
use js_sys::Function;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// Reads and checks a manifest and returns what the page needs of it, as [`Engine::model`] does.
///
/// # Errors
/// `{ kind: "files", message }` for whatever is no manifest in order.
#[wasm_bindgen(js_name = readManifest)]
pub fn read_manifest(bytes: &[u8]) -> Result<JsValue, JsValue> {
    let manifest = Manifest::from_json(bytes).map_err(|error| error::to_js(&error, false))?;
    json::to_js(&ModelCard::from(&manifest))
}

/// A model that is ready to generate. Networks are loaded when they are first needed.
#[wasm_bindgen]
pub struct Engine {
    /// Away while it generates. JavaScript may call `cancel` meanwhile, so nothing is borrowed across an await.
    cascade: RefCell<Option<Cascade>>,
    manifest: Manifest,
    device: DeviceInfo,
    cancelled: Rc<Cell<bool>>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens the model of `files` on `device`: "auto", "gpu", "gpu-half" or "cpu". `gpu_memory` is how many bytes of GPU
    /// memory may be used; see [`Cascade::set_gpu_memory`] for what happens where it is left out.
    ///
    /// # Errors
    /// `{ kind: "cancelled" | "request" | "files" | "device" | "other", message, why? }`, as all methods throw.
    pub async fn open(files: JsFiles, device: String, gpu_memory: Option<f64>) -> Result<Engine, JsValue> {
        if let Some(bytes) = gpu_memory.filter(|bytes| !(bytes.is_finite() && *bytes >= 0.0)) {
            return Err(error::request(format!("gpu_memory: must be a number of bytes, got {bytes}")));
        }
        let (backend, device) = device::choose(&device).await?;
        let mut cascade = Cascade::open(Box::new(files), backend).await.map_err(|error| error::to_js(&error, false))?;
        cascade.set_gpu_memory(gpu_memory.map(|bytes| bytes as u64));
        let manifest = cascade.manifest().clone();
        Ok(Self { cascade: RefCell::new(Some(cascade)), manifest, device, cancelled: Rc::default() })
    }

    /// What the networks run on: `{ kind, name, software, reason }`.
    pub fn device(&self) -> Result<JsValue, JsValue> {
        json::to_js(&self.device)
    }

    /// What the page shows of the model: name, examples, files, stages.
    pub fn model(&self) -> Result<JsValue, JsValue> {
        json::to_js(&ModelCard::from(&self.manifest))
    }

    /// What a run will keep loaded and take, as far as that is known before it: a [`Decision`], with its `text`. `request` is the
    /// JSON of a request that starts with noise; what its prompt says makes no difference. Headers of the model's files are
    /// read for it.
    ///
    /// # Errors
    /// As [`Engine::generate`].
    pub async fn memory(&self, request: String) -> Result<JsValue, JsValue> {
        let request = parse(&request)?;
        let cascade = self.take()?;
        let plan = cascade.memory_plan(&request).await;
        self.cascade.replace(Some(cascade));
        let decision = plan.map_err(|error| error::to_js(&error, false))?;
        let text = decision.to_string();
        json::to_js(&MemoryPlan { decision, text })
    }

    /// Generates one picture. `request` is the JSON of a request; `start_picture` is a PNG for one that starts at a later
    /// stage; `on_event` is called with every event, pictures included; `pause` returns a promise and is awaited between
    /// steps.
    ///
    /// # Errors
    /// For a request that cannot run, whatever stops the run, and a second call while one runs.
    pub async fn generate(
        &self,
        request: String,
        start_picture: Option<Vec<u8>>,
        on_event: Function,
        pause: Function,
    ) -> Result<(), JsValue> {
        let mut request = parse(&request)?;
        if let Some(bytes) = start_picture {
            let (picture, _) = png::read(&bytes).map_err(|error| error::request(format!("start picture: {error}")))?;
            request.start_pictures = vec![picture];
        }
        let mut cascade = self.take()?;
        let mut observer = JsObserver {
            manifest: &self.manifest,
            request: &request,
            on_event,
            pause,
            cancelled: Rc::clone(&self.cancelled),
        };
        let result = cascade.generate(&request, &mut observer).await;
        self.cascade.replace(Some(cascade));
        let cancelled = self.cancelled.replace(false);
        result.map(drop).map_err(|error| error::to_js(&error, cancelled))
    }

    /// Merges a low-rank adapter (LoRA, safetensors) into the U-Net that it fits, `scale` times as strong as it was
    /// trained. `name` is for messages.
    ///
    /// # Errors
    /// For what is no adapter of this model, and while a picture is made.
    pub async fn adapt(&self, name: String, bytes: Vec<u8>, scale: f32) -> Result<(), JsValue> {
        let adapter =
            Adapter::from_safetensors(&name, &bytes, scale).map_err(|error| error::request(error.to_string()))?;
        let mut cascade = self.take()?;
        let result = cascade.adapt(adapter).await;
        self.cascade.replace(Some(cascade));
        result.map_err(|error| error::to_js(&error, false))
    }

    /// Ends the running generation, or the next one, at its next step or read.
    pub fn cancel(&self) {
        self.cancelled.set(true);
    }
}

impl Engine {
    /// The cascade, to be put back.
    fn take(&self) -> Result<Cascade, JsValue> {
        self.cascade.take().ok_or_else(|| error::other("a picture is being made; cancel it first"))
    }
}

#[derive(Serialize)]
struct MemoryPlan {
    #[serde(flatten)]
    decision: Decision,
    text: String,
}

fn parse(request: &str) -> Result<Request, JsValue> {
    serde_json::from_str(request).map_err(|error| error::request(format!("not a request: {error}")))
}
