//! Who asks, and may they. Handlers take one of these and need no check of their own.

use std::net::IpAddr;

use accounts::cookie::Cookie;
use accounts::sessions::SignedIn;
use accounts::{Permission, Visit, sessions};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};

use crate::app::App;
use crate::error::{Error, Result};

/// Anybody: signed in or not. Of who runs the platform a session counts only as its organization asks.
pub struct Visitor(pub Option<SignedIn>);

/// Somebody who is signed in.
pub struct Member(pub SignedIn);

/// Somebody who may run the platform.
pub struct Admin(pub SignedIn);

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let from = address(&parts.extensions);
        Ok(Self(signed_in(app, &parts.headers, cookie(parts), from).await?))
    }
}

/// Who is signed in by these headers, where their session counts from there.
pub async fn signed_in(
    app: &App,
    headers: &HeaderMap,
    cookie: Cookie,
    from: IpAddr,
) -> sqlx::Result<Option<SignedIn>> {
    let Some(token) = cookie.read(headers) else { return Ok(None) };
    let now = app.now();
    let found = sessions::find(&mut *app.db().acquire().await?, token, now).await?;
    Ok(found.filter(|found| app.site().lets_in(found, from, now)))
}

impl FromRequestParts<App> for Member {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Visitor(signed_in) = Visitor::from_request_parts(parts, app).await?;
        signed_in.map(Self).ok_or_else(|| Error::SignInFirst(web::next::way_back(parts)))
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Member(signed_in) = Member::from_request_parts(parts, app).await?;
        if signed_in.person.role.may(Permission::ManagePlatform) {
            Ok(Self(signed_in))
        } else {
            Err(Error::NotAllowed(Permission::ManagePlatform))
        }
    }
}

/// Where a request came from, for sessions and for throttling.
pub struct From(pub Visit);

impl FromRequestParts<App> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &App,
    ) -> std::result::Result<Self, Self::Rejection> {
        let ip = address(&parts.extensions);
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(Visit::new(ip, agent)))
    }
}

/// Behind nothing, in a test, the peer is unknown; all such share one address.
pub fn address(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<web::serve::Peer>();
    peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.address.ip())
}

/// The session cookie, by how the visitor came: over HTTPS it can be bound to this host.
pub struct Jar(pub Cookie);

impl FromRequestParts<App> for Jar {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &App,
    ) -> std::result::Result<Self, Self::Rejection> {
        Ok(Self(cookie(parts)))
    }
}

fn cookie(parts: &Parts) -> Cookie {
    cookie_of(&parts.extensions)
}

/// The session cookie of a request with these extensions.
pub fn cookie_of(extensions: &Extensions) -> Cookie {
    let peer = extensions.get::<web::serve::Peer>();
    match peer.and_then(|peer| peer.tls_name.as_ref()) {
        Some(_) => Cookie::Https,
        None => Cookie::PlainHttp,
    }
}
