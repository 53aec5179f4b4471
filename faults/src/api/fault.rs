//! What can become of a call to the API server.

use std::fmt;
use std::time::Duration;

/// What becomes of a call.
#[derive(Default)]
pub enum Fault {
    /// It passes.
    #[default]
    None,
    /// The connection is reset; the API server hears nothing of it.
    ResetBefore,
    /// The API server carries it out; then the connection is reset.
    ResetAfter,
    /// The API server hears nothing of it, and no answer comes.
    HangBefore,
    /// The API server carries it out, and its answer does not come.
    HangAfter,
    /// The API server hears nothing of it, and the answer has this status.
    Answer {
        /// Such as 429, 500 or 503.
        status: u16,
        /// Seconds to wait, for the header `Retry-After`.
        retry_after: Option<u64>,
    },
    /// The API server carries it out, and the answer has this status all the same, such as 504.
    AnswerAfter {
        /// Such as 504.
        status: u16,
    },
    /// A question gets an answer that was given to the same one before: the last for 1, the last
    /// but one for 2, and so on, or the oldest of the eight that are kept. Where there was none,
    /// it passes.
    Stale {
        /// From 1.
        back: usize,
    },
    /// What each event of a watch, numbered from 0, gets; bookmarks pass and are not counted.
    Events(Box<dyn FnMut(usize) -> Event + Send>),
}

/// What becomes of an event of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It passes.
    Pass,
    /// It is lost.
    Drop,
    /// It comes twice.
    Double,
    /// It comes after the next one.
    Swap,
    /// It comes later, and those after it too.
    Delay(Duration),
    /// In its place the watch ends with 410: what happened since is not known any more.
    Gone,
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::ResetBefore => f.write_str("reset before"),
            Self::ResetAfter => f.write_str("reset after"),
            Self::HangBefore => f.write_str("hang before"),
            Self::HangAfter => f.write_str("hang after"),
            Self::Answer { status, .. } => write!(f, "{status} before"),
            Self::AnswerAfter { status } => write!(f, "{status} after"),
            Self::Stale { back } => write!(f, "stale by {back}"),
            Self::Events(_) => f.write_str("events"),
        }
    }
}
