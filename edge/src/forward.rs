//! Hands a request on to the platform it is for, and the answer back.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderValue};
use axum::http::uri::{Authority, Parts, PathAndQuery, Scheme, Uri};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::Response;
use certificates::served::{Platform, Sleeps};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_io_timeout::TimeoutStream;
use web::serve::TakenPlace;

use crate::arriving::Arrivals;
use crate::headers::{introduce, strip_connection, wants_websocket};
use crate::lent::Lender;
use crate::pages;
use crate::room::{Full, Place, Room};
use crate::table::Met;
use crate::waking::{NotAwake, Waking, Way, comments};

/// Until a platform takes a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Until an answer begins. Words of a model that are not streamed may take so long.
const ANSWER: Duration = Duration::from_mins(5);
/// Connections that nobody uses: shorter than a platform keeps them, so that none is used just as
/// it is closed.
const IDLE: Duration = Duration::from_secs(10);
/// After so much silence the machine of a platform is asked whether it is still there, so often, at
/// such intervals: a stream from one that vanished ends then.
const SILENT: Duration = Duration::from_secs(30);
const TIMES: u32 = 3;
const ASKS: Duration = Duration::from_secs(10);
/// What is kept of an answer that its visitor does not take, and of its head, in bytes.
const BUFFER: usize = 32 << 10;
/// For one platform.
const IDLE_AT_MOST: usize = 64;

/// A platform that may sleep is asked so often, where it may not have heard before.
const TRIES: usize = 5;

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
pub(crate) struct Forward {
    client: Client<HttpConnector, Body>,
    waking: Waking,
    arrivals: Arc<Arrivals>,
    /// Requests under way, over all platforms.
    everybody: Room,
}

/// Why a platform has not answered.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    /// It was not asked: nobody takes a connection.
    #[error("no connection: {0}")]
    NoConnection(hyper_util::client::legacy::Error),
    /// It may have been asked.
    #[error("{0}")]
    Broken(hyper_util::client::legacy::Error),
    /// Another platform's copy is where this one's was.
    #[error("another one is there")]
    Elsewhere,
    /// It was asked.
    #[error("not in time")]
    Late,
    /// It sleeps.
    #[error("it sleeps: {0:?}")]
    Asleep(NotAwake),
}

impl Forward {
    /// So many requests may one visitor have under way, over all platforms.
    pub(crate) fn new(waking: Waking, of_one: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_keepalive(Some(SILENT));
        connector.set_keepalive_interval(Some(ASKS));
        connector.set_keepalive_retries(Some(TIMES));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_AT_MOST)
            .http1_max_buf_size(BUFFER)
            .build(connector);
        let (arrivals, everybody) = (Arc::new(Arrivals::new()), Room::of_all(of_one));
        Self { client, waking, arrivals, everybody }
    }

    /// The answer of the platform, or what is to be said in its place.
    pub(crate) async fn to(&self, met: &Met, visitor: &Visitor<'_>, request: Request) -> Response {
        let Met { platform, room, .. } = met;
        let asked = accepted(request.headers());
        let Ok(of_all) = self.everybody.take(visitor.address) else {
            tracing::warn!(platform = platform.name, "a visitor has very many requests under way");
            return pages::too_many(&asked, platform);
        };
        let (head, body) = request.into_parts();
        // Before there is a place of the platform for it.
        let Ok(body) = self.arrivals.begun(body).await else {
            tracing::debug!(platform = platform.name, "a body did not come");
            return pages::not_come(&asked, platform);
        };
        let request = Request::from_parts(head, body);
        let taken = match room.take(visitor.address) {
            Ok(of_platform) => Held { _of_platform: of_platform, _of_all: of_all },
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
        let answer = match &platform.sleeps {
            None => self.ask(request).await,
            Some(sleeps)
                if met.bed.way(sleeps.asleep) == Way::Sleeps
                    && !is_websocket
                    && comments::are_wanted(&request) =>
            {
                let (forward, met, sleeps) = (self.clone(), met.clone(), sleeps.clone());
                let address = visitor.address;
                let mut answer =
                    Box::pin(
                        async move { forward.ask_awake(&met, &sleeps, address, request).await },
                    );
                match tokio::time::timeout(comments::AT_ONCE, &mut answer).await {
                    Ok(answer) => answer,
                    Err(_not_yet) => {
                        let name = platform.name.clone();
                        let answer = async move {
                            let answer = answer.await.inspect_err(
                                |why| tracing::info!(platform = name, %why, "no answer"),
                            );
                            Some(held(answer.ok()?, taken))
                        };
                        return comments::until(Box::pin(answer));
                    }
                }
            }
            Some(sleeps) => self.ask_awake(met, sleeps, visitor.address, request).await,
        };
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(why) => {
                tracing::info!(platform = platform.name, %why, "no answer");
                return match why {
                    Unanswered::NoConnection(_) | Unanswered::Elsewhere => {
                        pages::unreachable(&asked, platform)
                    }
                    Unanswered::Broken(_) => pages::broken(&asked, platform),
                    Unanswered::Late => pages::too_slow(&asked, platform),
                    Unanswered::Asleep(why) => pages::asleep(&asked, platform, why),
                };
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
            _ => held(answer, taken),
        }
    }
}

