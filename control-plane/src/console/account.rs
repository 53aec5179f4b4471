//! A person's own account: who they are, how they show it, and where they are signed in.

use accounts::{events, factors, passkeys, sessions};
use axum::extract::{Path, State};
use axum::response::{Html, Response};
use uuid::Uuid;

use super::session::out;
use super::told::{Done, Told};
use super::view::{self, Account, EventRow, FactorRow, PasskeyRow, SessionRow};
use super::visitor::{From, Person};
use crate::app::App;
use crate::error::{Error, Result};

/// So many of the last events are shown.
const EVENTS: usize = 20;

/// Name, address, second factor, the list of sessions, and what happened of late.
pub async fn page(
    State(app): State<App>,
    Person(signed_in): Person,
    Told(told): Told,
) -> Result<Html<String>> {
    let mut conn = app.conn().await?;
    let list = sessions::list(&mut conn, signed_in.person.id, app.now()).await?;
    let factor = factors::of(&mut conn, signed_in.person.id).await?;
    let passkeys = passkeys::list(&mut conn, signed_in.person.id).await?;
    let events = events::list(&mut conn, signed_in.person.id, EVENTS).await?;
    drop(conn);
    let sessions = list.into_iter().map(|session| SessionRow {
        current: session.id == signed_in.session_id,
        id: session.id,
        device: session.device,
        ip: session.ip,
        last_seen_at: session.last_seen_at,
    });
    let sessions: Vec<_> = sessions.collect();
    let body = Account {
        name: signed_in.person.display_name.to_string(),
        email: signed_in.person.email.to_string(),
        factor: factor.map(FactorRow::from),
        has_site: app.site().is_some(),
        passkeys: passkeys.into_iter().map(PasskeyRow::from).collect(),
        elsewhere: sessions.iter().any(|session| !session.current),
        sessions,
        events: events.into_iter().map(EventRow::from).collect(),
    };
    let mut page = view::page(&app, Some(&signed_in), "Your account", body);
    page.flash = told.map(Done::flash);
    Ok(Html(app.engine().render("account", &page)?))
}

/// Ends one of the person's sessions; this one as signing out does.
pub async fn end_session(
    State(app): State<App>,
    Person(signed_in): Person,
    From(visit): From,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    if id == signed_in.session_id {
        return out(&app, &signed_in, &visit).await;
    }
    let mut conn = app.conn().await?;
    if !sessions::end(&mut conn, signed_in.person.id, id).await? {
        return Err(Error::Nothing("session"));
    }
    Ok(Done::SessionEnded.and_go(&app, "/account"))
}

/// Ends all of the person's sessions but this one.
pub async fn end_other_sessions(
    State(app): State<App>,
    Person(signed_in): Person,
) -> Result<Response> {
    let mut conn = app.conn().await?;
    sessions::end_others(&mut conn, signed_in.person.id, signed_in.session_id).await?;
    Ok(Done::SessionsEnded.and_go(&app, "/account"))
}
