//! A pretend embedder: vectors out of the hashes of words, the same every time.

use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::{EmbedError, Embedder, Embedding, EmbeddingCard, Turns};

/// The model name a [`SimulatedEmbedder`] answers to.
pub const SIMULATED_EMBEDDINGS: &str = "simulated-embeddings";

/// A pretend embedder. A token is a word and a batch is a text; texts that share words have similar vectors, whatever
/// the words' order and case.
#[derive(Debug, Clone)]
pub struct SimulatedEmbedder {
    dimensions: usize,
    max_tokens: usize,
    pace: Duration,
}

impl Default for SimulatedEmbedder {
    fn default() -> Self {
        Self { dimensions: 32, max_tokens: 256, pace: Duration::ZERO }
    }
}

impl SimulatedEmbedder {
    /// Makes vectors of so many numbers, at least 1, instead of 32.
    #[must_use]
    pub fn with_dimensions(mut self, dimensions: usize) -> Self {
        self.dimensions = dimensions.max(1);
        self
    }

    /// Refuses texts of more than so many words, instead of 256.
    #[must_use]
    pub fn with_max_tokens(mut self, words: usize) -> Self {
        self.max_tokens = words;
        self
    }

    /// Takes so long for each text, instead of no time.
    #[must_use]
    pub fn with_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let mut sum = vec![0.0; self.dimensions];
        for word in text.split_whitespace() {
            add(&mut sum, word);
        }
        // A text without words points somewhere too.
        if sum.iter().all(|&number: &f32| number == 0.0) {
            add(&mut sum, "");
        }
        let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
        sum.into_iter().map(|number| number / length).collect()
    }
}

/// Adds the direction of a word: for each number one byte of a hash, between -127.5 and 127.5.
fn add(sum: &mut [f32], word: &str) {
    let word = word.to_lowercase();
    for (block, numbers) in (0_u64..).zip(sum.chunks_mut(32)) {
        let hash = Sha256::new().chain_update(block.to_le_bytes()).chain_update(&word).finalize();
        for (number, byte) in numbers.iter_mut().zip(hash) {
            *number += f32::from(byte) - 127.5;
        }
    }
}

#[async_trait]
impl Embedder for SimulatedEmbedder {
    fn models(&self) -> Vec<EmbeddingCard> {
        vec![EmbeddingCard {
            id: SIMULATED_EMBEDDINGS.to_owned(),
            title: "Simulated embeddings".to_owned(),
            dimensions: self.dimensions,
            max_tokens: self.max_tokens,
        }]
    }

    async fn embed(
        &self,
        model: &str,
        texts: Vec<String>,
        turns: &mut Turns,
    ) -> Result<Vec<Embedding>, EmbedError> {
        if model != SIMULATED_EMBEDDINGS {
            return Err(EmbedError::UnknownModel(model.to_owned()));
        }
        let limit = self.max_tokens;
        let lengths: Vec<_> = texts.iter().map(|text| text.split_whitespace().count()).collect();
        if let Some(index) = lengths.iter().position(|tokens| *tokens > limit) {
            return Err(EmbedError::TooLong { index, tokens: lengths[index], limit });
        }
        let mut made = Vec::with_capacity(texts.len());
        for (text, tokens) in texts.iter().zip(lengths) {
            turns.next().await?;
            tokio::time::sleep(self.pace).await;
            turns.read(tokens);
            made.push(Embedding { vector: self.vector(text), tokens });
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn embed(embedder: &SimulatedEmbedder, texts: &[&str]) -> Vec<Embedding> {
        let texts = texts.iter().map(|&text| text.to_owned()).collect();
        embedder.embed(SIMULATED_EMBEDDINGS, texts, &mut Turns::default()).await.unwrap()
    }

    fn similarity(one: &Embedding, other: &Embedding) -> f32 {
        one.vector.iter().zip(&other.vector).map(|(a, b)| a * b).sum()
    }

    #[tokio::test]
    async fn vectors_have_length_one_and_say_which_texts_share_words() {
        for dimensions in [1, 32, 100] {
            let embedder = SimulatedEmbedder::default().with_dimensions(dimensions);
            let made = embed(&embedder, &["a red fox", "a red FOX", "", "wholly other"]).await;
            for one in &made {
                assert_eq!(one.vector.len(), dimensions);
                assert!((similarity(one, one) - 1.0).abs() < 1e-5);
            }
            assert_eq!(made.iter().map(|one| one.tokens).collect::<Vec<_>>(), [3, 3, 0, 2]);
            assert_eq!(made[0].vector, made[1].vector);
            assert_eq!(
                made,
                embed(&embedder, &["a red fox", "a red FOX", "", "wholly other"]).await
            );
        }
        let made =
            embed(&SimulatedEmbedder::default(), &["a red fox", "a red dog", "the sea"]).await;
        assert!(similarity(&made[0], &made[1]) > similarity(&made[0], &made[2]) + 0.2);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_refused_by_its_place() {
        let embedder = SimulatedEmbedder::default().with_max_tokens(2);
        let texts = vec!["one".to_owned(), "one two three".to_owned()];
        let refused =
            embedder.embed(SIMULATED_EMBEDDINGS, texts, &mut Turns::default()).await.unwrap_err();
        assert_eq!(refused, EmbedError::TooLong { index: 1, tokens: 3, limit: 2 });
        let refused = embedder.embed("other", Vec::new(), &mut Turns::default()).await.unwrap_err();
        assert_eq!(refused, EmbedError::UnknownModel("other".to_owned()));
    }
}
