//! Model files: which there are, where they come from, and a folder of checked ones.
//!
//! ```text
//! catalogue -> Entry -> Store::ensure -> a path whose bytes have the entry's SHA-256
//! ```
//! [`check`] says whether a file is sound before an engine sees it: [`gguf`], [`safetensors`].
//! [`hostile`] makes files that are not, for the tests of whoever loads them.

mod bad_file;
mod catalogue;
mod checked;
mod download;
mod embeddings;
mod error;
mod format;
pub mod gguf;
pub mod hostile;
mod layout;
mod listed;
mod pypi;
pub mod safetensors;
mod store;
#[cfg(test)]
mod tests;
mod upkeep;

pub use bad_file::BadFile;
pub use catalogue::{
    Entry, Format, Hub, NoSuchModel, Source, better_for, catalogue, find, smallest,
};
pub use embeddings::{EmbeddingModel, embedding_models};
pub use error::{FetchError, SourceError};
pub use format::{Checked, check};
pub use store::{Progress, Store};
pub use upkeep::{Removed, Stored, Verdict};

/// An amount of bytes as people say it: `98 MB`, `1.1 GB`.
pub fn in_words(bytes: u64) -> String {
    let megabytes = (bytes + 500_000) / 1_000_000;
    let tenths = (megabytes + 50) / 100;
    match (megabytes, tenths % 10) {
        (0..1000, _) => format!("{megabytes} MB"),
        (_, 0) => format!("{} GB", tenths / 10),
        (_, rest) => format!("{}.{rest} GB", tenths / 10),
    }
}
