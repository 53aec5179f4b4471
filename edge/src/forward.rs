//! Hands a request on to the platform it is for, and the answer back.

use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderValue};
use axum::http::uri::{Authority, Parts, PathAndQuery, Scheme, Uri};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::Response;
use certificates::served::Platform;
use http_body_util::BodyExt as _;
use hyper::upgrade::Upgraded;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_io_timeout::TimeoutStream;
use web::serve::TakenPlace;

use crate::arriving;
use crate::headers::{introduce, strip_connection, wants_websocket};
use crate::pages;
use crate::room::Full;
use crate::table::Met;

/// Until a platform takes a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Until an answer begins. Words of a model that are not streamed may take so long.
const ANSWER: Duration = Duration::from_mins(5);
/// Connections that nobody uses: shorter than a platform keeps them, so that none is used just as
/// it is closed.
const IDLE: Duration = Duration::from_secs(10);
/// For one platform.
const IDLE_AT_MOST: usize = 64;

/// The longest silence of one who speaks over a `WebSocket`.
const SILENCE: Duration = Duration::from_mins(10);

/// Who asks, and for what name.
pub(crate) struct Visitor<'a> {
    pub(crate) address: IpAddr,
    pub(crate) host: &'a str,
    /// How the request is called.
    pub(crate) request: &'a HeaderValue,
}

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

    /// The answer of the platform, or what is to be said in its place.
    pub(crate) async fn to(
        &self,
        Met { platform, room, .. }: &Met,
        visitor: &Visitor<'_>,
        request: Request,
    ) -> Response {
        let asked = accepted(request.headers());
        let (head, body) = request.into_parts();
        // Before there is a place for it.
        let Ok(body) = arriving::begun(body).await else {
            tracing::debug!(platform = platform.name, "a body did not come");
            return pages::not_come(&asked, platform);
        };
        let request = Request::from_parts(head, body);
        let taken = match room.take(visitor.address) {
            Ok(taken) => taken,
            Err(full) => {
                tracing::warn!(platform = platform.name, ?full, "no place for a request");
                return match full {
                    Full::All => pages::busy(&asked, platform),
                    Full::OfOne => pages::too_many(&asked, platform),
                };
            }
        };
        let is_websocket =
            request.version() == Version::HTTP_11 && wants_websocket(request.headers());
        let Some(mut request) = readdressed(request, platform, visitor, is_websocket) else {
            tracing::error!(platform = platform.name, "its address cannot be used");
            return pages::unreachable(&asked, platform);
        };
        let outside = is_websocket.then(|| hyper::upgrade::on(&mut request));
        let place = request.extensions_mut().remove::<TakenPlace>();
        let answer = tokio::time::timeout(ANSWER, self.0.request(request)).await;
        let mut answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let connected = !error.is_connect();
                tracing::info!(platform = platform.name, connected, %error, "no answer");
                return if connected {
                    pages::broken(&asked, platform)
                } else {
                    pages::unreachable(&asked, platform)
                };
            }
            Err(_late) => {
                tracing::info!(platform = platform.name, "no answer in time");
                return pages::too_slow(&asked, platform);
            }
        };
        match outside {
            Some(outside) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let inside = hyper::upgrade::on(&mut answer);
                tokio::spawn(async move {
                    if let (Ok(outside), Ok(inside)) = tokio::join!(outside, inside) {
                        let (mut outside, mut inside) = (patient(outside), patient(inside));
                        // Its end is one or the other's; why makes no difference here.
                        let _ended = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                    }
                    drop((place, taken));
                });
                answer.map(Body::new)
            }
            // Nobody asked for that.
            _ if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                pages::broken(&asked, platform)
            }
            _ => {
                strip_connection(answer.headers_mut());
                // The place is taken for as long as there is something to be said.
                answer.map(|body| {
                    Body::new(body.map_frame(move |frame| {
                        let _until_its_end = &taken;
                        frame
                    }))
                })
            }
        }
    }
}

/// Who says nothing for so long is not there any more: what speaks over a `WebSocket` asks now and
/// then whether the other is.
fn patient(stream: Upgraded) -> Pin<Box<TimeoutStream<TokioIo<Upgraded>>>> {
    let mut stream = TimeoutStream::new(TokioIo::new(stream));
    stream.set_read_timeout(Some(SILENCE));
    stream.set_write_timeout(Some(SILENCE));
    Box::pin(stream)
}

/// The same request, to the platform's pods.
fn readdressed(
    request: Request,
    platform: &Platform,
    visitor: &Visitor<'_>,
    is_websocket: bool,
) -> Option<Request> {
    let (mut head, body) = request.into_parts();
    let mut parts = Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(platform.backend.parse::<Authority>().ok()?);
    parts.path_and_query =
        Some(head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    head.uri = Uri::from_parts(parts).ok()?;
    head.version = Version::HTTP_11;
    strip_connection(&mut head.headers);
    // After that: what a visitor names there goes, and must not be what is said here.
    introduce(&mut head.headers, visitor.address, visitor.request);
    if is_websocket {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    // The one that was decided on, and no other that was sent.
    head.headers.insert(header::HOST, visitor.host.parse().ok()?);
    Some(Request::from_parts(head, body))
}

/// Of the request, what pages are made by.
fn accepted(headers: &HeaderMap) -> HeaderMap {
    let accept = headers.get(header::ACCEPT);
    accept.map(|accept| (header::ACCEPT, accept.clone())).into_iter().collect()
}
