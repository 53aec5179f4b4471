//! The next token of one answer: picked within the shape, told with its chances, shown as text.

use inference::chances::{likeliest_of, with_logarithm};
use inference::engine::{Chance, PieceSender, TOO_COMPLEX, TokenChances};
use inference::sampling::Sampling;
use inference::stop::{Shown, StopFilter};
use inference::{EngineError, Reason};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llguidance::Matcher;

use crate::utf8::Utf8;

/// How one answer is drawn.
pub(crate) struct Drawing {
    sampling: Sampling,
    shape: Option<Matcher>,
    stops: StopFilter,
    likeliest: Option<usize>,
    text: Utf8,
}

impl Drawing {
    /// `likeliest` tells each token and so many likelier ones, if set.
    pub(crate) fn new(
        sampling: Sampling,
        shape: Option<Matcher>,
        stops: StopFilter,
        likeliest: Option<usize>,
    ) -> Self {
        Self { sampling, shape, stops, likeliest, text: Utf8::default() }
    }

    /// The token after `prompt` and `answer`, from the model's numbers.
    pub(crate) fn pick(
        &mut self,
        logits: &[f32],
        prompt: &[LlamaToken],
        answer: &[LlamaToken],
    ) -> Result<LlamaToken, EngineError> {
        let position = prompt.len() + answer.len();
        let token = |logits: &[f32]| {
            let picked = self.sampling.pick(logits, position);
            let picked = picked.and_then(|token| i32::try_from(token).ok());
            let unusable = || EngineError::Broken("the model gave no usable numbers".to_owned());
            picked.map(LlamaToken).ok_or_else(unusable)
        };
        if self.shape.is_none() && self.sampling.takes_likeliest() {
            return token(logits);
        }
        let mut logits = logits.to_vec();
        let answer: Vec<u32> = answer.iter().map(|token| token.0.cast_unsigned()).collect();
        self.sampling.dampen(&mut logits, &answer);
        let Some(shape) = &mut self.shape else { return token(&logits) };
        // Not in the grammar's own words, which can be those of people.
        let gave_up = || EngineError::BadShape(TOO_COMPLEX.to_owned());
        let allowed = shape.compute_mask().map_err(|_| gave_up())?;
        for (token, logit) in (0..).zip(&mut logits) {
            if !allowed.is_allowed(token) {
                *logit = f32::NEG_INFINITY;
            }
        }
        let picked = token(&logits)?;
        shape.consume_token(picked.0.cast_unsigned()).map_err(|_| gave_up())?;
        Ok(picked)
    }

    /// Shows a token that was picked. Why the answer ends with it, if it does.
    pub(crate) fn show(
        &mut self,
        token: LlamaToken,
        logits: &[f32],
        model: &LlamaModel,
        out: &PieceSender,
    ) -> Option<Reason> {
        if let Some(most) = self.likeliest {
            out.token(chances(token, logits, most, model));
        }
        if model.vocab().is_eog(token) {
            return Some(Reason::Stop);
        }
        let bytes = model.vocab().token_to_piece(token, false, None);
        match self.stops.push(&self.text.push(&bytes)) {
            Shown::More(text) => out.text(text),
            Shown::Last(text) => {
                out.text(text);
                return Some(Reason::Stop);
            }
        }
        let is_whole = self.shape.as_ref().is_some_and(Matcher::is_stopped);
        is_whole.then_some(Reason::Stop)
    }

    /// Shows what was held back, when no more text can come.
    pub(crate) fn show_rest(&mut self, out: &PieceSender) {
        out.text(self.stops.rest());
    }
}

fn chances(token: LlamaToken, logits: &[f32], most: usize, model: &LlamaModel) -> TokenChances {
    let chance = |(token, logarithm): (u32, f32)| {
        let bytes = model.vocab().token_to_piece(LlamaToken(token.cast_signed()), true, None);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Chance { text, bytes, logprob: logarithm.min(0.0) }
    };
    let chosen = usize::try_from(token.0).unwrap_or_default();
    TokenChances {
        chosen: chance(with_logarithm(logits, chosen)),
        others: likeliest_of(logits, most).into_iter().map(chance).collect(),
    }
}
