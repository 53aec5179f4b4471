//! Model files: which there are, where they come from, and a folder of checked ones.
//!
//! ```text
//! catalogue -> Entry -> Store::ensure -> a path whose bytes have the entry's SHA-256
//! ```

mod catalogue;
mod checked;
mod download;
mod error;
mod pypi;
mod store;
#[cfg(test)]
mod tests;

pub use catalogue::{Entry, NoSuchModel, Source, catalogue, default_for_memory, find};
pub use error::{FetchError, SourceError};
pub use store::{Progress, Store};
