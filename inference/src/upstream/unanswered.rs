//! A request that nobody has answered yet. An upstream reads, and bills, what it was sent, also
//! where nobody waits for its answer any more.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream;
use reqwest::Body;

use super::{Upstream, request};
use crate::engine::{Job, Meter, Usage};

/// Dropped before [`Self::over`], it counts the prompt, if the upstream was sent it.
pub(super) struct Unanswered<'a> {
    upstream: &'a Upstream,
    job: &'a Job,
    meter: &'a Meter,
    is_sent: Arc<AtomicBool>,
    is_over: bool,
}

impl<'a> Unanswered<'a> {
    pub(super) fn new(upstream: &'a Upstream, job: &'a Job, meter: &'a Meter) -> Self {
        Self { upstream, job, meter, is_sent: Arc::default(), is_over: false }
    }

    /// The body of the request. It is taken when there is a connection, and then is on its way.
    pub(super) fn body(&self, bytes: Vec<u8>) -> Body {
        let is_sent = Arc::clone(&self.is_sent);
        Body::wrap_stream(stream::once(async move {
            is_sent.store(true, Ordering::Release);
            Ok::<_, Infallible>(bytes)
        }))
    }

    /// It answers, refuses or fails.
    pub(super) fn over(mut self) {
        self.is_over = true;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.is_sent.load(Ordering::Acquire) {
            let prompt_tokens = request::estimate(&self.job.prompt);
            let usage = Usage { prompt_tokens, ..Usage::default() };
            self.upstream.estimates(usage);
            self.meter.read(usage.prompt_tokens);
        }
    }
}
