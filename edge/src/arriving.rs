//! The beginning of what a visitor sends, before the platform hears of it: a body that comes byte by
//! byte takes nothing of the platform's.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body as _, Frame};
use tokio::time::timeout;

/// So much of a body has to be here, or all of it.
const ENOUGH: usize = 16 << 10;
/// It has to be here within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// It does not come, or not in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooSlow;

/// Waits for the beginning of a body; returns all of it, with what is still to come.
pub(crate) async fn begun(body: Body) -> Result<Body, TooSlow> {
    if body.is_end_stream() {
        return Ok(body);
    }
    let arriving = async {
        let (mut body, mut here, mut size) = (body, Vec::new(), 0);
        while size < ENOUGH {
            match body.frame().await {
                Some(Ok(frame)) => {
                    size += frame.data_ref().map_or(0, Bytes::len);
                    here.push(frame);
                }
                // The visitor went away in the middle of it.
                Some(Err(_)) => return Err(TooSlow),
                None => return Ok(whole(here)),
            }
        }
        let rest = body.into_data_stream().map(|data| data.map(Frame::data));
        let all = stream::iter(here.into_iter().map(Ok)).chain(rest);
        Ok(Body::new(StreamBody::new(all)))
    };
    timeout(PATIENCE, arriving).await.map_err(|_| TooSlow)?
}

/// A body of which all is here, and how long it is.
fn whole(frames: Vec<Frame<Bytes>>) -> Body {
    if frames.iter().all(Frame::is_data) {
        let mut parts = frames.into_iter().filter_map(|frame| frame.into_data().ok());
        return match (parts.next(), parts.next()) {
            (None, _) => Body::empty(),
            (Some(one), None) => Body::from(one),
            (Some(one), Some(two)) => {
                let all = [one, two].into_iter().chain(parts);
                Body::from(all.flatten().collect::<Bytes>())
            }
        };
    }
    let all = frames.into_iter().map(Ok::<_, std::convert::Infallible>);
    Body::new(StreamBody::new(stream::iter(all)))
}
