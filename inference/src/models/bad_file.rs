//! Why a file is not taken for a model. Every text goes on after "FILE cannot be used: ".

use std::io;

/// Why a file is not taken for a model. What is quoted from the file is shortened and escaped.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// The disk.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A folder, a pipe, a device.
    #[error("it is not a plain file")]
    NotAFile,
    /// Something else than a model format that holds numbers and nothing to run.
    #[error("it is {0}; only GGUF and safetensors files are taken")]
    OtherKind(&'static str),
    /// A GGUF file from another time.
    #[error("it is GGUF of version {0}; versions 2 and 3 are read")]
    Version(u32),
    /// Shorter than it says.
    #[error("it ends too early: after byte {at} it should have {needed} more")]
    Truncated {
        /// Bytes read until then.
        at: u64,
        /// Bytes that should follow.
        needed: u64,
    },
    /// More than any model has.
    #[error("it claims {claimed} {what}; {limit} is the most that is read")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much.
        claimed: u64,
        /// The most.
        limit: u64,
    },
    /// Nothing is said about something that must be known.
    #[error("it does not say {0}")]
    Missing(String),
    /// Something it says cannot be.
    #[error("{key}: {why}")]
    Key {
        /// What it says something about.
        key: String,
        /// Why that cannot be.
        why: String,
    },
    /// A tensor that cannot be.
    #[error("tensor {name}: {why}")]
    Tensor {
        /// Which.
        name: String,
        /// Why.
        why: String,
    },
}

impl BadFile {
    pub(super) fn missing(what: impl AsRef<[u8]>) -> Self {
        Self::Missing(shown(what.as_ref()))
    }

    pub(super) fn key(key: impl AsRef<[u8]>, why: impl Into<String>) -> Self {
        Self::Key { key: shown(key.as_ref()), why: why.into() }
    }

    pub(super) fn tensor(name: impl AsRef<[u8]>, why: impl Into<String>) -> Self {
        Self::Tensor { name: shown(name.as_ref()), why: why.into() }
    }
}

/// Nothing that claims more than `limit`.
pub(super) fn at_most(what: &'static str, claimed: u64, limit: u64) -> Result<(), BadFile> {
    if claimed > limit { Err(BadFile::TooMuch { what, claimed, limit }) } else { Ok(()) }
}

/// Text of a file for a terminal: at most 80 characters, no control characters.
pub(super) fn shown(text: &[u8]) -> String {
    const MOST: usize = 80;
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * MOST)]);
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}
