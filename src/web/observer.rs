//! A generation's events as JavaScript objects: the event's own fields, for a preview or a finished stage a `picture` of
//! `{ size, rgba, png? }`, for a
//! profile its `table`, and for a decision about memory and a notice its `text`.

use super::error;
use crate::cascade::{CascadeError, Event, Manifest, Observer, Request, picture_settings};
use crate::image::{Picture, png};
use async_trait::async_trait;
use js_sys::{Function, Object, Promise, Reflect, Uint8Array, Uint8ClampedArray};
use serde::Serialize;
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Hands events to a JavaScript function and asks it for pauses.
pub(super) struct JsObserver<'a> {
    pub manifest: &'a Manifest,
    pub request: &'a Request,
    /// Called with every event.
    pub on_event: Function,
    /// Returns a promise that is resolved after the event loop has had a turn.
    pub pause: Function,
    pub cancelled: Rc<Cell<bool>>,
}

#[async_trait(?Send)]
impl Observer for JsObserver<'_> {
    fn event(&mut self, event: Event) {
        if let Err(error) = self.tell(&event) {
            web_sys::console::error_1(&error);
        }
    }

    async fn pause(&mut self) {
        // Without a promise there is nothing to wait for, and the run goes on.
        if let Ok(promise) = self.pause.call0(&JsValue::NULL).and_then(|value| value.dyn_into::<Promise>()) {
            let _ = JsFuture::from(promise).await;
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.get()
    }
}

impl JsObserver<'_> {
    fn tell(&self, event: &Event) -> Result<(), JsValue> {
        let object = event.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?;
        if let Some(picture) = self.picture(event)? {
            Reflect::set(&object, &"picture".into(), &picture)?;
        }
        if let Event::Profile(profile) = event {
            Reflect::set(&object, &"table".into(), &profile.to_string().into())?;
        }
        let text = match event {
            Event::Memory(decision) => Some(decision.to_string()),
            Event::Notice(notice) => Some(notice.to_string()),
            _ => None,
        };
        if let Some(text) = text {
            Reflect::set(&object, &"text".into(), &text.into())?;
        }
        self.on_event.call1(&JsValue::NULL, &object).map(drop)
    }

    /// What an event shows: the page asks for one picture at a time, so it is the first.
    fn picture(&self, event: &Event) -> Result<Option<Object>, JsValue> {
        match event {
            Event::Step { preview: Some(picture), .. } => pixels(picture).map(Some),
            Event::StageFinished { stage, pictures, .. } => {
                let Some(picture) = pictures.first() else { return Ok(None) };
                let object = pixels(picture)?;
                let bytes = self.png(*stage, picture).map_err(|error| error::to_js(&error, false))?;
                Reflect::set(&object, &"png".into(), &Uint8Array::from(bytes.as_slice()))?;
                Ok(Some(object))
            }
            _ => Ok(None),
        }
    }

    fn png(&self, stage: usize, picture: &Picture) -> Result<Vec<u8>, CascadeError> {
        let settings = picture_settings(self.request, self.manifest, stage)?;
        Ok(png::write(picture, &settings)?)
    }
}

/// The form in which a canvas takes pixels.
fn pixels(picture: &Picture) -> Result<Object, JsValue> {
    let rgba: Vec<u8> = picture.rgb.chunks_exact(3).flat_map(|rgb| [rgb[0], rgb[1], rgb[2], u8::MAX]).collect();
    let object = Object::new();
    Reflect::set(&object, &"size".into(), &picture.width.into())?;
    Reflect::set(&object, &"rgba".into(), &Uint8ClampedArray::from(rgba.as_slice()))?;
    Ok(object)
}
