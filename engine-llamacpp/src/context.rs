//! llama.cpp's context of one model: where conversations are while they are worked on.

use std::num::NonZeroU32;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::{LlamaStateSeqFlags, SeqState};

use crate::plan;

/// How large everything is.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    /// Answers at once.
    pub(crate) places: usize,
    /// Tokens of all conversations at work together.
    pub(crate) cells: usize,
    /// Bytes that the state of a conversation takes for each token.
    pub(crate) bytes_per_token: usize,
    /// Bytes for what has been read and may be needed again.
    pub(crate) kept_bytes: usize,
    /// Threads that compute.
    pub(crate) threads: usize,
}

/// What a step computes of one conversation.
pub(crate) struct Part<'a> {
    /// Where the conversation is.
    pub(crate) place: i32,
    /// How many of its tokens are there already.
    pub(crate) past: usize,
    /// Its next ones.
    pub(crate) tokens: &'a [LlamaToken],
    /// Whether a token is to be drawn after the last of them.
    pub(crate) draws: bool,
}

/// A model's context, with room for a step.
pub(crate) struct Context<'model> {
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
}

impl<'model> Context<'model> {
    /// Makes room, and sends a token through the whole model: what is there works.
    pub(crate) fn new(
        backend: &LlamaBackend,
        model: &'model LlamaModel,
        sizes: &Sizes,
    ) -> Result<Self, String> {
        let context = model.new_context(backend, parameters(sizes));
        let context = context.map_err(|error| error.to_string())?;
        let mut context = Self { context, batch: LlamaBatch::new(plan::MOST, 1) };
        context.compute(&[Part { place: 0, past: 0, tokens: &[LlamaToken(0)], draws: true }])?;
        context.forget(0, 0);
        Ok(context)
    }

    /// Computes at least one token. For each part that draws, the row of its numbers. The error is
    /// for the log.
    pub(crate) fn compute(&mut self, parts: &[Part<'_>]) -> Result<Vec<Option<i32>>, String> {
        self.batch.clear();
        let mut rows = Vec::with_capacity(parts.len());
        for part in parts {
            let last = part.tokens.len().saturating_sub(1);
            for (at, token) in part.tokens.iter().enumerate() {
                let position = i32::try_from(part.past + at).map_err(|error| error.to_string())?;
                let draws = part.draws && at == last;
                let added = self.batch.add(*token, position, &[part.place], draws);
                added.map_err(|error| error.to_string())?;
            }
            rows.push(part.draws.then(|| self.batch.n_tokens() - 1));
        }
        self.context.decode(&mut self.batch).map_err(|error| error.to_string())?;
        Ok(rows)
    }

    /// The numbers of a row that was computed last, one for each token of the vocabulary.
    pub(crate) fn numbers(&self, row: i32) -> &[f32] {
        self.context.get_logits_ith(row)
    }

    /// Removes a place's tokens from `first` on. False if the model cannot forget a part.
    pub(crate) fn forget(&mut self, place: i32, first: usize) -> bool {
        let (Ok(place), Ok(first)) = (u32::try_from(place), u32::try_from(first)) else {
            return false;
        };
        self.context.clear_kv_cache_seq(Some(place), Some(first), None).unwrap_or(false)
    }

    /// What is known of a place's tokens; `None` if llama.cpp does not hand it out.
    pub(crate) fn state(&self, place: i32) -> Option<SeqState> {
        let state = self.context.state_seq_get(place, LlamaStateSeqFlags::empty());
        state.inspect_err(|error| tracing::warn!(%error, "no state of a conversation")).ok()
    }

    /// Puts the first `tokens` of a state into an empty place. False if that cannot be; the place
    /// is empty then.
    pub(crate) fn restore(&mut self, place: i32, state: &SeqState, tokens: usize) -> bool {
        let restored = self.context.state_seq_set(state, place).is_ok();
        let is_there = restored && self.forget(place, tokens);
        if !is_there {
            self.forget(place, 0);
        }
        is_there
    }
}

fn parameters(sizes: &Sizes) -> LlamaContextParams {
    let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    let threads = i32::try_from(sizes.threads).unwrap_or(1);
    LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(number(sizes.cells)))
        .with_n_batch(number(plan::MOST))
        .with_n_ubatch(number(plan::MOST))
        .with_n_seq_max(number(sizes.places))
        // One room for all, so that one long conversation fits as well as many short ones.
        .with_kv_unified(true)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        .with_no_perf(true)
}
