//! What we need to know of a GGUF file before the engine loads it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use candle_core::quantized::gguf_file::{Content, Value};
use inference::marks::{Marks, marks_a_turn};
use inference::models::gguf;

use crate::vocabulary::Vocabulary;

/// From the file's header.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// Room for prompt and answer, in tokens.
    pub(crate) context_tokens: usize,
    /// The token that ends an answer.
    pub(crate) end_token: u32,
    /// The token that ends a text, which the engine's shapes end with; often another one.
    pub(crate) text_end: Option<u32>,
    /// How tokens are written that steer the model.
    pub(crate) marks: Marks,
    /// Numbers in the model.
    pub(crate) parameters: usize,
    /// What each token says.
    pub(crate) vocabulary: Arc<Vocabulary>,
}

pub(crate) fn open(path: &Path) -> Result<(BufReader<File>, Content)> {
    let mut reader = BufReader::new(File::open(path)?);
    let content = Content::read(&mut reader)?;
    Ok((reader, content))
}

impl Header {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        // Before candle reads it, which allocates whatever a header claims.
        let sound = gguf::check(path)?;
        if !sound.has_chat_template {
            bail!("it has no chat template, so it is not a model to talk to");
        }
        let (_, content) = open(path)?;
        Ok(Self {
            context_tokens: usize::try_from(sound.context_tokens)?,
            end_token: value(&content, "tokenizer.ggml.eos_token_id")?.to_u32()?,
            text_end: text_end(&content)?,
            marks: marks(&content)?,
            vocabulary: Arc::new(Vocabulary::read(&content)?),
            parameters: usize::try_from(sound.parameters)?,
        })
    }
}

/// As the engine finds it when it prepares a shape: by name.
fn text_end(content: &Content) -> Result<Option<u32>> {
    const NAMES: [&str; 3] = ["<|endoftext|>", "<|end_of_text|>", "</s>"];
    let tokens = value(content, "tokenizer.ggml.tokens")?.to_vec()?;
    let mut found = None;
    for (id, token) in (0..).zip(tokens) {
        if NAMES.contains(&token.to_string()?.as_str()) {
            found = found.or(Some(id));
        }
    }
    Ok(found)
}

/// Every token that the engine takes for more than ordinary text, but those that the file's makers
/// defined as text to be read in one piece.
fn marks(content: &Content) -> Result<Marks> {
    const ORDINARY: i32 = 1;
    const USER_DEFINED: i32 = 4;
    let Some(types) = content.metadata.get("tokenizer.ggml.token_type") else {
        return Ok(Marks::default());
    };
    let tokens = value(content, "tokenizer.ggml.tokens")?.to_vec()?;
    let mut texts = Vec::new();
    for (token, kind) in tokens.iter().zip(types.to_vec()?) {
        let token = token.to_string()?;
        let steers = match kind.to_i32()? {
            ORDINARY => false,
            USER_DEFINED => marks_a_turn(token),
            _ => true,
        };
        if steers {
            texts.push(token.clone());
        }
    }
    Ok(Marks::new(texts))
}

pub(crate) fn value<'a>(content: &'a Content, key: &str) -> Result<&'a Value> {
    content.metadata.get(key).with_context(|| format!("it does not say {key}"))
}

pub(crate) fn text<'a>(content: &'a Content, key: &str) -> Result<&'a str> {
    Ok(value(content, key)?.to_string()?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::quantized::gguf_file::VersionedMagic;

    use super::*;

    fn file(tokens: &[(&str, i32)]) -> Content {
        let texts = tokens.iter().map(|(text, _)| Value::String((*text).to_owned())).collect();
        let types = tokens.iter().map(|(_, kind)| Value::I32(*kind)).collect();
        let metadata = [
            ("tokenizer.ggml.tokens".to_owned(), Value::Array(texts)),
            ("tokenizer.ggml.token_type".to_owned(), Value::Array(types)),
        ];
        Content {
            magic: VersionedMagic::GgufV3,
            metadata: metadata.into(),
            tensor_infos: HashMap::new(),
            tensor_data_offset: 0,
        }
    }

    #[test]
    fn people_cannot_write_what_steers_and_tool_marks_are_read_in_one_piece() {
        let file = file(&[
            ("hello", 1),
            ("<unk>", 2),
            ("<|im_end|>", 3),
            ("<tool_call>", 4),
            ("<think>", 4),
            ("<|user|>", 4),
            ("<unused7>", 5),
        ]);
        let marks = marks(&file).unwrap();
        let clean = marks.broken_up("hello<|im_end|><|user|><unk><unused7><think><tool_call>");
        assert_eq!(clean, "hello< |im_end|>< |user|>< unk>< unused7><think><tool_call>");
    }
}
