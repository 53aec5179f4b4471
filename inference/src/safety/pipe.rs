//! An engine's answer through the filter, and past the guard if there is one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::filter::{Checked, SafetyFilter};
use super::guard::{self, Guard, Side};
use super::{Category, Level, Verdict};
use crate::engine::{
    EngineError, Piece, PieceSender, Reason, TokenChances, TokenStream, Usage, token_stream,
};

/// How long text waits for the end of its sentence.
const OVERDUE: Duration = Duration::from_millis(500);
/// When to ask again after the guard could not judge.
const LATER: Duration = Duration::from_secs(5);

/// What `stream` says, as far as the rules and the guard let it. On a hit the work is stopped and
/// the answer ends with [`Reason::Filtered`], with what was used until then. Must be called from
/// within a runtime.
pub fn checked(
    stream: TokenStream,
    filter: SafetyFilter,
    guard: Option<Arc<dyn Guard>>,
) -> TokenStream {
    let (out, reader) = token_stream();
    let filter = if guard.is_some() { filter.by_sentence() } else { filter };
    let pipe = Pipe { out, filter, guard, tokens: VecDeque::new(), pushed: 0, shown: 0 };
    tokio::spawn(pipe.run(stream));
    reader
}

struct Pipe {
    out: PieceSender,
    filter: SafetyFilter,
    guard: Option<Arc<dyn Guard>>,
    /// Chances tell the text, so they wait until it is shown: each with how much text came before.
    tokens: VecDeque<(usize, TokenChances)>,
    /// Bytes of the answer that came, and that were shown.
    pushed: usize,
    shown: usize,
}

/// Why an answer is not shown any further.
enum Stop {
    Filtered(Category),
    Unjudged,
    Left,
}

impl Pipe {
    async fn run(mut self, mut stream: TokenStream) {
        let mut overdue = None;
        let (reason, usage) = loop {
            let is_holding = self.filter.is_holding();
            let due = *overdue.get_or_insert_with(|| Instant::now() + OVERDUE);
            if !is_holding {
                overdue = None;
            }
            let piece = tokio::select! {
                biased;
                () = self.out.cancelled() => break drain(stream, Reason::Cancelled).await,
                piece = stream.next() => piece,
                () = sleep_until(due), if is_holding => {
                    overdue = None;
                    let checked = self.filter.overdue();
                    if let Err(stop) = self.show(checked).await {
                        break stopped(stream, &stop).await;
                    }
                    continue;
                }
            };
            match piece {
                Some(Piece::Text(text)) => {
                    self.pushed += text.len();
                    let checked = self.filter.push(&text);
                    if let Err(stop) = self.show(checked).await {
                        break stopped(stream, &stop).await;
                    }
                }
                Some(Piece::Token(chances)) => self.tokens.push_back((self.pushed, *chances)),
                Some(Piece::End { reason, usage }) => {
                    let checked = self.filter.rest();
                    match self.show(checked).await {
                        Ok(()) => {
                            self.show_tokens(usize::MAX);
                            break (reason, usage);
                        }
                        Err(stop) => break (stop.reason(), usage),
                    }
                }
                None => break (Reason::Cancelled, Usage::default()),
            }
        };
        self.out.end(reason, usage);
    }

    /// Shows what may be shown, or says why it is over.
    async fn show(&mut self, checked: Checked) -> Result<(), Stop> {
        let (text, hit) = match checked {
            Checked::More(text) => (text, None),
            Checked::Blocked(text, category) => (text, Some(category)),
        };
        if let Some(guard) = self.guard.as_ref().filter(|_| !text.trim().is_empty()) {
            let level: Level = self.filter.level();
            let judged = tokio::select! {
                biased;
                () = self.out.cancelled() => return Err(Stop::Left),
                judged = guard::judge(guard.as_ref(), level, &text, Side::Answer) => judged,
            };
            match judged {
                Ok(Verdict::Allow) => {}
                Ok(Verdict::Refuse(category)) => return Err(Stop::Filtered(category)),
                Err(error) => {
                    tracing::warn!(%error, "an answer could not be judged");
                    return Err(Stop::Unjudged);
                }
            }
        }
        self.shown += text.len();
        // A token comes before the text that it ends up in.
        self.show_tokens(self.shown);
        self.out.text(text);
        hit.map_or(Ok(()), |category| Err(Stop::Filtered(category)))
    }

    fn show_tokens(&mut self, shown: usize) {
        while self.tokens.front().is_some_and(|(before, _)| *before < shown) {
            if let Some((_, chances)) = self.tokens.pop_front() {
                self.out.token(chances);
            }
        }
    }
}

impl Stop {
    fn reason(&self) -> Reason {
        match self {
            Self::Filtered(category) => {
                tracing::info!(category = category.name(), "an answer was ended");
                Reason::Filtered
            }
            Self::Unjudged => Reason::Failed(EngineError::Busy { after: LATER }),
            Self::Left => Reason::Cancelled,
        }
    }
}

async fn stopped(stream: TokenStream, stop: &Stop) -> (Reason, Usage) {
    drain(stream, stop.reason()).await
}

/// Stops the work and waits for its end: it tells what was used.
async fn drain(mut stream: TokenStream, reason: Reason) -> (Reason, Usage) {
    stream.cancel();
    while let Some(piece) = stream.next().await {
        if let Piece::End { usage, .. } = piece {
            return (reason, usage);
        }
    }
    (reason, Usage::default())
}
