//! The thread that computes: one model, one context, one step after the other.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use inference::{EngineError, Reason};
use llama_cpp_2::SeqState;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use crate::context::{Context, Part, Sizes};
use crate::plan::{answers, plan};
use crate::prefixes::{Prefixes, Whose};
use crate::sequence::{Begin, Sequence};

/// Works until nobody can send jobs any more. Tells first whether it can.
pub(crate) fn work(
    backend: &LlamaBackend,
    model: &Arc<LlamaModel>,
    sizes: &Sizes,
    mut jobs: Receiver<Begin>,
    ready: oneshot::Sender<Result<(), String>>,
) {
    let mut ready = Some(ready);
    let mut works = true;
    while works {
        // Without a context there is no work.
        works = false;
        let worked = catch_unwind(AssertUnwindSafe(|| {
            let made = Worker::new(backend, model, sizes, &mut jobs);
            works = made.is_ok();
            if let Some(ready) = ready.take() {
                let _ = ready.send(made.as_ref().map(|_| ()).map_err(Clone::clone));
            }
            match made {
                Ok(mut worker) => worker.run(),
                Err(error) => tracing::error!(error, "llama.cpp has no context to work in"),
            }
        }));
        if worked.is_ok() {
            return;
        }
        // What it was given has ended as broken; what is still to be given is there.
        tracing::error!("the thread of llama.cpp broke; it begins anew");
    }
}

struct Worker<'a> {
    model: &'a LlamaModel,
    context: Context<'a>,
    sizes: &'a Sizes,
    jobs: &'a mut Receiver<Begin>,
    waiting: VecDeque<Begin>,
    running: Vec<Sequence>,
    prefixes: Prefixes<LlamaToken, SeqState>,
    /// Counted on for ever.
    steps: u64,
}

impl<'a> Worker<'a> {
    fn new(
        backend: &LlamaBackend,
        model: &'a LlamaModel,
        sizes: &'a Sizes,
        jobs: &'a mut Receiver<Begin>,
    ) -> Result<Self, String> {
        Ok(Self {
            model,
            context: Context::new(backend, model, sizes)?,
            sizes,
            jobs,
            waiting: VecDeque::new(),
            running: Vec::new(),
            prefixes: Prefixes::new(sizes.kept_bytes),
            steps: 0,
        })
    }

    fn run(&mut self) {
        while self.take() {
            self.drop_cancelled();
            self.place();
            self.restore();
            self.step();
        }
    }

    /// Takes what has come; waits if there is nothing else to do. False when nothing will come.
    fn take(&mut self) -> bool {
        if self.waiting.is_empty() && self.running.is_empty() {
            match self.jobs.blocking_recv() {
                Some(begin) => self.waiting.push_back(begin),
                None => return false,
            }
        }
        while self.waiting.len() < self.sizes.places {
            let Ok(begin) = self.jobs.try_recv() else { break };
            self.waiting.push_back(begin);
        }
        true
    }

    fn drop_cancelled(&mut self) {
        let (gone, waiting) = self.waiting.drain(..).partition(Begin::is_cancelled);
        self.waiting = waiting;
        let gone: VecDeque<Begin> = gone;
        for begin in gone {
            begin.end(Reason::Cancelled);
        }
        for at in (0..self.running.len()).rev() {
            if self.running[at].is_cancelled() {
                self.finish(at, Reason::Cancelled);
            }
        }
    }

    /// Gives places to those that wait, as long as there is room for all that they may become.
    fn place(&mut self) {
        while let Some(begin) = self.waiting.front() {
            let taken: usize = self.running.iter().map(Sequence::most).sum();
            let is_free = |place: &i32| self.running.iter().all(|running| running.place != *place);
            let free = (0..).take(self.sizes.places).find(is_free);
            let Some(place) = free.filter(|_| taken + begin.most <= self.sizes.cells) else {
                return;
            };
            if let Some(begin) = self.waiting.pop_front() {
                self.running.push(Sequence::new(place, begin));
            }
        }
    }

