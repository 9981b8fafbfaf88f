//! The text of a run.

use super::CascadeError;
use super::settings::StageSettings;
use crate::text::Embedding;

/// The embeddings that all stages of a run see.
pub(super) struct Text {
    pub positive: Embedding,
    /// Where any stage is guided.
    pub negative: Option<Embedding>,
}

impl Text {
    /// For networks that read none.
    pub(super) fn none() -> Self {
        let positive = Embedding { ids: Vec::new(), mask: Vec::new(), tokens: 0, d_model: 0, values: Vec::new() };
        Self { positive, negative: None }
    }

    /// An embedding may come from a file of another model: the networks would not survive it.
    pub(super) fn check(&self, stages: &[StageSettings]) -> Result<(), CascadeError> {
        for embedding in [Some(&self.positive), self.negative.as_ref()].into_iter().flatten() {
            stages.iter().try_for_each(|stage| check_embedding(embedding, self.positive.tokens, stage))?;
        }
        Ok(())
    }
}

fn check_embedding(embedding: &Embedding, tokens: usize, stage: &StageSettings) -> Result<(), CascadeError> {
    let Embedding { values, mask, d_model, .. } = embedding;
    if embedding.tokens != tokens {
        let reason = format!("it has {} tokens, the other prompt's has {tokens}; encode both alike", embedding.tokens);
        return Err(CascadeError::request("embedding", reason));
    }
    if tokens == 0 || values.len() != tokens * d_model || mask.len() != tokens {
        let (values, mask) = (values.len(), mask.len());
        let reason = format!("{tokens} tokens of {d_model} values do not make {values} values and a mask of {mask}");
        return Err(CascadeError::request("embedding", reason));
    }
    match stage.text_channels {
        Some(expected) if expected != *d_model => {
            let reason = format!(
                "it has {d_model} values per token, the {0}×{0} stage takes {expected}; use this model's text encoder",
                stage.size
            );
            Err(CascadeError::request("embedding", reason))
        }
        _ => Ok(()),
    }
}