/// The places of a request under way.
struct Held {
    _of_platform: Place,
    _of_all: Place,
}

/// An answer as visitors get it. The place is taken for as long as there is something to be said.
fn held(mut answer: hyper::Response<Incoming>, taken: Held) -> Response {
    strip_connection(answer.headers_mut());
    answer.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _until_its_end = &taken;
            frame
        }))
    })
}

impl Forward {
    async fn ask(&self, request: Request) -> Result<hyper::Response<Incoming>, Unanswered> {
        match tokio::time::timeout(ANSWER, self.client.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_connect() => Err(Unanswered::NoConnection(error)),
            Ok(Err(error)) => Err(Unanswered::Broken(error)),
            Err(_late) => Err(Unanswered::Late),
        }
    }

    /// The answer of a platform that may sleep: it is woken before, and once more where it fell
    /// asleep meanwhile.
    async fn ask_awake(
        &self,
        Met { platform, bed, .. }: &Met,
        sleeps: &Sleeps,
        visitor: IpAddr,
        request: Request,
    ) -> Result<hyper::Response<Incoming>, Unanswered> {
        let (head, body) = request.into_parts();
        let (body, is_safe) = (Lender::new(body), head.method.is_safe());
        let (mut last, mut is_again) = (Unanswered::Late, false);
        for _ in 0..TRIES {
            let at = match bed.way(sleeps.asleep) {
                Way::Open => None,
                Way::Pod(pod) => Some(pod),
                Way::Sleeps => {
                    let woke = self.waking.wake(bed, platform, sleeps, visitor).await;
                    woke.map_err(Unanswered::Asleep)?
                }
            };
            let is_a_pod = at.is_some();
            // Once somebody has read of it, it is not known what was done with it.
            let Some(body) = body.lend() else { return Err(last) };
            let mut request = Request::from_parts(head.clone(), body);
            if let Some(at) = at {
                let mut parts = std::mem::take(request.uri_mut()).into_parts();
                parts.authority = Some(at);
                *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
            }
            let asked = request.uri().authority().cloned();
            last = match self.ask(request).await {
                Err(failed @ Unanswered::NoConnection(_)) => {
                    // Of several copies one may just be gone: the address of all is tried twice.
                    if let Some(asked) = asked.filter(|_| is_a_pod || is_again) {
                        bed.missed(&asked);
                    }
                    is_again = !is_a_pod;
                    failed
                }
                // Somebody else has that address by now, and has done nothing.
                Ok(answer) if is_a_pod && answer.status() == StatusCode::MISDIRECTED_REQUEST => {
                    if let Some(asked) = asked {
                        bed.missed(&asked);
                    }
                    Unanswered::Elsewhere
                }
                // A copy that was about to end ended.
                Err(failed @ Unanswered::Broken(_)) if is_safe => failed,
                Ok(answer) => {
                    bed.answered();
                    return Ok(answer);
                }
                failed => return failed,
            };
        }
        Err(last)
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
pub(crate) fn accepted(headers: &HeaderMap) -> HeaderMap {
    let accept = headers.get(header::ACCEPT);
    accept.map(|accept| (header::ACCEPT, accept.clone())).into_iter().collect()
}
