//! One answer on its way: what has been read and made of it, and what it needs next.

use inference::engine::PieceSender;
use inference::{Meter, Owner, Reason};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::context::Part;
use crate::drawing::Drawing;
use crate::plan::Need;
use crate::prefixes::{WORTH_KEEPING, Whose};
use crate::tokenizer::Tokens;

/// A job with its prompt in tokens, which are fewer than its context has room for.
pub(crate) struct Begin {
    pub(crate) out: PieceSender,
    pub(crate) meter: Meter,
    pub(crate) owner: Owner,
    pub(crate) prompt: Tokens,
    /// Tokens of prompt and answer together, at most; more than the prompt has.
    pub(crate) most: usize,
    pub(crate) drawing: Drawing,
}

/// An answer that has a place in the model's context.
pub(crate) struct Sequence {
    pub(crate) place: i32,
    begin: Begin,
    prompt: usize,
    /// So many tokens are in the context; the others are to be computed.
    past: usize,
    /// Whether what was kept is of no use to it.
    pub(crate) starts_afresh: bool,
}

impl Begin {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.out.is_cancelled()
    }

    /// Ends it before it has begun.
    pub(crate) fn end(self, reason: Reason) {
        let usage = self.meter.usage();
        self.out.end(reason, usage);
    }
}

impl Sequence {
    pub(crate) fn new(place: i32, begin: Begin) -> Self {
        let prompt = begin.prompt.all.len();
        Self { place, begin, prompt, past: 0, starts_afresh: false }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.begin.is_cancelled()
    }

    /// Tokens of prompt and answer, at most.
    pub(crate) fn most(&self) -> usize {
        self.begin.most
    }

    /// Prompt and answer until now.
    pub(crate) fn tokens(&self) -> &[LlamaToken] {
        &self.begin.prompt.all
    }

    /// Those that are in the context.
    pub(crate) fn computed(&self) -> &[LlamaToken] {
        &self.begin.prompt.all[..self.past]
    }

    /// The next so many, to be computed.
    pub(crate) fn part(&self, count: usize) -> Part<'_> {
        let until = self.past + count;
        let draws = count > 0 && until == self.tokens().len();
        Part { place: self.place, past: self.past, tokens: &self.tokens()[self.past..until], draws }
    }

    /// So many of the first tokens are shared by all people of the tenant.
    pub(crate) fn shared(&self) -> usize {
        self.begin.prompt.shared
    }

    /// Whether the shared beginning is in the context, and nothing else.
    pub(crate) fn is_shared_only(&self) -> bool {
        self.past > 0 && self.past == self.shared()
    }

    /// Whose the conversation is; `None` if nothing may be kept of it.
    pub(crate) fn whose(&self) -> Option<Whose> {
        let Owner { tenant, user, .. } = &self.begin.owner;
        let is_known = !tenant.is_empty() && !user.is_empty();
        is_known.then(|| Whose { tenant: tenant.clone(), user: Some(user.clone()) })
    }

    /// Whose the shared beginning is; `None` if nothing may be kept of it.
    pub(crate) fn whose_shared(&self) -> Option<Whose> {
        let tenant = &self.begin.owner.tenant;
        (!tenant.is_empty()).then(|| Whose { tenant: tenant.clone(), user: None })
    }

    /// Whether its prompt is still being read.
    pub(crate) fn reads(&self) -> bool {
        self.past < self.prompt
    }

    /// What it needs of a step.
    pub(crate) fn need(&self) -> Need<(&str, &[LlamaToken])> {
        let reads = self.reads();
        let shared = self.shared();
        let hands_on = shared >= WORTH_KEEPING && self.past < shared;
        let tenant = self.begin.owner.tenant.as_str();
        Need {
            rest: self.tokens().len() - self.past,
            reads,
            rank: self.begin.meter.rank(),
            shared: (reads && hands_on && !tenant.is_empty())
                .then(|| ((tenant, &self.tokens()[..shared]), shared - self.past)),
        }
    }

    /// So many tokens of the prompt are in the context without having been computed for it.
    pub(crate) fn reuse(&mut self, count: usize) {
        self.past = count;
        self.begin.meter.reused(count);
    }

    /// The next so many tokens are in the context now.
    pub(crate) fn advance(&mut self, count: usize) {
        let read = count.min(self.prompt.saturating_sub(self.past));
        if read > 0 {
            self.begin.meter.read(read);
        }
        self.past += count;
    }

    /// Draws the next token from the model's numbers, counts it and shows it. Why the answer ends,
    /// if it does.
    pub(crate) fn draw(&mut self, logits: &[f32], model: &LlamaModel) -> Option<Reason> {
        if self.is_cancelled() {
            return Some(Reason::Cancelled);
        }
        let Begin { out, meter, prompt, drawing, most, .. } = &mut self.begin;
        let (before, answer) = prompt.all.split_at(self.prompt);
        let token = match drawing.pick(logits, before, answer) {
            Ok(token) => token,
            Err(error) => return Some(Reason::Failed(error)),
        };
        meter.made(1);
        prompt.all.push(token);
        let ends = drawing.show(token, logits, model, out);
        ends.or_else(|| (prompt.all.len() >= *most).then_some(Reason::Length))
    }

    /// Ends the answer: shows what was held back, and tells what it used.
    pub(crate) fn end(mut self, reason: Reason) {
        self.begin.drawing.show_rest(&self.begin.out);
        self.begin.end(reason);
    }
}
