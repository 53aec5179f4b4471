//! Hands a request on to the platform it is for, and the answer back.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderValue};
use axum::http::uri::{Authority, Parts, PathAndQuery, Scheme, Uri};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::Response;
use certificates::served::Platform;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use web::serve::TakenPlace;

use crate::headers::{strip_connection, wants_websocket};
use crate::pages;

/// Until a platform takes a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Until an answer begins. Words of a model that are not streamed may take so long.
const ANSWER: Duration = Duration::from_mins(5);
/// Connections that nobody uses: shorter than a platform keeps them, so that none is used just as
/// it is closed.
const IDLE: Duration = Duration::from_secs(10);
/// For one platform.
const IDLE_AT_MOST: usize = 64;

/// Who asks platforms.
#[derive(Clone)]
pub(crate) struct Forward(Client<HttpConnector, Body>);

impl Forward {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_AT_MOST)
            .build(connector);
        Self(client)
    }

    /// The answer of the platform, or what is to be said in its place. The request's headers
    /// say by now who the visitor is.
    pub(crate) async fn to(&self, platform: &Platform, host: &str, request: Request) -> Response {
        let asked = accepted(request.headers());
        let is_websocket =
            request.version() == Version::HTTP_11 && wants_websocket(request.headers());
        let Some(mut request) = readdressed(request, platform, host) else {
            tracing::error!(platform = platform.name, "its address cannot be used");
            return pages::unreachable(&asked, platform);
        };
        let visitor = is_websocket.then(|| hyper::upgrade::on(&mut request));
        let place = request.extensions_mut().remove::<TakenPlace>();
        let answer = tokio::time::timeout(ANSWER, self.0.request(request)).await;
        let mut answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let connected = !error.is_connect();
                tracing::info!(platform = platform.name, connected, %error, "no answer");
                return pages::unreachable(&asked, platform);
            }
            Err(_late) => {
                tracing::info!(platform = platform.name, "no answer in time");
                return pages::too_slow(&asked, platform);
            }
        };
        match visitor {
            Some(visitor) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let inside = hyper::upgrade::on(&mut answer);
                tokio::spawn(async move {
                    if let (Ok(visitor), Ok(inside)) = tokio::join!(visitor, inside) {
                        let (mut visitor, mut inside) =
                            (TokioIo::new(visitor), TokioIo::new(inside));
                        // Its end is one or the other's; why makes no difference here.
                        let _ended = tokio::io::copy_bidirectional(&mut visitor, &mut inside).await;
                    }
                    drop(place);
                });
            }
            // Nobody asked for that.
            _ if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                return pages::unreachable(&asked, platform);
            }
            _ => strip_connection(answer.headers_mut()),
        }
        answer.map(Body::new)
    }
}

/// The same request, to the platform's pods.
fn readdressed(request: Request, platform: &Platform, host: &str) -> Option<Request> {
    let is_websocket = wants_websocket(request.headers());
    let (mut head, body) = request.into_parts();
    let mut parts = Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(platform.backend.parse::<Authority>().ok()?);
    parts.path_and_query =
        Some(head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    head.uri = Uri::from_parts(parts).ok()?;
    head.version = Version::HTTP_11;
    strip_connection(&mut head.headers);
    if is_websocket {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    // The one that was decided on, and no other that was sent.
    head.headers.insert(header::HOST, host.parse().ok()?);
    Some(Request::from_parts(head, body))
}

/// Of the request, what pages are made by.
fn accepted(headers: &HeaderMap) -> HeaderMap {
    let accept = headers.get(header::ACCEPT);
    accept.map(|accept| (header::ACCEPT, accept.clone())).into_iter().collect()
}
