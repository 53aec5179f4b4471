//! A person's own account: where one is signed in, and how to end it.

use accounts::sessions;
use axum::extract::{Path, State};
use axum::response::{Html, Redirect};
use uuid::Uuid;

use super::visitor::Member;
use crate::app::App;
use crate::error::{Error, Result};
use crate::view::admin::{Account, SessionRow};
use crate::view::shell;

/// Name, address, and the list of sessions.
pub async fn page(State(app): State<App>, Member(signed_in): Member) -> Result<Html<String>> {
    let mut db = app.db().acquire().await?;
    let list = sessions::list(&mut db, signed_in.person.id, app.now()).await?;
    let body = Account {
        name: signed_in.person.display_name.to_string(),
        email: signed_in.person.email.to_string(),
        role: shell::role_name(signed_in.person.role),
        sessions: list
            .into_iter()
            .map(|session| SessionRow {
                current: session.id == signed_in.session_id,
                id: session.id,
                device: session.device,
                ip: session.ip,
                last_seen_at: session.last_seen_at,
            })
            .collect(),
    };
    let page = shell::page(&app, Some(&signed_in), "/account", "Your account", body);
    Ok(Html(app.engine().render("account", &page)?))
}

/// Ends one of the person's sessions.
pub async fn end_session(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(id): Path<Uuid>,
) -> Result<Redirect> {
    let mut db = app.db().acquire().await?;
    if sessions::end(&mut db, signed_in.person.id, id).await? {
        Ok(Redirect::to("/account"))
    } else {
        Err(Error::Nothing("session"))
    }
}
