//! The OpenAI chat format, as far as we speak it: text in, text out, streamed or whole.
//!
//! Read strictly: a field we would ignore but that changes the answer is refused by name, so
//! nobody believes it had an effect. Images, sounds and files are refused and never fetched.

mod reply;
mod request;

pub(crate) use reply::finish;
pub use reply::{ChatCompletion, ModelList, Writer, problem_of};
pub use request::{Bounds, Delivery, read};
