//! Whether a copy is ready: it is asked itself, for nobody tells as soon.

use std::time::{Duration, Instant};

use axum::http::uri::{Authority, Uri};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// One question takes no longer.
const ANSWERS: Duration = Duration::from_secs(3);
/// Between two of them; what has taken long is asked less often.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(250);
/// The address of all copies.
const SELDOM: Duration = Duration::from_secs(1);
/// Of the time that it has taken so far, this part is waited before it is asked again.
const PART: u32 = 25;

/// Waits until whoever is at the address of all copies says that it is ready: whose name is looked
/// up anew each time, so seldom.
pub(super) async fn until_any_ready(at: Authority) -> Authority {
    while !matches!(timeout(ANSWERS, is_ready(&at)).await, Ok(Some(true))) {
        sleep(SELDOM).await;
    }
    at
}

/// Waits until the copy that is there says that it is ready.
pub(super) async fn until_ready(at: Authority) -> Authority {
    let begun = Instant::now();
    while !matches!(timeout(ANSWERS, is_ready(&at)).await, Ok(Some(true))) {
        sleep((begun.elapsed() / PART).clamp(SHORTEST, LONGEST)).await;
    }
    at
}

/// `None` where nobody answers.
async fn is_ready(at: &Authority) -> Option<bool> {
    let stream = TcpStream::connect(at.as_str()).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (mut asking, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let question = Request::get(Uri::from_static("/readyz"))
        .header(header::HOST, at.as_str())
        .body(Empty::<Bytes>::new())
        .ok()?;
    let answer = async {
        let answer = asking.send_request(question).await.ok()?;
        Some(answer.status() == StatusCode::OK)
    };
    tokio::select! {
        answer = answer => answer,
        _ended = connection => None,
    }
}
