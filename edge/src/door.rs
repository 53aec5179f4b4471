//! The two doors: plain HTTP, where authorities look and everybody else is sent on, and HTTPS.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::uri::Uri;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;
use web::serve::{Limits, Peer, Places, Proxies};

use crate::assets::{Assets, Cut, Key};
use crate::challenges::Challenges;
use crate::forward::{Forward, Visitor, accepted};
use crate::headers::REQUEST_ID;
use crate::pages;
use crate::table::{Met, Table};
use crate::waking::Waking;

/// Where authorities look.
const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// What is met under a platform's first name also where the platform wants to be met under another one: grants and
/// the links of owners, which are for nobody who has the DNS of that other one, and what their pages look like.
const STAYS: [&str; 4] = ["/grants/", "/welcome/", "/assets/", "/brand/"];
/// The cookie of who is signed in: it is good under the name alone under which it was set.
const SESSION: &str = "__Host-session=";
/// Half a year, this name alone.
const ONLY_HTTPS: (HeaderName, HeaderValue) =
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=15552000"));

/// How visitors come to the doors.
#[derive(Clone, Debug)]
pub struct Outside {
    /// The port of HTTPS, as they know it.
    pub https_port: u16,
    /// Through whom some of them come.
    pub proxies: Proxies,
    /// Requests that one visitor may have under way, over all platforms.
    pub of_one: usize,
}

impl Outside {
    /// Places for connections, of which proxies may hold as many as there are.
    pub fn places(&self, limits: Limits) -> Places {
        Places::new(limits).behind(self.proxies.clone())
    }
}

/// What stands behind both doors.
pub struct Doors {
    table: Arc<Table>,
    challenges: Arc<Challenges>,
    forward: Forward,
    assets: Assets,
    outside: Outside,
}

impl Doors {
    /// Doors to the platforms of a table.
    pub fn new(
        table: Arc<Table>,
        challenges: Arc<Challenges>,
        waking: Waking,
        outside: Outside,
    ) -> Arc<Self> {
        let (forward, assets) = (Forward::new(waking, outside.of_one), Assets::new());
        Arc::new(Self { table, challenges, forward, assets, outside })
    }

    /// Plain HTTP.
    pub fn plain(self: &Arc<Self>) -> Router {
        Router::new().fallback(plain).with_state(self.clone())
    }

    /// Behind TLS.
    pub fn secure(self: &Arc<Self>) -> Router {
        Router::new().fallback(secure).with_state(self.clone())
    }

    /// The same address under another name, over HTTPS.
    fn at(&self, host: &str, uri: &Uri) -> Option<HeaderValue> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let port = match self.outside.https_port {
            443 => String::new(),
            other => format!(":{other}"),
        };
        format!("https://{host}{port}{path}").parse().ok()
    }

    /// Where visitors of this name are sent, if not here.
    fn elsewhere(&self, host: &str, met: &Met) -> Option<String> {
        let primary = met.platform.primary_host.as_ref().filter(|primary| *primary != host)?;
        // Until it can be met there, it is met here.
        let there = self.table.find(primary)?;
        let is_same = there.platform.uid == met.platform.uid;
        (is_same && there.certificate.is_some()).then(|| primary.clone())
    }
}

async fn plain(State(doors): State<Arc<Doors>>, request: Request) -> Response {
    if let Some(token) = request.uri().path().strip_prefix(CHALLENGES) {
        return doors.challenge(token).await;
    }
    let host = web::host::of(request.uri(), request.headers());
    let met = host.as_deref().and_then(|host| Some((host, doors.table.find(host)?)));
    match met {
        None => pages::nobody(request.headers()),
        Some((_, Met { platform, certificate: None, .. })) => {
            pages::no_certificate(request.headers(), &platform)
        }
        Some((host, _)) => moved(doors.at(host, request.uri())),
    }
}

async fn secure(State(doors): State<Arc<Doors>>, request: Request) -> Response {
    let begun = Instant::now();
    let id = HeaderValue::from_str(&Uuid::now_v7().to_string());
    let id = id.unwrap_or_else(|_| HeaderValue::from_static("none"));
    let host = web::host::of(request.uri(), request.headers());
    let peer = request.extensions().get::<Peer>().cloned();
    let visitor = peer.as_ref().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.address.ip());
    let visitor = doors.outside.proxies.visitor(visitor, request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());

    let is_misdirected = peer.is_none_or(|peer| peer.tls_name.as_deref() != host.as_deref());
    let mut response = match host.as_deref() {
        _ if is_misdirected => pages::misdirected(request.headers()),
        Some(host) => {
            let visitor = Visitor { address: visitor, host, request: &id };
            doors.meet(&visitor, request).await
        }
        None => pages::nobody(request.headers()),
    };

    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.clone());
    let (name, value) = ONLY_HTTPS;
    headers.entry(name).or_insert(value);
    tracing::info!(
        target: "edge::access",
        id = id.to_str().unwrap_or_default(),
        host = host.as_deref().unwrap_or_default(),
        %method,
        // Without what stands behind the question mark: links that sign people in have it there.
        path,
        status = response.status().as_u16(),
        ms = begun.elapsed().as_millis(),
        %visitor,
        "served"
    );
    response
}

impl Doors {
    async fn meet(&self, visitor: &Visitor<'_>, request: Request) -> Response {
        let Some(met) = self.table.find(visitor.host) else {
            return pages::nobody(request.headers());
        };
        let stays = visitor.host == met.platform.own_host && stays(&request);
        if let Some(primary) = self.elsewhere(visitor.host, &met).filter(|_| !stays) {
            return moved(self.at(&primary, request.uri()));
        }
        if let Some(instead) = pages::standing(request.headers(), &met.platform) {
            return instead;
        }
        let key = Key::of(met.platform.uid, &request);
        if let Some(key) = &key
            && let Some(kept) = self.assets.find(key, request.headers()).await
        {
            return kept;
        }
        let (asked, method) = (accepted(request.headers()), request.method().clone());
        let answer = self.forward.to(&met, visitor, request).await;
        match key {
            Some(key) => match self.assets.keep(key, &method, answer).await {
                Ok(answer) => answer,
                Err(Cut) => pages::broken(&asked, &met.platform),
            },
            None => answer,
        }
    }

    /// What an authority finds.
    async fn challenge(&self, token: &str) -> Response {
        match self.challenges.at_token(token).await {
            Ok(Some(text)) => {
                ([(header::CONTENT_TYPE, "application/octet-stream")], text).into_response()
            }
            Ok(None) => StatusCode::NOT_FOUND.into_response(),
            Err(why) => {
                tracing::warn!(%why, "an authority looked, and was not answered");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    }
}

/// Whether it is answered under a platform's first name in any case.
fn stays(request: &Request) -> bool {
    let cookies = request.headers().get_all(header::COOKIE).iter();
    let mut cookies = cookies.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(';'));
    let path = request.uri().path();
    STAYS.iter().any(|start| path.starts_with(start))
        || cookies.any(|cookie| cookie.trim_start().starts_with(SESSION))
}

/// With the same method and body; for a while only, since names change hands.
fn moved(to: Option<HeaderValue>) -> Response {
    match to {
        Some(to) => {
            let kept = HeaderValue::from_static("max-age=300");
            let vary = HeaderValue::from_static("cookie");
            let headers = HeaderMap::from_iter([
                (header::LOCATION, to),
                (header::CACHE_CONTROL, kept),
                (header::VARY, vary),
            ]);
            (StatusCode::PERMANENT_REDIRECT, headers).into_response()
        }
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}
