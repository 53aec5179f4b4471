//! llama.cpp as an [`inference::Engine`]: GGUF models on the processor, in this process, offline,
//! many conversations in one batch.
//!
//! Reading order: [`load`] makes an engine of a file, or of a faster copy that [`reencode`] writes
//! by its [`table`] of tensors and [`requantize`], on the [`mod@backend`] that the process has one of
//! and with as many threads as there are [`cores`]; [`engine`] takes jobs and hands them to the
//! thread of the [`worker`]. On the way the [`template`] puts the model's words round a
//! conversation, the [`tokenizer`] makes tokens of it without letting people write control tokens,
//! and [`shape`] makes grammars. The worker [`plan`]s what each step computes, gives it to the
//! model's [`context`], keeps what was read as [`prefixes`], and leaves each [`sequence`] to its
//! [`drawing`] of tokens and to making [`utf8`] of them.
//!
//! Compiling llama.cpp takes `cmake`, a C++ compiler and `libclang` (Debian: `cmake g++
//! libclang-dev`). Its build takes the processor from `target-cpu` in `.cargo/config.toml`, so its
//! kernels use what the rest of the program is compiled for.

mod backend;
mod cores;
mod load;
mod reencode;
mod requantize;
mod table;

mod engine;
mod shape;
mod template;
mod tokenizer;

mod context;
mod drawing;
mod plan;
mod prefixes;
mod sequence;
mod utf8;
mod worker;

pub use backend::backend;
pub use engine::LlamaEngine;
// For those who measure what this crate adds to it.
#[doc(hidden)]
pub use llama_cpp_2;
pub use load::{LoadError, Options};
