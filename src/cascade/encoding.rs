//! The first part of a run: from the prompts to their embeddings.

use super::CascadeError;
use super::events::{During, Event, Notice, Observer};
use super::loaded::{LoadedEncoder, Part};
use super::loading::{Loading, watch};
use super::networks::Wanted;
use super::pipeline::Cascade;
use super::profile;
use super::request::Request;
use super::settings::StageSettings;
use super::text::Text;
use crate::text::{Embedding, Tokenized};
use std::rc::Rc;

/// What the text encoder is called in events.
const TEXT_ENCODER: &str = "text encoder";

/// The prompts that were encoded last, and what came of them.
#[derive(Default)]
pub(super) struct Encoded {
    prompts: Vec<String>,
    embeddings: Vec<Embedding>,
}

impl Cascade {
    /// Encodes prompts without generating anything.
    ///
    /// # Errors
    /// As [`Cascade::generate`].
    pub async fn encode(
        &mut self,
        prompts: &[String],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Embedding>, CascadeError> {
        self.settle(Wanted::of(prompts.len(), self.manifest.tokenizer.max_length, &[]), observer).await?;
        self.encode_profiled(prompts, false, observer).await
    }

    /// The prompts that a run encodes, and the positions of its text: none where its networks read none.
    pub(super) fn prompts(&self, request: &Request, stages: &[StageSettings]) -> (Vec<String>, usize) {
        if stages.iter().all(|stage| stage.text_channels.is_none()) {
            return (Vec::new(), 0);
        }
        let guided = stages.iter().any(StageSettings::guided);
        let learnt = stages.iter().all(|stage| stage.learnt_null_text);
        let mut prompts = Vec::new();
        if request.embedding.is_none() {
            prompts.push(request.prompt.clone());
        }
        if guided && !learnt && request.negative_embedding.is_none() {
            prompts.push(request.negative_prompt.clone());
        }
        let given = request.embedding.as_ref().or(request.negative_embedding.as_ref());
        (prompts, given.map_or(self.manifest.tokenizer.max_length, |embedding| embedding.tokens))
    }

    /// The embeddings of a run: given, or encoded.
    pub(super) async fn text(
        &mut self,
        request: &Request,
        stages: &[StageSettings],
        observer: &mut dyn Observer,
    ) -> Result<Text, CascadeError> {
        let (prompts, tokens) = self.prompts(request, stages);
        self.settle(Wanted::of(prompts.len(), tokens, stages), observer).await?;
        if stages.iter().all(|stage| stage.text_channels.is_none()) {
            return Ok(Text::none());
        }
        let mut encoded = self.embeddings(prompts, request.profile, observer).await?.into_iter();
        let guided = stages.iter().any(StageSettings::guided);
        let learnt = stages.iter().all(|stage| stage.learnt_null_text);
        let missing = || CascadeError::request("prompt", "the text encoder gave no embedding");
        let positive = request.embedding.clone().or_else(|| encoded.next()).ok_or_else(missing)?;
        let negative = match guided {
            // It only tells that there is a row: the network puts its own embedding in its place.
            true if learnt => Some(positive.clone()),
            true => Some(request.negative_embedding.clone().or_else(|| encoded.next()).ok_or_else(missing)?),
            false => None,
        };
        let text = Text { positive, negative };
        text.check(stages)?;
        Ok(text)
    }

    /// The embeddings of these prompts. A text encoder that had to make room is not loaded again for the prompts that
    /// it encoded last: another seed is what is asked for most often.
    async fn embeddings(
        &mut self,
        prompts: Vec<String>,
        profile: bool,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Embedding>, CascadeError> {
        if prompts.is_empty() {
            return Ok(Vec::new());
        }
        if self.loaded.encoder.is_none() && !profile && prompts == self.encoded.prompts {
            return Ok(self.encoded.embeddings.clone());
        }
        let embeddings = self.encode_profiled(&prompts, profile, observer).await?;
        self.encoded = Encoded { prompts, embeddings: embeddings.clone() };
        Ok(embeddings)
    }

    async fn encode_profiled(
        &mut self,
        prompts: &[String],
        profile: bool,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Embedding>, CascadeError> {
        let mut rebuilt = false;
        loop {
            match self.encode_once(prompts, profile, observer).await {
                Err(error) => self.recover(error, &mut rebuilt, Part::Text, During::Prompt, observer).await?,
                embeddings => return embeddings,
            }
        }
    }

    async fn encode_once(
        &mut self,
        prompts: &[String],
        profile: bool,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Embedding>, CascadeError> {
        let tokenizer = self.tokenizer.as_ref().ok_or(CascadeError::Incomplete { part: "tokenizer" })?;
        let tokens = prompts.iter().map(|prompt| tokenizer.encode(prompt));
        let tokens: Vec<Tokenized> = tokens.collect::<Result<_, _>>()?;
        for (prompt, _) in prompts.iter().zip(&tokens).filter(|(_, tokens)| tokens.truncated) {
            let start: String = prompt.chars().take(40).collect();
            observer.event(Event::Notice(Notice::PromptCut { start, tokens: tokenizer.max_length() }));
        }
        let streamed = self.loaded.streams_text();
        if self.loaded.encoder.is_none() {
            self.loaded.make_room(Part::Text);
            let loading = Rc::new(Loading::default());
            let (files, entry) = (self.files.as_ref(), self.manifest.text_encoder_file()?);
            let work = self.networks.text_encoder(files, entry, streamed, &loading);
            let encoder = watch(work, TEXT_ENCODER, &loading, observer).await?;
            self.loaded.encoder = Some(LoadedEncoder { encoder, loading });
        }
        let Some(LoadedEncoder { encoder, loading }) = &mut self.loaded.encoder else { return Ok(Vec::new()) };
        observer.event(Event::Encoding);
        observer.pause().await;
        if observer.cancelled() {
            return Err(CascadeError::Cancelled);
        }
        profile::start(encoder.profiler(), profile);
        let embeddings = if streamed {
            loading.restart();
            watch(encoder.encode(&tokens), TEXT_ENCODER, loading, observer).await
        } else {
            encoder.encode(&tokens).await
        };
        profile::tell(encoder.profiler(), TEXT_ENCODER, None, observer);
        embeddings
    }
}
