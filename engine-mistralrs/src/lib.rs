//! mistral.rs as an [`inference::Engine`]: GGUF models on the processor, in this process, offline.
//!
//! Reading order: [`cpu`] says whether this computer can run what was compiled; [`gguf`] reads
//! what we need to know of a file before loading it, its [`vocabulary`] among it; [`reencode`]
//! writes a faster copy once; [`load`] makes an engine of it, several where there is [`memory`]
//! for them; [`drawing`] draws tokens, counts, delays and stops them; [`engine`] runs one job.

pub mod cpu;
mod gguf;
mod reencode;
mod vocabulary;

mod load;
mod memory;

mod drawing;
mod engine;

pub use engine::MistralEngine;
pub use load::{LoadError, Options, Precision};
pub use reencode::Encoding;
