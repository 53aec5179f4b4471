//! The seam between the server and whatever turns texts into vectors.
//!
//! Vectors have length 1, so the similarity of two texts is the dot product of theirs. Texts are
//! computed in batches, each at its turn ([`Turns`]). Dropping the future of [`Embedder::embed`]
//! stops the work that has not been done yet.

mod on_demand;
mod simulated;
mod turns;

use async_trait::async_trait;

pub use on_demand::OnDemand;
pub use simulated::{SIMULATED_EMBEDDINGS, SimulatedEmbedder};
pub(crate) use turns::BATCH;
pub use turns::Turns;

/// Turns texts into vectors.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// The models that can be asked for now, the default first.
    fn models(&self) -> Vec<EmbeddingCard>;

    /// One vector for each text, in the order of the texts. Nothing is cut: a text that is too
    /// long is refused by its place, and nothing is computed for the others then. Each batch waits
    /// for its turn, and is counted there when it is computed.
    async fn embed(
        &self,
        model: &str,
        texts: Vec<String>,
        turns: &mut Turns,
    ) -> Result<Vec<Embedding>, EmbedError>;
}

/// What a model is, for lists and for callers that cut their texts to size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingCard {
    /// The name in requests, like `all-minilm-l6-v2`.
    pub id: String,
    /// The name for people.
    pub title: String,
    /// Numbers in each vector.
    pub dimensions: usize,
    /// The longest text, in tokens, those that begin and end it included.
    pub max_tokens: usize,
}

/// What became of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// As many numbers as [`EmbeddingCard::dimensions`]; their squares add up to 1.
    pub vector: Vec<f32>,
    /// Tokens read, those that begin and end the text included.
    pub tokens: usize,
}

/// Why there are no vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// No such model here.
    #[error("no embedding model named {0} is loaded")]
    UnknownModel(String),
    /// A text does not fit; none was read.
    #[error("input {index} has {tokens} tokens, and the model reads {limit} at most")]
    TooLong {
        /// Its place among the texts, from 0.
        index: usize,
        /// Its length.
        tokens: usize,
        /// The longest text.
        limit: usize,
    },
    /// More is waiting than should; the same request may do well a little later.
    #[error("too many texts are waiting for their vectors")]
    Busy,
    /// Nobody waits for the vectors any more.
    #[error("nobody waits for the vectors")]
    Left,
    /// The engine broke; the text is for the log.
    #[error("the embedding engine failed: {0}")]
    Broken(String),
}
