//! What can be asked for.

use serde::Serialize;

use crate::embedding::EmbeddingCard;
use crate::engine::ModelCard;

/// Every model that can be asked for.
#[derive(Debug, Serialize)]
pub(crate) struct List {
    object: &'static str,
    data: Vec<Model>,
}

/// One of them. What is not in OpenAI's form is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Model {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
    /// The name for people.
    title: String,
    /// The longest prompt, in tokens.
    context_length: usize,
    /// Numbers in each vector, of a model that makes vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

impl List {
    /// The list of these: those that answer first, the default of each kind first.
    pub(crate) fn new(models: Vec<ModelCard>, embeddings: Vec<EmbeddingCard>) -> Self {
        let model = |card: ModelCard| Model::new(card.id, card.title, card.context_tokens, None);
        let embedding = |card: EmbeddingCard| {
            Model::new(card.id, card.title, card.max_tokens, Some(card.dimensions))
        };
        let models = models.into_iter().map(model);
        let data = models.chain(embeddings.into_iter().map(embedding)).collect();
        Self { object: "list", data }
    }

    /// The one of this name.
    pub(crate) fn find(self, id: &str) -> Option<Model> {
        self.data.into_iter().find(|model| model.id == id)
    }
}

impl Model {
    fn new(id: String, title: String, context_length: usize, dimensions: Option<usize>) -> Self {
        let (object, created, owned_by) = ("model", 0, "platform");
        Self { id, object, created, owned_by, title, context_length, dimensions }
    }
}
