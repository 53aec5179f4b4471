//! llama.cpp as an [`inference::Engine`]: GGUF models on the processor, in this process, offline,
//! many conversations in one batch.
//!
//! Reading order: [`load`] makes an engine of a file, on the [`backend`] that the process has one
//! of and with as many [`cores`] as there are; [`engine`] takes jobs and hands them to the thread of
//! the [`worker`]. On the way the [`template`] puts the model's words round a conversation, the
//! [`tokenizer`] makes tokens of it without letting people write control tokens, and [`shape`]
//! makes grammars. The worker keeps what it has read in a [`prefixes`] cache, [`plan`]s what each
//! step computes, and leaves it to each [`sequence`] to draw its token and make [`utf8`] of it.
//!
//! Compiling llama.cpp takes `cmake`, a C++ compiler and `libclang` (Debian: `cmake g++
//! libclang-dev`). Its build takes the processor from `target-cpu` in `.cargo/config.toml`, so its
//! kernels use what the rest of the program is compiled for.

mod backend;
mod cores;
mod load;

mod engine;
mod shape;
mod template;
mod tokenizer;

mod plan;
mod prefixes;
mod sequence;
mod utf8;
mod worker;

pub use backend::backend;
pub use engine::LlamaEngine;
pub use load::{LoadError, Options};
