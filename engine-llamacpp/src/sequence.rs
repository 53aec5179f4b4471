//! One answer on its way: what has been read and made of it, and what its next token is.

use inference::chances::{likeliest_of, with_logarithm};
use inference::engine::{Chance, PieceSender, TokenChances};
use inference::sampling::Sampling;
use inference::stop::{Shown, StopFilter};
use inference::{EngineError, Meter, Owner, Reason};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llguidance::Matcher;

use crate::plan::Need;
use crate::prefixes::{WORTH_KEEPING, Whose};
use crate::tokenizer::Tokens;
use crate::utf8::Utf8;

/// A job with its prompt in tokens, which are fewer than its context has room for.
pub(crate) struct Begin {
    pub(crate) out: PieceSender,
    pub(crate) meter: Meter,
    pub(crate) owner: Owner,
    pub(crate) prompt: Tokens,
    /// Tokens of prompt and answer together, at most; more than the prompt has.
    pub(crate) most: usize,
    pub(crate) sampling: Sampling,
    pub(crate) shape: Option<Matcher>,
    pub(crate) stops: StopFilter,
    pub(crate) logprobs: Option<usize>,
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
    text: Utf8,
    is_over: bool,
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
        Self {
            place,
            begin,
            prompt,
            past: 0,
            starts_afresh: false,
            text: Utf8::default(),
            is_over: false,
        }
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

    /// The next to be computed, and the position of the first.
    pub(crate) fn next(&self, count: usize) -> (usize, &[LlamaToken]) {
        (self.past, &self.begin.prompt.all[self.past..self.past + count])
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

    /// What the next step should compute for it.
    pub(crate) fn need(&self) -> Need<(&str, &[LlamaToken])> {
        let reads = self.past < self.prompt;
        let shared = self.shared();
        let hands_on = shared >= WORTH_KEEPING && self.past < shared;
        let tenant = self.begin.owner.tenant.as_str();
        Need {
            rest: self.tokens().len() - self.past,
            reads,
            rank: if reads { self.begin.meter.rank() } else { 0 },
            shared: (reads && hands_on && !tenant.is_empty())
                .then(|| ((tenant, &self.tokens()[..shared]), shared - self.past)),
        }
    }

    /// So many tokens of the prompt are in the context without having been computed for it.
    pub(crate) fn reuse(&mut self, count: usize) {
        self.past = count;
        self.begin.meter.reused(count);
    }

    /// The next so many tokens are in the context now. Whether all are, so that one can be drawn.
    pub(crate) fn advance(&mut self, count: usize) -> bool {
        let read = count.min(self.prompt.saturating_sub(self.past));
        if read > 0 {
            self.begin.meter.read(read);
        }
        self.past += count;
        count > 0 && self.past == self.tokens().len()
    }

    /// Draws the next token from the model's numbers, counts it and shows it. Why the answer ends,
    /// if it does.
    pub(crate) fn draw(&mut self, logits: &[f32], model: &LlamaModel) -> Option<Reason> {
        if self.is_cancelled() {
            return Some(Reason::Cancelled);
        }
        let token = match self.pick(logits) {
            Ok(token) => token,
            Err(why) => return Some(Reason::Failed(EngineError::Broken(why))),
        };
        self.begin.meter.made(1);
        self.begin.prompt.all.push(token);
        if let Some(most) = self.begin.logprobs {
            self.tell_chances(logits, token, most, model);
        }
        if model.vocab().is_eog(token) {
            return Some(Reason::Stop);
        }
        let bytes = model.vocab().token_to_piece(token, false, None);
        let text = self.text.push(&bytes);
        match self.begin.stops.push(&text) {
            Shown::More(text) => self.begin.out.text(text),
            Shown::Last(text) => {
                self.begin.out.text(text);
                self.is_over = true;
                return Some(Reason::Stop);
            }
        }
        match &mut self.begin.shape {
            Some(shape) if shape.is_stopped() => Some(Reason::Stop),
            _ => (self.tokens().len() >= self.begin.most).then_some(Reason::Length),
        }
    }

    fn pick(&mut self, logits: &[f32]) -> Result<LlamaToken, String> {
        let Begin { sampling, shape, prompt, .. } = &mut self.begin;
        let position = prompt.all.len();
        let unusable = || "the model gave no usable numbers".to_owned();
        if shape.is_none() && sampling.takes_likeliest() {
            return sampling.pick(logits, position).and_then(token).ok_or_else(unusable);
        }
        let mut logits = logits.to_vec();
        let answer: Vec<u32> =
            prompt.all[self.prompt..].iter().map(|token| token.0.cast_unsigned()).collect();
        sampling.dampen(&mut logits, &answer);
        if let Some(shape) = shape {
            let allowed = shape.compute_mask().map_err(|error| error.to_string())?;
            for (token, logit) in (0..).zip(&mut logits) {
                if !allowed.is_allowed(token) {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        let picked = sampling.pick(&logits, position).and_then(token).ok_or_else(unusable)?;
        if let Some(shape) = shape {
            let taken = shape.consume_token(picked.0.cast_unsigned());
            taken.map_err(|error| error.to_string())?;
        }
        Ok(picked)
    }

    fn tell_chances(&self, logits: &[f32], token: LlamaToken, most: usize, model: &LlamaModel) {
        let chance = |(token, logarithm): (u32, f32)| {
            let token = LlamaToken(token.cast_signed());
            let bytes = model.vocab().token_to_piece(token, true, None);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Chance { text, bytes, logprob: logarithm.min(0.0) }
        };
        let chosen = usize::try_from(token.0).unwrap_or_default();
        self.begin.out.token(TokenChances {
            chosen: chance(with_logarithm(logits, chosen)),
            others: likeliest_of(logits, most).into_iter().map(chance).collect(),
        });
    }

    /// Ends the answer: shows what was held back, and tells what it used.
    pub(crate) fn end(mut self, reason: Reason) {
        if !self.is_over {
            let rest = self.begin.stops.rest();
            self.begin.out.text(rest);
        }
        self.begin.end(reason);
    }
}

fn token(number: usize) -> Option<LlamaToken> {
    i32::try_from(number).ok().map(LlamaToken)
}
