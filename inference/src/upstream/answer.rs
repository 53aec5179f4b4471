//! One answer of an upstream, followed to its end.

use std::time::Duration;

use reqwest::Response;
use tokio::time::{Instant, sleep_until, timeout};

use super::chunk::{self, Said};
use super::failure::{self, Failure};
use super::sse::Events;
use super::{Begun, Upstream, request};
use crate::engine::{Job, Meter, PieceSender, Reason, Usage};
use crate::stop::{Shown, StopFilter};

/// How long its usage may take after an answer's end.
const AFTERWARDS: Duration = Duration::from_secs(5);
/// An upstream may cut a token into several chunks. Beyond so many it goes on and on.
const CHUNKS_A_TOKEN: usize = 8;
/// The longest token, about, in bytes.
const TOKEN_BYTES: usize = 256;

/// Hands over the answer, then settles what it used.
pub(super) async fn follow(
    upstream: Upstream,
    begun: Begun,
    job: Job,
    meter: Meter,
    out: PieceSender,
) {
    let Begun { response, place, deadline } = begun;
    let mut answer = Answer {
        chunks: job.max_tokens.saturating_mul(CHUNKS_A_TOKEN),
        bytes: job.max_tokens.saturating_mul(TOKEN_BYTES).saturating_add(4096),
        stops: StopFilter::new(request::own_stops(&job).to_vec()),
        job,
        meter,
        made: 0,
        finish: None,
        usage: None,
    };
    let read = answer.read(response, &out, upstream.0.patience.silence, deadline).await;
    let reason = match (read, answer.finish.take()) {
        // What it said to the end is an answer, whatever happened afterwards.
        (_, Some(finish)) => finish,
        (Ok(reason), None) => reason,
        (Err(failure), None) => failure.into_reason(),
    };
    out.text(answer.stops.rest());
    let usage = answer.settle(&upstream, &reason);
    drop(place);
    out.end(reason, usage);
}

struct Answer {
    job: Job,
    meter: Meter,
    /// Tokens of the answer told to the meter.
    made: usize,
    /// So many chunks may still come.
    chunks: usize,
    /// So much text may still come.
    bytes: usize,
    /// The stops that the upstream is not told.
    stops: StopFilter,
    finish: Option<Reason>,
    usage: Option<Usage>,
}

impl Answer {
    /// Reads to the end; dropping the response drops the connection.
    async fn read(
        &mut self,
        mut response: Response,
        out: &PieceSender,
        silence: Duration,
        deadline: Instant,
    ) -> Result<Reason, Failure> {
        let mut events = Events::default();
        loop {
            let patience = if self.finish.is_some() { AFTERWARDS.min(silence) } else { silence };
            let bytes = tokio::select! {
                biased;
                () = out.cancelled() => return Ok(Reason::Cancelled),
                () = sleep_until(deadline) => {
                    return Err(Failure::broken("the answer took too long"));
                }
                bytes = timeout(patience, response.chunk()) => bytes,
            };
            let bytes = bytes
                .map_err(|_| Failure::broken("it fell silent in the middle of an answer"))?
                .map_err(|error| Failure::broken(failure::in_words(error)))?;
            let mut told = Vec::new();
            let hear = |data: &str| told.push(data.to_owned());
            let is_last = bytes.is_none();
            match bytes {
                Some(bytes) => events.push(&bytes, hear),
                None => std::mem::take(&mut events).finish(hear),
            }
            .map_err(|error| Failure::broken(error.to_string()))?;
            for data in told {
                if data == "[DONE]" {
                    return Ok(Reason::Stop);
                }
                if let Some(reason) = self.take(chunk::read(&data)?, out) {
                    return Ok(reason);
                }
            }
            if is_last {
                return Err(Failure::broken("it hung up in the middle of an answer"));
            }
        }
    }

    /// Counts and passes on; a reason if that was enough.
    fn take(&mut self, said: Said, out: &PieceSender) -> Option<Reason> {
        self.usage = said.usage.or(self.usage);
        if said.made {
            let tokens = said.tokens.len().max(1);
            if tokens > self.chunks || said.text.len() > self.bytes {
                return Some(Reason::Length);
            }
            self.chunks -= tokens;
            self.bytes -= said.text.len();
            let counted = tokens.min(self.job.max_tokens - self.made);
            if counted > 0 {
                self.made += counted;
                self.meter.made(counted);
            }
            if self.job.logprobs.is_some() {
                said.tokens.into_iter().for_each(|token| out.token(token));
            }
            match self.stops.push(&said.text) {
                Shown::More(text) => out.text(text),
                Shown::Last(text) => {
                    out.text(text);
                    return Some(Reason::Stop);
                }
            }
        }
        self.finish = said.finish.or(self.finish.take());
        None
    }

    /// Tells the meter the rest. Nobody is charged for more than was asked for, whatever the
    /// upstream says.
    fn settle(&self, upstream: &Upstream, reason: &Reason) -> Usage {
        let inner = &upstream.0;
        let Some(reported) = self.usage else {
            return self.estimate(upstream, reason);
        };
        let prompt_tokens = reported.prompt_tokens.min(request::at_most(&self.job));
        let usage = Usage {
            prompt_tokens,
            cached_tokens: reported.cached_tokens.min(prompt_tokens),
            completion_tokens: reported.completion_tokens.min(self.job.max_tokens),
        };
        if usage != reported {
            tracing::warn!(upstream = inner.name, ?reported, ?usage, "reports too many tokens");
        }
        if usage.completion_tokens < self.made {
            tracing::debug!(upstream = inner.name, made = self.made, ?usage, "cuts its tokens");
        }
        self.meter.reused(usage.cached_tokens);
        self.meter.read(usage.prompt_tokens - usage.cached_tokens);
        self.meter.made(usage.completion_tokens.saturating_sub(self.made));
        usage
    }

    fn estimate(&self, upstream: &Upstream, reason: &Reason) -> Usage {
        let is_failure = matches!(reason, Reason::Failed(_));
        if is_failure && self.made == 0 {
            return Usage::default();
        }
        let usage = Usage {
            prompt_tokens: request::estimate(&self.job.prompt),
            cached_tokens: 0,
            completion_tokens: self.made,
        };
        upstream.estimates(usage);
        self.meter.read(usage.prompt_tokens);
        usage
    }
}
