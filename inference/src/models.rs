//! Model files: which there are, where they come from, and a folder of checked ones.
//!
//! ```text
//! catalogue -> Entry -> Store::ensure -> a path whose bytes have the entry's SHA-256
//! ```

mod catalogue;
mod checked;
mod download;
mod error;
mod listed;
mod pypi;
mod store;
#[cfg(test)]
mod tests;

pub use catalogue::{Entry, Hub, NoSuchModel, Source, better_for, catalogue, find, smallest};
pub use error::{FetchError, SourceError};
pub use store::{Progress, Store};

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
