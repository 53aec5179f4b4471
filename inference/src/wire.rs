//! The OpenAI format, as far as we speak it: text in, text out, streamed or whole.
//!
//! Reading order: `refusal` is what a client is told that asked wrongly, `quota` how much more it
//! may ask for, `fields` reads a body
//! strictly; `asked` is what every body becomes, by `sampling`, `shape`, `conversation` and
//! `tools`; `answer` is what every engine's words become; `chat`, `completions` and
//! `responses` each read one kind of body and write one kind of answer; `embeddings` and
//! `models` have no answer to wait for.
//!
//! Read strictly: a field we would ignore but that changes the answer is refused by name, so
//! nobody believes it had an effect. Images, sounds and files are refused and never fetched.

mod quota;
mod refusal;

mod fields;

mod asked;
mod conversation;
mod sampling;
mod shape;
mod tools;

mod answer;
mod logprobs;

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod responses;

pub(crate) mod embeddings;
pub(crate) mod models;

pub(crate) use answer::{Bit, Bits, Finish, Form};
pub use asked::Bounds;
pub(crate) use asked::{Asked, Head};
pub use quota::{Quota, Unit};
pub(crate) use quota::{whole_seconds, write as write_quotas};
pub use refusal::{Refusal, problem_of};
