//! What one event of an upstream's answer says.

use serde::Deserialize;
use serde_json::Value;

use super::failure::{self, Failure};
use crate::engine::{Chance, Reason, TokenChances, Usage};

/// What an event says; mostly one of these.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// More of the answer.
    pub(super) text: String,
    /// The tokens it is made of, if they were asked for.
    pub(super) tokens: Vec<TokenChances>,
    /// It made something, shown or not: reasoning is not.
    pub(super) made: bool,
    /// Why it ended.
    pub(super) finish: Option<Reason>,
    /// What it used.
    pub(super) usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    logprobs: Option<Chances>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    reasoning: Option<String>,
    reasoning_content: Option<String>,
}

/// Of conversations in `content`, of texts in the others.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Chances {
    content: Option<Vec<Listed>>,
    tokens: Vec<String>,
    token_logprobs: Vec<Option<f32>>,
    top_logprobs: Option<Vec<Option<serde_json::Map<String, Value>>>>,
}

#[derive(Deserialize)]
struct Listed {
    token: String,
    logprob: f32,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Vec<Listed>,
}

#[derive(Deserialize)]
struct RawUsage {
    #[serde(default)]
    prompt_tokens: usize,
    #[serde(default)]
    completion_tokens: usize,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<usize>,
}

/// Reads the data of one event.
pub(super) fn read(data: &str) -> Result<Said, Failure> {
    let chunk: Chunk = serde_json::from_str(data)
        .map_err(|_| Failure::broken("it sent an event that is no chunk of an answer"))?;
    if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
        return Err(failure::of_event(&error));
    }
    let mut said = Said { usage: chunk.usage.map(usage), ..Said::default() };
    if let Some(choice) = chunk.choices.into_iter().find(|choice| choice.index == 0) {
        take(choice, &mut said)?;
    }
    Ok(said)
}

fn take(choice: Choice, said: &mut Said) -> Result<(), Failure> {
    let delta = choice.delta.unwrap_or_default();
    let is_some = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let thought = is_some(&delta.reasoning) || is_some(&delta.reasoning_content);
    let texts = [delta.content, delta.refusal, choice.text];
    said.text = texts.into_iter().flatten().collect();
    said.tokens = choice.logprobs.map(chances).unwrap_or_default();
    said.made = thought || !said.text.is_empty() || !said.tokens.is_empty();
    said.finish = match choice.finish_reason.as_deref() {
        None | Some("") => None,
        Some("length") => Some(Reason::Length),
        Some("content_filter") => Some(Reason::Filtered),
        Some("error") => return Err(Failure::broken("it ended the answer with an error")),
        Some(_) => Some(Reason::Stop),
    };
    Ok(())
}

fn usage(raw: RawUsage) -> Usage {
    let cached = raw.prompt_tokens_details.and_then(|details| details.cached_tokens);
    Usage {
        prompt_tokens: raw.prompt_tokens,
        cached_tokens: cached.unwrap_or_default().min(raw.prompt_tokens),
        completion_tokens: raw.completion_tokens,
    }
}

fn chances(logprobs: Chances) -> Vec<TokenChances> {
    if let Some(content) = logprobs.content {
        return content.into_iter().map(listed).collect();
    }
    let mut others = logprobs.top_logprobs.unwrap_or_default().into_iter();
    let each = logprobs.tokens.into_iter().zip(logprobs.token_logprobs);
    each.map(|(token, logprob)| TokenChances {
        chosen: chance(token, None, logprob.unwrap_or_default()),
        others: others.next().flatten().map(map_of_others).unwrap_or_default(),
    })
    .collect()
}

fn listed(listed: Listed) -> TokenChances {
    let one = |listed: Listed| chance(listed.token, listed.bytes, listed.logprob);
    let Listed { token, logprob, bytes, top_logprobs } = listed;
    TokenChances {
        chosen: chance(token, bytes, logprob),
        others: top_logprobs.into_iter().map(one).collect(),
    }
}

/// Older servers list the others in no order.
fn map_of_others(others: serde_json::Map<String, Value>) -> Vec<Chance> {
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm needs no more")]
    let of = |(token, logprob): (String, Value)| {
        chance(token, None, logprob.as_f64().unwrap_or(f64::NEG_INFINITY) as f32)
    };
    let mut others: Vec<_> = others.into_iter().map(of).collect();
    others.sort_by(|a, b| b.logprob.total_cmp(&a.logprob));
    others
}

fn chance(text: String, bytes: Option<Vec<u8>>, logprob: f32) -> Chance {
    let bytes = bytes.unwrap_or_else(|| text.clone().into_bytes());
    // Some write what is impossible as a large number.
    Chance { text, bytes, logprob: if logprob.is_nan() { f32::MIN } else { logprob.min(0.0) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(data: &str) -> Said {
        read(data).unwrap()
    }

    #[test]
    fn text_comes_from_conversations_and_from_texts() {
        for data in [
            r#"{"choices":[{"index":0,"delta":{"content":"hi"}}]}"#,
            r#"{"choices":[{"text":"hi","finish_reason":null}],"usage":null}"#,
            r#"{"choices":[{"index":1,"text":"no"},{"index":0,"delta":{"refusal":"hi"}}]}"#,
        ] {
            let said = said(data);
            assert_eq!((said.text.as_str(), said.made, said.finish), ("hi", true, None), "{data}");
        }
        assert!(!said(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#).made);
        let thought = said(r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#);
        assert_eq!((thought.text.as_str(), thought.made), ("", true));
    }

    #[test]
    fn the_end_says_why_and_the_last_event_what_was_used() {
        let end = |reason: &str| {
            said(&format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#)).finish
        };
        assert_eq!(end("stop"), Some(Reason::Stop));
        assert_eq!(end("length"), Some(Reason::Length));
        assert_eq!(end("content_filter"), Some(Reason::Filtered));
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,
            "total_tokens":13,"prompt_tokens_details":{"cached_tokens":20}}}"#;
        let expected = Usage { prompt_tokens: 9, cached_tokens: 9, completion_tokens: 4 };
        assert_eq!(said(usage).usage, Some(expected));
    }

    #[test]
    fn chances_are_read_in_both_forms() {
        let new = r#"{"choices":[{"delta":{"content":"a"},"logprobs":{"content":[{"token":"a",
            "logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1.0,"bytes":null}]
            }]}}]}"#;
        let old = r#"{"choices":[{"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[-0.5],
            "top_logprobs":[{"b":-1.0}],"text_offset":[0]}}]}"#;
        let one = |text: &str, logprob| Chance {
            text: text.to_owned(),
            bytes: text.as_bytes().to_vec(),
            logprob,
        };
        let expected = TokenChances { chosen: one("a", -0.5), others: vec![one("b", -1.0)] };
        assert_eq!([said(new).tokens, said(old).tokens], [[expected.clone()], [expected]]);
    }

    #[test]
    fn errors_and_nonsense_are_failures() {
        for bad in ["", "{", "[]x", r#"{"error":{"message":"sk-123","code":"oops"}}"#] {
            let failure = read(bad).unwrap_err();
            assert!(!failure.error.to_string().contains("sk-123"), "{bad}");
        }
        assert_eq!(said("{}"), Said::default());
    }
}