    /// Fetches what has been read before of those that have not begun to read.
    fn restore(&mut self) {
        let begins =
            |sequence: &&mut Sequence| sequence.computed().is_empty() && !sequence.starts_afresh;
        for sequence in self.running.iter_mut().filter(begins) {
            let whose = sequence.whose().or_else(|| sequence.whose_shared());
            let Some(whose) = whose else { continue };
            // One token is left to compute, whose numbers the next is drawn from.
            let usable = &sequence.tokens()[..sequence.tokens().len() - 1];
            let Some((covers, state)) = self.prefixes.longest(&whose, usable, sequence.shared())
            else {
                continue;
            };
            if self.context.restore(sequence.place, state, covers) {
                sequence.reuse(covers);
            } else {
                sequence.starts_afresh = true;
            }
        }
    }

    /// The next token of every answer, then bits of prompts. Not in one go: attention skips what
    /// belongs to others by blocks of rows, which answers of many conversations would spoil.
    fn step(&mut self) {
        self.steps = self.steps.wrapping_add(1);
        let needs: Vec<_> = self.running.iter().map(Sequence::need).collect();
        self.compute(&answers(&needs, self.steps));
        let needs: Vec<_> = self.running.iter().map(Sequence::need).collect();
        self.compute(&plan(&needs));
    }

    /// Computes so many tokens of each, draws those that can be drawn, ends what is done.
    fn compute(&mut self, counts: &[usize]) {
        if counts.iter().all(|count| *count == 0) {
            return;
        }
        let parts = self.running.iter().zip(counts).map(|(sequence, count)| sequence.part(*count));
        let parts: Vec<Part<'_>> = parts.collect();
        let rows = match self.context.compute(&parts) {
            Ok(rows) => rows,
            Err(error) => return self.fail(counts, &error),
        };
        let mut done = Vec::new();
        for (at, sequence) in self.running.iter_mut().enumerate() {
            sequence.advance(counts[at]);
            if let Some(row) = rows[at] {
                let reason = sequence.draw(self.context.numbers(row), self.model);
                done.extend(reason.map(|reason| (at, reason)));
            }
        }
        for at in 0..self.running.len() {
            self.keep_shared(at);
        }
        for (at, reason) in done.into_iter().rev() {
            self.finish(at, reason);
        }
    }

    /// Ends all that were in a step that could not be computed. The others go on.
    fn fail(&mut self, counts: &[usize], why: &str) {
        tracing::error!(why, "llama.cpp could not compute a step");
        for at in (0..counts.len()).rev().filter(|at| counts[*at] > 0) {
            let sequence = self.running.swap_remove(at);
            self.context.forget(sequence.place, 0);
            sequence.end(Reason::Failed(EngineError::Broken(why.to_owned())));
        }
    }

    /// Keeps what has been computed of an answer that ends, and makes room.
    fn finish(&mut self, at: usize, reason: Reason) {
        let sequence = self.running.swap_remove(at);
        let (place, whose) = (sequence.place, sequence.whose());
        let computed = sequence.computed().to_vec();
        sequence.end(reason);
        if let Some(whose) = whose {
            self.keep(place, whose, computed);
        }
        self.context.forget(place, 0);
    }

    /// Keeps the beginning that a tenant's people share, at the moment when nothing else is there.
    fn keep_shared(&mut self, at: usize) {
        let sequence = &self.running[at];
        if sequence.is_shared_only()
            && let Some(whose) = sequence.whose_shared()
        {
            let (place, tokens) = (sequence.place, sequence.computed().to_vec());
            self.keep(place, whose, tokens);
        }
    }

    fn keep(&mut self, place: i32, whose: Whose, tokens: Vec<LlamaToken>) {
        let bytes = tokens.len() * self.sizes.bytes_per_token;
        if !self.prefixes.wants(&whose, &tokens, bytes) {
            return;
        }
        if let Some(state) = self.context.state(place) {
            self.prefixes.keep(whose, tokens, state.byte_len(), state);
        }
    }
}
