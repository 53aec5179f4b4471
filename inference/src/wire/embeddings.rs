//! Embeddings: texts in, vectors out.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;
use web::Problem;

use super::fields::Fields;
use super::refusal::{Refusal, problem_of, stopping};
use crate::embedding::{EmbedError, Embedding};
use crate::engine::EngineError;

/// Texts in one request.
const MAX_TEXTS: usize = 256;

/// A request that was understood.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The model, if one is named.
    pub(crate) model: Option<String>,
    pub(crate) texts: Vec<String>,
    pub(crate) encoding: Encoding,
    dimensions: Option<usize>,
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Numbers,
    Base64,
}

/// What the client reads.
#[derive(Debug, Serialize)]
pub(crate) struct Reply {
    object: &'static str,
    model: String,
    data: Vec<Item>,
    usage: Usage,
}

#[derive(Debug, Serialize)]
struct Item {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    /// Each number as four bytes, the lowest first.
    Base64(String),
}

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

/// Reads the body of `POST /v1/embeddings`.
pub(crate) fn read(body: &[u8]) -> Result<Asked, Refusal> {
    let mut fields = Fields::parse(body)?;
    let model = fields.text("model")?;
    let texts = texts(&mut fields)?;
    let dimensions = fields.count("dimensions", 1..=usize::MAX)?;
    let encoding = match fields.text("encoding_format")?.as_deref() {
        None | Some("float") => Encoding::Numbers,
        Some("base64") => Encoding::Base64,
        Some(_) => {
            return Err(Refusal::out_of_range("encoding_format", "known are float and base64."));
        }
    };
    fields.skip(&["user"]);
    fields.end()?;
    Ok(Asked { model, texts, encoding, dimensions })
}

fn texts(fields: &mut Fields) -> Result<Vec<String>, Refusal> {
    let list = match fields.take("input").ok_or_else(|| fields.missing("input"))? {
        Value::Array(list) => list,
        one => vec![one],
    };
    if !(1..=MAX_TEXTS).contains(&list.len()) {
        let range = format!("there must be from 1 to {MAX_TEXTS} texts.");
        return Err(Refusal::out_of_range("input", &range));
    }
    let text = |(number, text)| match text {
        Value::String(text) if text.is_empty() => {
            Err(Refusal::out_of_range(&format!("input[{number}]"), "it must not be empty."))
        }
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => {
            Err(Refusal::unsupported("input", "send texts; tokens are not read."))
        }
        other => Err(Refusal::wrong_type(&format!("input[{number}]"), "a text", &other)),
    };
    list.into_iter().enumerate().map(text).collect()
}

impl Asked {
    /// Refuses another length than the model's: a vector that is cut short is another vector.
    pub(crate) fn check_dimensions(&self, native: usize) -> Result<(), Refusal> {
        match self.dimensions {
            Some(dimensions) if dimensions != native => {
                let instead = format!("the model's vectors have {native} numbers; leave it out.");
                Err(Refusal::unsupported("dimensions", &instead))
            }
            _ => Ok(()),
        }
    }
}

impl Reply {
    /// The vectors of the texts of a request, in its encoding.
    pub(crate) fn new(model: String, made: Vec<Embedding>, encoding: Encoding) -> Self {
        let tokens = made.iter().map(|embedding| embedding.tokens).sum();
        let item = |(index, Embedding { vector, .. })| {
            let embedding = match encoding {
                Encoding::Numbers => Vector::Numbers(vector),
                Encoding::Base64 => Vector::Base64(STANDARD.encode(bytes(&vector))),
            };
            Item { object: "embedding", index, embedding }
        };
        Self {
            object: "list",
            model,
            data: made.into_iter().enumerate().map(item).collect(),
            usage: Usage { prompt_tokens: tokens, total_tokens: tokens },
        }
    }
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// What a client is told about an embedder's error; the cause stays in the log.
pub(crate) fn refusal_of(error: &EmbedError) -> Refusal {
    match error {
        EmbedError::UnknownModel(model) => {
            problem_of(&EngineError::UnknownModel(model.clone())).into()
        }
        EmbedError::TooLong { index, tokens, limit } => Refusal::of(
            &format!("input[{index}]"),
            "prompt-too-long",
            "A text is too long for the model.",
            &format!("it has {tokens} tokens, and the model reads {limit} at most."),
        ),
        EmbedError::Busy => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "queue-full",
            "Too many requests are waiting.",
        )
        .detail("A place should be free after the seconds in retry_after.")
        .retry_after(1)
        .into(),
        EmbedError::Left => stopping().into(),
        EmbedError::Broken(why) => problem_of(&EngineError::Broken(why.clone())).into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn vectors_are_written_as_numbers_or_as_bytes() {
        let made = || vec![Embedding { vector: vec![0.1, -1.0], tokens: 3 }];
        let numbers = Reply::new("m".to_owned(), made(), Encoding::Numbers);
        let numbers = serde_json::to_string(&numbers).unwrap();
        assert!(numbers.contains("[0.1,-1.0]"), "no digits that are not there: {numbers}");
        let bytes = Reply::new("m".to_owned(), made(), Encoding::Base64);
        let bytes = serde_json::to_value(&bytes).unwrap();
        assert_eq!(bytes["data"][0]["embedding"], "zczMPQAAgL8=");
        assert_eq!(bytes["usage"]["total_tokens"], 3);
    }

    #[test]
    fn every_refusal_names_what_it_is_about() {
        for (body, param, code) in [
            (json!({}), "input", "missing-field"),
            (json!({"input": []}), "input", "out-of-range"),
            (json!({"input": vec!["a"; 257]}), "input", "out-of-range"),
            (json!({"input": ["a", ""]}), "input[1]", "out-of-range"),
            (json!({"input": [1, 2]}), "input", "unsupported-field"),
            (json!({"input": [[1], [2]]}), "input", "unsupported-field"),
            (json!({"input": [{}]}), "input[0]", "wrong-type"),
            (json!({"input": "a", "encoding_format": "hex"}), "encoding_format", "out-of-range"),
            (json!({"input": "a", "dimensions": 0}), "dimensions", "out-of-range"),
            (json!({"input": "a", "model": 1}), "model", "wrong-type"),
            (json!({"input": "a", "x": 1}), "x", "unknown-field"),
        ] {
            let refusal = read(body.to_string().as_bytes()).unwrap_err();
            assert_eq!((refusal.param.as_deref(), refusal.problem.code), (Some(param), code));
        }
        let asked = read(br#"{"input": "a", "dimensions": 8}"#).unwrap();
        assert_eq!(asked.check_dimensions(32).unwrap_err().param.as_deref(), Some("dimensions"));
        asked.check_dimensions(8).unwrap();
    }
}
