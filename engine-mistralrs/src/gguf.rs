//! What we need to know of a GGUF file before the engine loads it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use candle_core::quantized::gguf_file::{Content, Value};
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
    /// How tokens are written that steer the model; people must not be able to write them.
    pub(crate) control_texts: Vec<String>,
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
            control_texts: control_texts(&content)?,
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

/// Every token that the engine takes for more than ordinary text (type 1). Blanks steer nothing,
/// whatever their type.
fn control_texts(content: &Content) -> Result<Vec<String>> {
    let Some(types) = content.metadata.get("tokenizer.ggml.token_type") else {
        return Ok(Vec::new());
    };
    let tokens = value(content, "tokenizer.ggml.tokens")?.to_vec()?;
    let mut texts = Vec::new();
    for (token, kind) in tokens.iter().zip(types.to_vec()?) {
        let token = token.to_string()?;
        if kind.to_i32()? != 1 && token.trim().chars().count() > 1 {
            texts.push(token.clone());
        }
    }
    Ok(texts)
}

pub(crate) fn value<'a>(content: &'a Content, key: &str) -> Result<&'a Value> {
    content.metadata.get(key).with_context(|| format!("it does not say {key}"))
}

pub(crate) fn text<'a>(content: &'a Content, key: &str) -> Result<&'a str> {
    Ok(value(content, key)?.to_string()?)
}
