//! What was done, and by whom.

use axum::extract::{Query, State};
use axum::response::Html;

use super::view::{self, Audit, AuditRow};
use super::visitor::Seat;
use crate::app::App;
use crate::db::{audit, names};
use crate::domain::page::{Page, Wanted};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};

/// The lines, the last thing first.
pub async fn page(
    State(app): State<App>,
    seat: Seat,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    seat.caller.may(Scope::AuditRead)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|after| after.parse::<i64>()).transpose();
    let after = after.map_err(|error| Error::Unreadable(error.to_string()))?;
    let mut conn = app.conn().await?;
    let organization = seat.organization.id;
    let found = audit::latest(&mut conn, organization, after, limit + 1).await?;
    let names = names::of(&mut conn, organization, found.iter().map(|it| &*it.actor)).await?;
    drop(conn);
    let listed = Page::of(found, limit, |entry| entry.number.to_string());
    let base = format!("/o/{}/audit", seat.organization.slug);
    let body = Audit {
        rows: listed.items.iter().map(|entry| AuditRow::of(entry, &names)).collect(),
        pages: view::paged(&base, &wanted, listed.next),
    };
    let page = view::in_organization(&app, &seat, "/audit", "Audit", body);
    Ok(Html(app.engine().render("audit", &page)?))
}
