//! Reads a request's body within bounds.
//!
//! A server that answers and hangs up while its client still sends is heard by few: the client's
//! system throws the answer away with the broken connection. So what is refused is taken all the
//! same, to a bound, and forgotten piece by piece.

use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use futures::StreamExt;
use web::Problem;

/// How much of a body that is too long is taken before it is refused. Twice of what the longest
/// prompts have that people send by mistake.
const TAKEN: usize = 20 * 1024 * 1024;
/// And how long that may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a body may take that comes byte by byte: so long, and a second for each so many bytes
/// that it may have.
const SLOWEST: (Duration, usize) = (Duration::from_secs(10), 16 * 1024);

/// The body, of at most so many bytes.
pub(super) async fn read(request: Request, most: usize) -> Result<Bytes, Problem> {
    let (least, each) = SLOWEST;
    let seconds = u64::try_from(most / each).unwrap_or(u64::MAX);
    let patience = least.saturating_add(Duration::from_secs(seconds));
    let read = tokio::time::timeout(patience, read_all(request, most)).await;
    read.unwrap_or_else(|_| {
        let title = "The request took too long to come.";
        let detail = format!("It has to be here within {} s of its head.", patience.as_secs());
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request-too-slow", title).detail(detail))
    })
}

async fn read_all(request: Request, most: usize) -> Result<Bytes, Problem> {
    let announced = announced(&request);
    let waits = waits(&request);
    let mut pieces = request.into_body().into_data_stream();
    let mut all = Vec::with_capacity(announced.unwrap_or_default().min(most));
    if announced.is_none_or(|bytes| bytes <= most) {
        loop {
            let Some(piece) = pieces.next().await else { return Ok(all.into()) };
            let piece = piece.map_err(|error| {
                Problem::bad_request("unreadable-request", "The request could not be read.")
                    .detail(format!("It broke off: {error}."))
            })?;
            if all.len() + piece.len() > most {
                break;
            }
            all.extend_from_slice(&piece);
        }
    }
    drop(all);
    if !waits {
        take(pieces, TAKEN).await;
    }
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    Err(Problem::new(status, "request-too-large", "The request is too large.")
        .detail(format!("It may have {most} bytes. Send fewer or shorter messages.")))
}

/// Takes the body of a request that is refused whatever it says, to `most` bytes.
pub(super) async fn forget(request: Request, most: usize) {
    if !waits(&request) {
        take(request.into_body().into_data_stream(), most).await;
    }
}

async fn take(mut pieces: BodyDataStream, most: usize) {
    let all = async {
        let mut taken = 0;
        while let Some(Ok(piece)) = pieces.next().await {
            taken += piece.len();
            if taken >= most {
                break;
            }
        }
    };
    // Whoever is slower than that may see a broken connection.
    let _ = tokio::time::timeout(PATIENCE, all).await;
}

fn announced(request: &Request) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the client sends nothing until it is told to: it is told the refusal instead.
fn waits(request: &Request) -> bool {
    request.headers().contains_key(header::EXPECT)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::Body;
    use axum::http::request::Builder;

    use super::*;

    const PIECE: usize = 64 * 1024;

    /// A request of so many pieces, which are counted as they are taken.
    fn long(request: Builder, pieces: usize) -> (Request, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let piece = move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(vec![b' '; PIECE])
        };
        let body = Body::from_stream(futures::stream::iter((0..pieces).map(piece)));
        (request.body(body).unwrap(), taken)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_within_its_bound_comes_whole() {
        let (request, _) = long(Request::post("/"), 4);
        assert_eq!(read(request, 4 * PIECE).await.unwrap().len(), 4 * PIECE);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_too_long_is_taken_to_its_end_or_to_a_bound() {
        let length = |bytes: usize| Request::post("/").header("content-length", bytes);
        for request in [Request::post("/"), length(160 * PIECE)] {
            let (request, taken) = long(request, 160);
            assert_eq!(read(request, 8 * PIECE).await.unwrap_err().status, 413);
            assert_eq!(taken.load(Ordering::Relaxed), 160);
        }
        let (request, taken) = long(Request::post("/"), 100_000);
        read(request, 8 * PIECE).await.unwrap_err();
        assert!(taken.load(Ordering::Relaxed) <= TAKEN / PIECE + 9, "{taken:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_to_be_told_is_told_at_once() {
        let request = Request::post("/").header("content-length", 160 * PIECE);
        let (request, taken) = long(request.header("expect", "100-continue"), 160);
        read(request, 8 * PIECE).await.unwrap_err();
        assert_eq!(taken.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_byte_by_byte_is_not_waited_for_for_ever() {
        let bytes = futures::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_secs(16)).await;
            Some((Ok::<_, std::io::Error>(vec![b' ']), ()))
        });
        let slow = Request::post("/").body(Body::from_stream(bytes)).unwrap();
        let begun = tokio::time::Instant::now();
        assert_eq!(read(slow, 8 * PIECE).await.unwrap_err().status, 408);
        assert!(begun.elapsed() < Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_nothing_further_is_not_waited_for_for_ever() {
        let silent = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        forget(Request::post("/").body(silent).unwrap(), PIECE).await;
    }
}
