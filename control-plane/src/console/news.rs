//! News for pages that are looked at: the API's own, for whoever is signed in.

use std::convert::Infallible;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures::Stream;
use serde::Deserialize;

use super::platforms::owned;
use super::visitor::Seat;
use crate::app::App;
use crate::domain::scope::Scope;
use crate::error::Result;
use crate::http::events;
use crate::http::platforms::events::{heard, of};

/// What was heard last, by a page that rested meanwhile: browsers send `Last-Event-ID` only where they
/// were cut off.
#[derive(Deserialize)]
pub struct Rested {
    after: Option<String>,
}

/// Of all platforms of an organization.
pub async fn of_fleet(
    State(app): State<App>,
    seat: Seat,
    Query(Rested { after }): Query<Rested>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    seat.caller.may(Scope::PlatformsRead)?;
    events::of(app, seat.caller, heard(&headers).or(after))
}

/// Of one of them.
pub async fn of_platform(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
    Query(Rested { after }): Query<Rested>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    let owned = owned(&app, &seat, &name).await?;
    of(app, seat.caller, owned, heard(&headers).or(after))
}
