//! all-MiniLM-L6-v2 as an [`inference::embedding::Embedder`]: texts become vectors, on the
//! processor, in this process, offline.
//!
//! Reading order: [`text`] makes tokens of texts; [`batches`] puts texts of like length together;
//! [`bert`] computes; [`worker`] is the thread that does, one batch of each request in turn;
//! [`engine`] puts them behind the trait.

mod batches;
mod bert;
mod text;
mod worker;

mod engine;

pub use engine::{LoadError, MiniLm, on_demand};
