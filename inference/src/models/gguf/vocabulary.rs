//! The tokens, and what else is said of each of them. Engines look tokens up by text and by
//! number without asking whether they are there.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::Read;

use super::reader::Reader;
use super::value::Values;
use crate::models::bad_file::{BadFile, at_most};

pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
pub(super) const MERGES: &str = "tokenizer.ggml.merges";
pub(super) const TYPES: &str = "tokenizer.ggml.token_type";
pub(super) const SCORES: &str = "tokenizer.ggml.scores";

/// Tokens of one vocabulary.
const MOST: u64 = 1 << 20;
/// Bytes of one token; the longest known have some hundred.
const TOKEN: u64 = 1 << 12;
/// Tokens that are no ordinary text. An engine makes its tables anew for each of them.
const SPECIAL: u64 = 4096;
/// How a vocabulary is cut: by merges, or by scores.
const BY_MERGES: &str = "gpt2";
const BY_SCORES: &str = "llama";

/// What a list of tokens holds.
pub(super) struct Tokens {
    /// Tokens.
    count: u64,
    /// Those that stand for one byte, like `<0x0A>`.
    bytes: u64,
}

impl Tokens {
    pub(super) fn read(
        reader: &mut Reader<impl Read>,
        count: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<Self, BadFile> {
        at_most("tokens", count, MOST)?;
        // Hashes under a key that nobody knows, instead of the texts.
        let (hasher, mut seen) = (RandomState::new(), HashSet::new());
        let mut bytes = 0;
        for number in 0..count {
            reader.text("bytes of a token", TOKEN, buffer)?;
            // A NUL ends a text for engines written in C, and an empty one gets a name.
            let text = buffer.split(|&byte| byte == 0).next().unwrap_or_default();
            let text = std::str::from_utf8(text)
                .map_err(|_| BadFile::key(TOKENS, format!("token {number} is no UTF-8")))?;
            let hash = match text {
                "" => hasher.hash_one(format!("[EMPTY_{number}]")),
                text => hasher.hash_one(text),
            };
            if !seen.insert(hash) {
                return Err(BadFile::key(TOKENS, format!("token {number} is there twice")));
            }
            bytes += u64::from(is_byte(text));
        }
        Ok(Self { count, bytes })
    }
}

/// `<0x00>` to `<0xFF>`.
fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(hex))
}

/// Each merge names two parts with a space between.
pub(super) fn merges(
    reader: &mut Reader<impl Read>,
    count: u64,
    buffer: &mut Vec<u8>,
) -> Result<(), BadFile> {
    for number in 0..count {
        reader.text("bytes of a merge", 2 * TOKEN + 1, buffer)?;
        let inside = buffer.get(1..buffer.len().saturating_sub(1)).unwrap_or_default();
        if !inside.contains(&b' ') || std::str::from_utf8(buffer).is_err() {
            return Err(BadFile::key(MERGES, format!("merge {number} does not name two parts")));
        }
    }
    Ok(())
}

pub(super) fn types(reader: &mut Reader<impl Read>, count: u64) -> Result<(), BadFile> {
    let mut special = 0;
    for _ in 0..count {
        match reader.take().map(i32::from_le_bytes)? {
            1 => {}
            0..=6 => special += 1,
            other => return Err(BadFile::key(TYPES, format!("{other} is no type of a token"))),
        }
    }
    at_most("tokens that are no text", special, SPECIAL)
}

pub(super) fn scores(reader: &mut Reader<impl Read>, count: u64) -> Result<(), BadFile> {
    for number in 0..count {
        if !reader.take().map(f32::from_le_bytes)?.is_finite() {
            return Err(BadFile::key(SCORES, format!("score {number} is not a number")));
        }
    }
    Ok(())
}

/// Whether everything that is said of tokens is said of those that are there; how many there are.
pub(super) fn check(values: &Values) -> Result<u64, BadFile> {
    let cut = values.text("tokenizer.ggml.model")?;
    let tokens = values.tokens.as_ref().ok_or_else(|| BadFile::missing(TOKENS))?;
    let count = tokens.count;
    if count == 0 {
        return Err(BadFile::key(TOKENS, "there are none"));
    }
    for key in [TYPES, SCORES] {
        if let Some(items) = values.items(key)?.filter(|&items| items != count) {
            return Err(BadFile::key(key, format!("{items} of them for {count} tokens")));
        }
    }
    if let Some(items) = values.items(MERGES)? {
        at_most("merges", items, 2 * MOST)?;
    }
    match cut {
        BY_MERGES if !values.has(MERGES) => return Err(BadFile::missing(MERGES)),
        BY_SCORES if !values.has(SCORES) => return Err(BadFile::missing(SCORES)),
        // What no token stands for is written byte by byte.
        BY_SCORES if tokens.bytes != 256 => {
            let why = format!("{} of 256 bytes have a token", tokens.bytes);
            return Err(BadFile::key(TOKENS, why));
        }
        BY_MERGES | BY_SCORES => {}
        other => {
            let why = format!("{other:?} is neither {BY_MERGES} nor {BY_SCORES}");
            return Err(BadFile::key("tokenizer.ggml.model", why));
        }
    }
    let is_id = |key: &str| key.starts_with("tokenizer.ggml.") && key.ends_with("_token_id");
    let ids = values.integers().filter(|(key, _)| is_id(key));
    for (key, id) in ids {
        let id = id.ok_or_else(|| BadFile::key(key, "it is not a whole number"))?;
        if !(0..i128::from(count)).contains(&id) {
            return Err(BadFile::key(key, format!("there is no token {id} among {count}")));
        }
    }
    // Without it no answer would end.
    values.count("tokenizer.ggml.eos_token_id", 0..=count - 1)?;
    Ok(count)
}
