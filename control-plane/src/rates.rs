//! How much an organization may ask of the API: so much in a moment, and so much a second from then on.
//!
//! Each of several control planes counts by itself. People before the console are not counted: they ask
//! by hand.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::domain::id::OrganizationId;

/// In a moment.
const BURST: u32 = 300;
/// And a second, from then on.
const A_SECOND: u32 = 50;
/// Streams of events of one person or key, and of one organization.
const STREAMS: Streams = Streams { each: 20, together: 300 };
/// So many organizations are remembered before those are forgotten that have asked nothing of late.
const REMEMBERED: usize = 10_000;

/// What organizations asked of late.
pub struct Rates {
    limiter: RateLimiter<
        OrganizationId,
        HashMapStateStore<OrganizationId>,
        DefaultClock,
        StateInformationMiddleware,
    >,
    clock: DefaultClock,
    quota: Quota,
    streams: Streams,
}

/// Streams of events that are open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    /// Of one person or key.
    pub each: usize,
    /// Of one organization.
    pub together: usize,
}

/// How much more somebody may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// In a moment, when nothing was asked of late.
    pub most: u32,
    /// So much of it is left.
    pub left: u32,
    /// When there is all of it again.
    pub full_in: Duration,
}

/// Somebody asks too much; when they may ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuch {
    /// How it stands.
    pub left: Left,
    /// After so long.
    pub wait: Duration,
}

impl Default for Rates {
    fn default() -> Self {
        let [burst, a_second] =
            [BURST, A_SECOND].map(|number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN));
        Self::new(burst, a_second)
    }
}

impl Rates {
    /// So many requests in a moment, and so many a second.
    pub fn new(burst: NonZeroU32, a_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(a_second).allow_burst(burst);
        let clock = DefaultClock::default();
        let limiter = RateLimiter::hashmap_with_clock(quota, clock.clone());
        Self { limiter: limiter.with_middleware(), clock, quota, streams: STREAMS }
    }

    /// The same with so many streams.
    #[must_use]
    pub fn with_streams(self, streams: Streams) -> Self {
        Self { streams, ..self }
    }

    /// So many streams there are at once.
    pub fn streams(&self) -> Streams {
        self.streams
    }

    /// One request more.
    ///
    /// # Errors
    /// [`TooMuch`]
    pub fn ask(&self, organization: OrganizationId) -> Result<Left, TooMuch> {
        if self.limiter.len() > REMEMBERED {
            self.limiter.retain_recent();
        }
        match self.limiter.check_key(&organization) {
            Ok(state) => Ok(self.left(state.remaining_burst_capacity())),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                Err(TooMuch { left: self.left(0), wait })
            }
        }
    }

    fn left(&self, left: u32) -> Left {
        let most = self.quota.burst_size().get();
        let full_in = self.quota.replenish_interval() * most.saturating_sub(left);
        Left { most, left, full_in }
    }
}

impl Left {
    /// As the IETF's draft says it (`RateLimit-Policy`, `RateLimit`).
    fn write(self, headers: &mut HeaderMap) {
        let Self { most, left, full_in } = self;
        let seconds = full_in.as_millis().div_ceil(1_000);
        let policy = format!("\"requests\";q={most}");
        let limit = format!("\"requests\";r={left};t={seconds}");
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", limit)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Where it is kept how much whoever asks may ask more, once it is known who that is.
#[derive(Clone, Default)]
pub struct Known(Arc<OnceLock<Left>>);

impl Known {
    /// It is so much.
    pub fn is(&self, left: Left) {
        // Who asks is looked up once in a request.
        let _ = self.0.set(left);
    }
}

/// Says in the answer how much more may be asked.
pub async fn told(mut request: Request, next: Next) -> Response {
    let known = Known::default();
    request.extensions_mut().insert(known.clone());
    let mut response = next.run(request).await;
    if let Some(left) = known.0.get() {
        left.write(response.headers_mut());
    }
    response
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn each_has_so_much_and_who_asks_more_waits_alone() {
        let rates = Rates::new(number(3), number(1));
        let [one, other] = [1, 2].map(|id| OrganizationId(Uuid::from_u128(id)));
        let left: Vec<_> = (0..3).map(|_| rates.ask(one).unwrap().left).collect();
        assert_eq!(left, [2, 1, 0]);
        let too_much = rates.ask(one).unwrap_err();
        assert!(too_much.wait <= Duration::from_secs(1) && !too_much.wait.is_zero());
        assert_eq!(
            rates.ask(other).unwrap(),
            Left { most: 3, left: 2, full_in: Duration::from_secs(1) }
        );
    }

    #[test]
    fn what_is_left_is_said_as_the_draft_has_it() {
        let mut headers = HeaderMap::new();
        Left { most: 300, left: 7, full_in: Duration::from_millis(5_860) }.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"requests\";q=300");
        assert_eq!(headers["ratelimit"], "\"requests\";r=7;t=6");
    }
}
