//! What can go wrong on the way to a model file, in words a person can act on.

use std::io;
use std::path::PathBuf;

use super::{BadFile, in_words};

/// Why there is no model file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not enough room.
    #[error("{} has {} free, and this needs {}", folder.display(), in_words(*free), in_words(*needed))]
    NoSpace {
        /// Where.
        folder: PathBuf,
        /// For this model.
        needed: u64,
        /// There are.
        free: u64,
    },
    /// Every source failed.
    #[error("no source gave {model}:\n  {}", list(tried))]
    NoSource {
        /// The model's title.
        model: String,
        /// Each source's name, and what went wrong with it.
        tried: Vec<(String, SourceError)>,
    },
    /// The folder itself.
    #[error("cannot use the model folder {}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

fn list(tried: &[(String, SourceError)]) -> String {
    let lines: Vec<_> = tried.iter().map(|(source, error)| format!("{source}: {error}")).collect();
    lines.join("\n  ")
}

/// What went wrong with one source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The network or the other side.
    #[error("{}", with_causes(.0))]
    Http(#[from] reqwest::Error),
    /// The disk.
    #[error("{0}")]
    Disk(#[from] io::Error),
    /// pip.
    #[error("pip: {0}")]
    Pip(String),
    /// The package index.
    #[error("package index: {0}")]
    Index(String),
    /// The wheel.
    #[error("the wheel cannot be read: {0}")]
    Wheel(String),
    /// An address that is none.
    #[error("bad address: {0}")]
    Address(#[from] url::ParseError),
    /// Larger than the entry says.
    #[error("it has more than the expected {limit} bytes, so it was not taken")]
    TooLarge {
        /// Expected at most.
        limit: u64,
    },
    /// Other bytes than the entry says.
    #[error("it is not the expected file, so it was thrown away: SHA-256 {found}, not {expected}")]
    WrongHash {
        /// The hash it should have.
        expected: String,
        /// Its hash.
        found: String,
    },
    /// The right bytes, and no sound model file.
    #[error("it cannot be used, so it was thrown away: {0}")]
    Unsound(BadFile),
}

fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
