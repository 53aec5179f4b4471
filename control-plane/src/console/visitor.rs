//! Who asks, and as what. Handlers take one of these and need no check of their own.

use std::collections::HashMap;
use std::convert::Infallible;

use accounts::sessions::{Means, SignedIn};
use accounts::{Visit, factors, sessions};
use axum::extract::{FromRequestParts, Path};
use axum::http::header;
use axum::http::request::Parts;
use blueprint::Slug;

use super::told::Told;
use crate::app::App;
use crate::db::members;
use crate::db::organizations::Organization;
use crate::domain::id::{OrganizationId, PersonId};
use crate::domain::policy::{Barred, Entrance, Shown, With};
use crate::domain::role::Role;
use crate::error::{Error, Result};
use crate::http::caller::{Caller, address};

/// Anybody: signed in or not. Whom an organization's single sign-on let in is nobody but there.
pub struct Visitor(pub Option<SignedIn>);

/// Somebody who is signed in by what they have here: who they are is theirs, and no organization's.
pub struct Person(pub SignedIn);

/// Somebody who is signed in, be it by an organization's single sign-on: that is good there alone.
pub struct Somebody {
    /// Who.
    pub signed_in: SignedIn,
    /// The one organization where they are.
    pub within: Option<OrganizationId>,
}

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

impl FromRequestParts<App> for Somebody {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let first = || Error::SignInFirst(web::next::way_back(parts));
        let token = app.cookie().read(&parts.headers).ok_or_else(first)?;
        let mut conn = app.conn().await?;
        let found = sessions::find_any(&mut conn, token, app.now()).await?;
        let signed_in = found.ok_or_else(first)?;
        let within = match signed_in.means {
            Means::Provider(id) => Some(OrganizationId(id)),
            Means::Password | Means::Link | Means::Passkey => None,
        };
        Ok(Self { signed_in, within })
    }
}

impl FromRequestParts<App> for Seat {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Somebody { signed_in, within } = Somebody::from_request_parts(parts, app).await?;
        let Path(path) = Path::<HashMap<String, String>>::from_request_parts(parts, app)
            .await
            .map_err(|_| Error::Nothing("organization"))?;
        let slug: Option<Slug> = path.get("slug").and_then(|slug| slug.parse().ok());
        let slug = slug.ok_or(Error::Nothing("organization"))?;
        let person = PersonId(signed_in.person.id);
        let mut conn = app.conn().await?;
        let seat = members::seat(&mut conn, &slug, person).await?;
        // Another organization's provider may have made up who comes: to them this one is not there.
        let seat = seat.filter(|(found, _)| within.is_none_or(|within| within == found.id));
        let (organization, role) = seat.ok_or(Error::Nothing("organization"))?;
        let shown = match signed_in.means {
            Means::Provider(_) => Shown::Provider,
            Means::Passkey => Shown::Factor,
            _ if factors::has(&mut conn, person.0).await? => Shown::Factor,
            Means::Password | Means::Link => Shown::Password,
        };
        let with = With::Session { begun_at: signed_in.begun_at, role, shown };
        let entrance = Entrance { from: address(parts, app), with };
        let place = (organization.id, &organization.policy);
        match Caller::person(place, (person, role), entrance, app.now()) {
            Ok(caller) => {
                let caller = caller.in_session(signed_in.session_id);
                let Ok(told) = Told::from_request_parts(parts, app).await;
                Ok(Self { signed_in, organization, role, caller, told })
            }
            Err(barred) => {
                if barred == Barred::OldSession {
                    sessions::end(&mut conn, person.0, signed_in.session_id).await?;
                }
                let back = web::next::way_back(parts);
                Err(kept_out(barred, &entrance, organization.slug, back))
            }
        }
    }
}

/// What they can do about it.
fn kept_out(barred: Barred, entrance: &Entrance, slug: Slug, back: String) -> Error {
    match barred {
        Barred::OldSession => Error::SignInFirst(back),
        Barred::SingleSignOn => Error::SingleSignOnFirst(slug, back),
        Barred::SecondFactor => Error::SecondFactorFirst(back),
        Barred::Address | Barred::OldKey => Error::NotFromHere(entrance.from),
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
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(Visit::new(address(parts, app), agent)))
    }
}
