//! How likely each token was, as clients read it.

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::refusal::Refusal;
use crate::engine::{Chance, TokenChances};

/// Likelier tokens beside each, in chats and responses; the older completions have fewer.
pub(super) const MOST: usize = 20;
pub(super) const MOST_CLASSIC: usize = 5;

/// Reads `logprobs` and `top_logprobs` of a chat.
pub(super) fn of_chat(fields: &mut Fields) -> Result<Option<usize>, Refusal> {
    let wanted = fields.flag("logprobs")?.unwrap_or(false);
    let others = fields.count("top_logprobs", 0..=MOST)?;
    match (wanted, others) {
        (true, others) => Ok(Some(others.unwrap_or(0))),
        (false, None | Some(0)) => Ok(None),
        (false, Some(_)) => {
            Err(Refusal::unsupported("top_logprobs", "set logprobs to true with it."))
        }
    }
}

/// A token in chats and responses.
pub(super) fn token(chances: &TokenChances) -> Value {
    let mut token = one(&chances.chosen);
    token["top_logprobs"] = chances.others.iter().map(one).collect();
    token
}

/// All tokens of a part of a completion, which begins `offset` characters into the answer.
pub(super) fn classic(tokens: &[TokenChances], mut offset: usize) -> Value {
    let mut offsets = Vec::with_capacity(tokens.len());
    for token in tokens {
        offsets.push(offset);
        offset += token.chosen.text.chars().count();
    }
    let top = |token: &TokenChances| -> Map<String, Value> {
        token.others.iter().map(|chance| (chance.text.clone(), number(chance))).collect()
    };
    json!({
        "tokens": tokens.iter().map(|token| &token.chosen.text).collect::<Vec<_>>(),
        "token_logprobs": tokens.iter().map(|token| number(&token.chosen)).collect::<Vec<_>>(),
        "top_logprobs": tokens.iter().map(top).collect::<Vec<_>>(),
        "text_offset": offsets,
    })
}

fn one(chance: &Chance) -> Value {
    json!({"token": chance.text, "bytes": chance.bytes, "logprob": number(chance)})
}

/// JSON has no infinity; clients read this as "never".
fn number(chance: &Chance) -> Value {
    const NEVER: f32 = -9999.0;
    json!(if chance.logprob.is_nan() { NEVER } else { chance.logprob.clamp(NEVER, 0.0) })
}
