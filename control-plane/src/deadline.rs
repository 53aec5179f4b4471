//! Nobody waits for ever, whatever we wait for ourselves.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use tokio::time::Instant;
use web::Problem;

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// No request takes longer, from its first byte to the answer's: who sends one bit by bit would act by
    /// rights that they had when it began.
    longest: Duration,
    /// Nobody waits longer for us than this, beside what they take to send.
    answer: Duration,
}

/// For all but batches.
const BOUNDS: Bounds =
    Bounds { longest: Duration::from_secs(15), answer: Duration::from_millis(4_500) };
/// A batch of what was used: the same one comes again until it is taken in. A model server waits 25 s.
const OF_A_BATCH: Bounds =
    Bounds { longest: Duration::from_secs(22), answer: Duration::from_secs(15) };
/// Where batches are sent.
const BATCHES: &str = "/v1/inference/usage";

impl Bounds {
    fn of(path: &str) -> Self {
        if path == BATCHES { OF_A_BATCH } else { BOUNDS }
    }
}

/// How long we waited for the rest of a request.
#[derive(Debug)]
struct Waited {
    bounds: Bounds,
    begun: Instant,
    before: Duration,
    since: Option<Instant>,
}

impl Waited {
    /// Something came of it, or is still to come.
    fn polled<T>(&mut self, polled: &Poll<T>) {
        match (polled, self.since) {
            (Poll::Pending, None) => self.since = Some(Instant::now()),
            (Poll::Ready(_), Some(since)) => {
                self.before += since.elapsed();
                self.since = None;
            }
            _ => {}
        }
    }

    /// Until then there is time.
    fn until(&self) -> Instant {
        let waits = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        self.begun + (self.before + waits + self.bounds.answer).min(self.bounds.longest)
    }
}

/// One for what waits and what looks at it.
#[derive(Clone)]
struct Shared(Arc<Mutex<Waited>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers in time: that it takes too long, if nothing else.
pub async fn in_time(request: Request, next: Next) -> Response {
    let (bounds, begun) = (Bounds::of(request.uri().path()), Instant::now());
    let waited = Waited { bounds, begun, before: Duration::ZERO, since: None };
    let waited = Shared(Arc::new(Mutex::new(waited)));
    let waits = waited.clone();
    let request = request.map(|body| {
        let mut body = body.into_data_stream();
        Body::from_stream(stream::poll_fn(move |context| {
            let polled = body.poll_next_unpin(context);
            waits.lock().polled(&polled);
            polled
        }))
    });
    let mut answer = pin!(next.run(request));
    loop {
        let until = waited.lock().until();
        if let Ok(response) = tokio::time::timeout_at(until, &mut answer).await {
            return response;
        }
        // Where we waited for them meanwhile, there is more time.
        if waited.lock().until() <= Instant::now() {
            return too_slow(until >= begun + bounds.longest);
        }
    }
}

/// Whether they sent for too long, or we let them wait.
fn too_slow(sends: bool) -> Response {
    let detail = "Whether it was done is not known: look, and send it again if it was not.";
    let problem = if sends {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "This took too long.").detail(detail)
    } else {
        let title = "No answer is to be had in time at the moment.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-answer", title)
            .detail(detail)
            .retry_after(5)
    };
    problem.into_response()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Bytes;
    use axum::http::header;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use tower::ServiceExt as _;

    use super::*;

    /// What is answered to a body that comes in so many parts, a second between them, and after how long.
    async fn answered(to: &str, parts: usize, works: Duration) -> (Response, Duration) {
        let works = post(async move |_: Bytes| {
            tokio::time::sleep(works).await;
            "done"
        });
        let router = Router::new().route(to, works).layer(from_fn(in_time));
        let body = stream::iter(0..parts).then(async |_| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>("x")
        });
        let request = Request::post(to).body(Body::from_stream(body)).unwrap();
        let begun = Instant::now();
        (router.oneshot(request).await.unwrap(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_slowly_has_time_and_who_sent_all_has_an_answer_soon() {
        let second = Duration::from_secs(1);
        assert_eq!(answered("/", 10, second).await.0.status(), 200);
        let (late, after) = answered("/", 3, second * 60).await;
        assert_eq!(
            (late.status().as_u16(), &late.headers()[header::RETRY_AFTER]),
            (503, &"5".parse().unwrap())
        );
        assert!(after >= second * 7 && after < second * 8, "{after:?}");
        let (slow, after) = answered("/", 100, second).await;
        assert_eq!((slow.status().as_u16(), after), (408, BOUNDS.longest));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_has_longer_and_less_than_its_sender_waits() {
        let second = Duration::from_secs(1);
        assert_eq!(answered(BATCHES, 3, second * 12).await.0.status(), 200);
        let (late, after) = answered(BATCHES, 3, second * 60).await;
        assert_eq!(late.status().as_u16(), 503);
        assert!(after >= second * 18 && after < second * 19, "{after:?}");
        let (slow, after) = answered(BATCHES, 100, second).await;
        assert_eq!((slow.status().as_u16(), after), (408, second * 22));
    }
}
