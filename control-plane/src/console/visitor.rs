//! Who asks, and as what. Handlers take one of these and need no check of their own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;

use accounts::sessions::SignedIn;
use accounts::{Visit, factors, sessions};
use axum::extract::{FromRequestParts, Path};
use axum::http::header;
use axum::http::request::Parts;
use blueprint::Slug;

use super::told::Told;
use crate::app::App;
use crate::db::members;
use crate::db::organizations::Organization;
use crate::domain::id::PersonId;
use crate::domain::policy::SecondFactor;
use crate::domain::role::Role;
use crate::error::{Error, Result};
use crate::http::caller::Caller;

/// Anybody: signed in or not.
pub struct Visitor(pub Option<SignedIn>);

/// Somebody who is signed in.
pub struct Person(pub SignedIn);

/// Somebody who is signed in, in an organization that they are a member of, as it asks its members to be.
/// To others there is no such organization.
pub struct Seat {
    /// Who.
    pub signed_in: SignedIn,
    /// Where.
    pub organization: Organization,
    /// As what.
    pub role: Role,
    /// The same, as the API knows it.
    pub caller: Caller,
    /// What their last form did, where they were not told yet.
    pub told: Told,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Some(token) = app.cookie().read(&parts.headers) else { return Ok(Self(None)) };
        let mut conn = app.conn().await?;
        Ok(Self(sessions::find(&mut conn, token, app.now()).await?))
    }
}

impl FromRequestParts<App> for Person {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Visitor(signed_in) = Visitor::from_request_parts(parts, app).await?;
        signed_in.map(Self).ok_or_else(|| Error::SignInFirst(web::next::way_back(parts)))
    }
}

impl FromRequestParts<App> for Seat {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Person(signed_in) = Person::from_request_parts(parts, app).await?;
        let Path(path) = Path::<HashMap<String, String>>::from_request_parts(parts, app)
            .await
            .map_err(|_| Error::Nothing("organization"))?;
        let slug: Option<Slug> = path.get("slug").and_then(|slug| slug.parse().ok());
        let slug = slug.ok_or(Error::Nothing("organization"))?;
        let person = PersonId(signed_in.person.id);
        let mut conn = app.conn().await?;
        let seat = members::seat(&mut conn, &slug, person).await?;
        let (organization, role) = seat.ok_or(Error::Nothing("organization"))?;
        let is_asked = organization.second_factor == SecondFactor::Required;
        if is_asked && !factors::has(&mut conn, person.0).await? {
            return Err(Error::SecondFactorFirst(web::next::way_back(parts)));
        }
        let caller = Caller::person(organization.id, person, role);
        let Ok(told) = Told::from_request_parts(parts, app).await;
        Ok(Self { signed_in, organization, role, caller, told })
    }
}

/// Where a request came from, for sessions and for throttling.
pub struct From(pub Visit);

impl FromRequestParts<App> for From {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &App,
    ) -> std::result::Result<Self, Infallible> {
        // Behind nothing, in a test, the peer is unknown; all such share one address.
        let peer = parts.extensions.get::<web::serve::Peer>();
        let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.address.ip());
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(Visit::new(app.proxies().visitor(peer, &parts.headers), agent)))
    }
}
