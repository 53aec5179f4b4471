//! Is a GGUF file sound? Asked before any engine sees it: the engines' own readers allocate what
//! a header claims, index what it names and abort the process where that is not there.
//!
//! ```text
//! counts -> keys and values -> table of tensors -> do they belong together?
//! ```
//! Reading order: `reader` never reads or keeps more than it may; `value` and `tensor` read
//! the two tables; `vocabulary` and `shape` hold the tables against each other.

mod reader;
mod shape;
mod tensor;
#[cfg(test)]
mod tests;
mod value;
mod vocabulary;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use self::reader::Reader;
use self::shape::Shape;
use self::tensor::Tensors;
use self::value::Values;
use super::bad_file::{BadFile, at_most};
use super::format::{open, other_kind};

pub(super) const MAGIC: &[u8; 4] = b"GGUF";

/// Keys of one file; known models have fewer than 100.
const KEYS: u64 = 4096;
/// Tensors of one file; known models have fewer than 2,000.
const TENSORS: u64 = 65_536;

/// What the architectures are called that the engines know; the rules below hold for these.
const ARCHITECTURES: &[&str] =
    &["llama", "mistral3", "phi2", "phi3", "qwen2", "qwen3", "qwen3moe", "starcoder2"];

/// What a sound file says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    /// `general.architecture`, like `llama`.
    pub architecture: String,
    /// What the model was made to read at most, in tokens.
    pub context_tokens: u64,
    /// Layers.
    pub blocks: u64,
    /// Numbers that stand for a token.
    pub width: u64,
    /// Numbers that a layer keeps for each token of a conversation, keys and values together.
    pub kept_per_token: u64,
    /// Tokens it knows.
    pub vocabulary: u64,
    /// Whether it has a template for conversations.
    pub has_chat_template: bool,
    /// Numbers in all tensors.
    pub parameters: u64,
    /// Tensors.
    pub tensors: u64,
    /// Where the tensors' data begins.
    pub data_offset: u64,
}

/// Checks the header of the file at `path`; nothing else in it is read. Blocks, for some
/// milliseconds. Tensors may still hold numbers that are none (NaN).
pub fn check(path: &Path) -> Result<Gguf, BadFile> {
    let (file, bytes) = open(path)?;
    read(file, bytes)
}

/// The same, for a header that is not a file of its own: `from` begins with it, and all of it
/// would have `bytes`.
pub fn check_header(from: impl Read, bytes: u64) -> Result<Gguf, BadFile> {
    let mut reader = Reader::new(from, bytes);
    counts(&mut reader).and_then(|counts| tables(&mut reader, &counts))
}

pub(super) fn read(file: File, bytes: u64) -> Result<Gguf, BadFile> {
    check_header(BufReader::with_capacity(1 << 16, file), bytes)
}

struct Counts {
    tensors: u64,
    keys: u64,
}

fn counts(reader: &mut Reader<impl Read>) -> Result<Counts, BadFile> {
    let first = reader.take::<4>()?;
    if first != *MAGIC {
        return Err(BadFile::OtherKind(other_kind(&first).unwrap_or("of no kind we know")));
    }
    match reader.u32()? {
        2 | 3 => {}
        other if matches!(other.swap_bytes(), 1..=3) => {
            return Err(BadFile::OtherKind("a GGUF file for other processors (big endian)"));
        }
        other => return Err(BadFile::Version(other)),
    }
    let (tensors, keys) = (reader.u64()?, reader.u64()?);
    at_most("tensors", tensors, TENSORS)?;
    at_most("keys", keys, KEYS)?;
    Ok(Counts { tensors, keys })
}

fn tables(reader: &mut Reader<impl Read>, counts: &Counts) -> Result<Gguf, BadFile> {
    let values = Values::read(reader, counts.keys)?;
    // Parts of one model would have to be checked together.
    if values.integer("split.count", 0..=1)?.is_some_and(|parts| parts > 1) {
        return Err(BadFile::key("split.count", "it is one part of several"));
    }
    let architecture = values.text("general.architecture")?;
    if !ARCHITECTURES.contains(&architecture) {
        let known = ARCHITECTURES.join(", ");
        let why = format!("{architecture:?} is none of those we run: {known}");
        return Err(BadFile::key("general.architecture", why));
    }
    let vocabulary = vocabulary::check(&values)?;
    let shape = Shape::of(&values, architecture)?;
    let tensors = Tensors::read(reader, counts.tensors, values.alignment()?)?;
    shape.fits(&tensors, vocabulary)?;
    Ok(Gguf {
        architecture: architecture.to_owned(),
        context_tokens: shape.context,
        blocks: shape.blocks,
        width: shape.width,
        kept_per_token: shape.kept_per_token(),
        vocabulary,
        has_chat_template: values.has_text("tokenizer.chat_template")?,
        parameters: tensors.numbers(),
        tensors: counts.tensors,
        data_offset: tensors.data_offset(),
    })
}
