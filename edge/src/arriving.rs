//! The beginning of what a visitor sends, before the platform hears of it: a body that comes byte by
//! byte takes nothing of the platform's.

use std::time::Duration;

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use futures::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// So much of a body has to be here, or all of it.
const ENOUGH: usize = 16 << 10;
/// It has to be here within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Beginnings that are waited for at once: 64 MiB of them.
const AT_ONCE: usize = 4_096;

/// Where beginnings are waited for.
pub(crate) struct Arrivals(Semaphore);

/// It does not come, or not in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl Arrivals {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }

    /// Waits for the beginning of a body; returns all of it, with what is still to come. Where very
    /// many are waited for, the platform waits itself.
    pub(crate) async fn begun(&self, body: Body) -> Result<Body, TooSlow> {
        if body.is_end_stream() {
            return Ok(body);
        }
        let Ok(_one_of_many) = self.0.try_acquire() else { return Ok(body) };
        timeout(PATIENCE, beginning(body)).await.map_err(|_| TooSlow)?
    }
}

/// It is copied together: of a body that comes in many small pieces, the pieces would take much more
/// room than what is in them.
async fn beginning(mut body: Body) -> Result<Body, TooSlow> {
    let mut here = BytesMut::new();
    while here.len() < ENOUGH {
        match body.frame().await {
            Some(Ok(frame)) => {
                // What follows a body is about the connection, and goes no further.
                here.extend_from_slice(&frame.into_data().unwrap_or_default());
            }
            // The visitor went away in the middle of it.
            Some(Err(_)) => return Err(TooSlow),
            // All of it, so that how long it is is known.
            None => return Ok(Body::from(here.freeze())),
        }
    }
    let begun = stream::once(async move { Ok::<Bytes, axum::Error>(here.freeze()) });
    Ok(Body::from_stream(begun.chain(body.into_data_stream())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok::<_, axum::Error>(*piece)).collect();
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn what_came_in_pieces_is_one_and_nothing_is_lost() {
        let arrivals = Arrivals::new();
        let begun = arrivals.begun(in_pieces(&vec!["a"; 5_000])).await.unwrap();
        assert_eq!(begun.size_hint().exact(), Some(5_000));
        let long = vec!["0123456789abcdef"; 3_000];
        let begun = arrivals.begun(in_pieces(&long)).await.unwrap();
        assert!(begun.collect().await.unwrap().to_bytes() == long.concat());
        assert!(arrivals.begun(Body::empty()).await.unwrap().is_end_stream());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_is_not_waited_for_and_of_very_many_none_is() {
        let never = || Body::from_stream(stream::pending::<Result<Bytes, axum::Error>>());
        assert_eq!(Arrivals::new().begun(never()).await.unwrap_err(), TooSlow);
        assert!(Arrivals(Semaphore::new(0)).begun(never()).await.is_ok());
    }
}
