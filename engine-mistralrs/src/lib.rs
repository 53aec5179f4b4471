//! mistral.rs as an [`inference::Engine`]: GGUF models on the processor or a GPU, in this process,
//! offline.
//!
//! Reading order: [`cpu`] says whether this computer can run what was compiled; [`gguf`] reads
//! what we need to know of a file before loading it, its [`vocabulary`] among it; [`reencode`]
//! writes a faster copy once; [`device`] says where it computes; [`load`] makes an engine of it, several where there is [`memory`]
//! for them; [`drawing`] draws tokens, counts, delays and stops them; [`engine`] runs one job.

pub mod cpu;
mod gguf;
mod reencode;
mod vocabulary;

mod device;
mod load;
mod memory;

mod drawing;
mod engine;

pub use device::has_gpu;
pub use engine::MistralEngine;
pub use load::{LoadError, Options, Precision};
pub use reencode::Encoding;
