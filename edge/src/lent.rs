//! A body that is handed on, and can be had back as long as nobody has read of it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// Whoever handed a body on.
pub(crate) struct Lender(Arc<Mutex<Held>>);

/// The body, as whoever it was handed to has it.
struct Lent(Arc<Mutex<Held>>);

struct Held {
    body: Body,
    is_read: bool,
}

impl Lender {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(Held { body, is_read: false })))
    }

    /// The body, to be handed on; `None` once somebody has read of it. Whoever had it before has
    /// ended.
    pub(crate) fn lend(&self) -> Option<Body> {
        (!held(&self.0).is_read).then(|| Body::new(Lent(self.0.clone())))
    }
}

fn held(of: &Mutex<Held>) -> MutexGuard<'_, Held> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut held = held(&self.0);
        let frame = Pin::new(&mut held.body).poll_frame(context);
        // Where nothing has come yet, nothing is lost.
        held.is_read |= frame.is_ready();
        frame
    }

    fn is_end_stream(&self) -> bool {
        held(&self.0).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        held(&self.0).body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_is_had_back_until_somebody_has_read_of_it() {
        let lender = Lender::new(Body::from("three words here"));
        drop(lender.lend().unwrap());
        let read = lender.lend().unwrap().collect().await.unwrap().to_bytes();
        assert_eq!(read, "three words here");
        assert!(lender.lend().is_none());
    }
}
