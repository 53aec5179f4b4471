//! llama.cpp in the plainest way: one conversation, the likeliest token each time.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use engine_llamacpp::llama_cpp_2::context::params::LlamaContextParams;
use engine_llamacpp::llama_cpp_2::llama_backend::LlamaBackend;
use engine_llamacpp::llama_cpp_2::llama_batch::LlamaBatch;
use engine_llamacpp::llama_cpp_2::model::LlamaModel;
use engine_llamacpp::llama_cpp_2::model::params::LlamaModelParams;
use engine_llamacpp::llama_cpp_2::sampling::LlamaSampler;

use crate::Error;

/// A loaded model.
pub(crate) struct Bare {
    backend: &'static LlamaBackend,
    model: LlamaModel,
    threads: i32,
}

/// How long it took.
pub(crate) struct Took {
    /// To the first token of the answer.
    pub(crate) first: Duration,
    /// All tokens after the first.
    pub(crate) rest: Duration,
}

impl Bare {
    pub(crate) fn load(path: &Path, threads: usize) -> Result<Self, Error> {
        let backend = engine_llamacpp::backend().ok_or("llama.cpp is in use already")?;
        let model = LlamaModel::load_from_file(backend, path, &LlamaModelParams::default())?;
        Ok(Self { backend, model, threads: i32::try_from(threads)? })
    }

    /// A text of exactly so many tokens that begins as no other does.
    pub(crate) fn text(&self, unique: &str, tokens: usize) -> String {
        let mut text = format!("Story {unique}:");
        while self.model.vocab().tokenize(text.as_bytes(), false, false).len() < tokens {
            text.push_str([" the", " sea", " is", " wide", " and", " blue"][text.len() % 6]);
        }
        text
    }

    /// Continues a text by so many tokens.
    pub(crate) fn answer(&self, text: &str, tokens: usize) -> Result<Took, Error> {
        let parameters = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(2048))
            .with_n_threads(self.threads)
            .with_n_threads_batch(self.threads);
        let mut context = self.model.new_context(self.backend, parameters)?;
        let mut batch = LlamaBatch::new(2048, 1);
        let mut sampler = LlamaSampler::greedy();

        let begun = Instant::now();
        let prompt = self.model.vocab().tokenize(text.as_bytes(), false, false);
        batch.add_sequence(&prompt, 0, false)?;
        context.decode(&mut batch)?;
        let mut token = sampler.sample(&context, batch.n_tokens() - 1);
        let first = begun.elapsed();

        let begun = Instant::now();
        for position in (prompt.len()..).take(tokens - 1) {
            batch.clear();
            batch.add(token, i32::try_from(position)?, &[0], true)?;
            context.decode(&mut batch)?;
            token = sampler.sample(&context, 0);
        }
        Ok(Took { first, rest: begun.elapsed() })
    }
}
