//! What was done to a platform, and what its blueprint said before.

use axum::extract::{Path, Query, State};
use axum::response::Html;
use blueprint::{PlatformBlueprint, changes};
use pages::parts::Code;

use super::platforms::owned;
use super::view::{self, OperationRow, Operations, RevisionPage, RevisionRow, Revisions};
use super::visitor::Seat;
use crate::app::App;
use crate::cluster::{CONTROL_PLANE, is_going, version, writer};
use crate::db::platforms::Owned;
use crate::db::{names, operations, revisions};
use crate::domain::operation::State as Far;
use crate::domain::page::{NoPage, Page, Wanted};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::operations::{Operation, told};
use crate::http::platforms::history::readable;
use crate::http::platforms::seen_of;

/// Of the latest ones, so many are looked at for one that is on its way.
const LOOKED_AT: usize = 10;

/// What was done to it of late, the latest first.
pub async fn operations(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    let owned = owned(&app, &seat, &name).await?;
    let (before, limit) = wanted.read()?;
    let before = before.map(|text| text.parse()).transpose().map_err(|_| NoPage::After)?;
    let mut conn = app.conn().await?;
    let read = operations::list(&mut conn, owned.id, before, limit + 1).await?;
    let all: Vec<_> = read.into_iter().map(|it| told(&app, &owned, it)).collect();
    let names = names::of(&mut conn, owned.organization, all.iter().map(|it| &*it.by)).await?;
    drop(conn);
    let listed = Page::of(all, limit, |it| it.id.to_string());
    let base = of(&seat, &owned);
    let body = Operations {
        name: owned.name.to_string(),
        rows: listed.items.iter().map(|it| OperationRow::of(it, &names)).collect(),
        pages: view::paged(&format!("{base}/operations"), &wanted, listed.next),
        base,
    };
    let title = format!("What was done to {}", owned.name);
    let page = view::in_organization(&app, &seat, "", &title, body);
    Ok(Html(app.engine().render("operations", &page)?))
}

/// What is done to it at the moment.
///
/// # Errors
/// The database.
pub(super) async fn running(app: &App, owned: &Owned) -> Result<Option<OperationRow>> {
    let mut conn = app.conn().await?;
    let latest = operations::list(&mut conn, owned.id, None, LOOKED_AT).await?;
    let mut latest = latest.into_iter().map(|it| told(app, owned, it));
    let Some(found) = latest.find(|it: &Operation| it.state == Far::Running) else {
        return Ok(None);
    };
    let names = names::of(&mut conn, owned.organization, [&*found.by].into_iter()).await?;
    Ok(Some(OperationRow::of(&found, &names)))
}

/// What its blueprint said, each time that it was changed here.
pub async fn revisions(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>> {
    let owned = owned(&app, &seat, &name).await?;
    let (before, limit) = wanted.read()?;
    let before = before.map(|text| text.parse()).transpose().map_err(|_| NoPage::After)?;
    let mut conn = app.conn().await?;
    let read = revisions::list(&mut conn, owned.id, before, limit + 1).await?;
    let names = names::of(&mut conn, owned.organization, read.iter().map(|it| &*it.by)).await?;
    drop(conn);
    let listed = Page::of(read, limit, |it| it.number.to_string());
    let base = of(&seat, &owned);
    let rows = listed.items.into_iter().map(|it| RevisionRow::of(it, &base, &names)).collect();
    let body = Revisions {
        name: owned.name.to_string(),
        rows,
        pages: view::paged(&format!("{base}/history"), &wanted, listed.next),
        base,
    };
    let title = format!("What the blueprint of {} said", owned.name);
    let page = view::in_organization(&app, &seat, "", &title, body);
    Ok(Html(app.engine().render("revisions", &page)?))
}

/// What it said then, what is otherwise now, and a way to have it be so again: by its preview.
pub async fn revision(
    State(app): State<App>,
    seat: Seat,
    Path((_, name, number)): Path<(String, String, String)>,
) -> Result<Html<String>> {
    let owned = owned(&app, &seat, &name).await?;
    let number = number.parse::<i64>().map_err(|_| Error::Nothing("revision"))?;
    let mut conn = app.conn().await?;
    let spec = revisions::spec(&mut conn, owned.id, number).await?;
    let spec = spec.ok_or(Error::Nothing("revision"))?;
    let found = revisions::list(&mut conn, owned.id, number.checked_add(1), 1).await?.pop();
    let found = found.filter(|it| it.number == number).ok_or(Error::Nothing("revision"))?;
    let names = names::of(&mut conn, owned.organization, [&*found.by].into_iter()).await?;
    drop(conn);
    let then = PlatformBlueprint::new(owned.name.as_str(), spec);
    let now = seen_of(&app, &owned).await?;
    let may = seat.caller.has(Scope::PlatformsWrite);
    let can_change = |it: &&PlatformBlueprint| writer(it) == CONTROL_PLANE && !is_going(it);
    let seen = now.as_ref().filter(can_change).and_then(version);
    let seen = seen.map(|it| format!("{}-{}", it.uid, it.generation));
    let is_there = now.is_some();
    let base = of(&seat, &owned);
    let body = RevisionPage {
        back: format!("{base}/history"),
        preview: format!("{base}/preview"),
        row: RevisionRow::of(found, &base, &names),
        is_there,
        since: now.iter().flat_map(|now| since(&then, now)).collect(),
        seen: seen.filter(|_| may),
        blueprint: Code { label: None, text: readable(&then) },
    };
    let title = format!("Revision {number} of {}", owned.name);
    let page = view::in_organization(&app, &seat, "", &title, body);
    Ok(Html(app.engine().render("revision", &page)?))
}

/// A line for each field that is otherwise now.
fn since(then: &PlatformBlueprint, now: &PlatformBlueprint) -> Vec<String> {
    let of_spec = changes(then, now).into_iter().filter(|it| it.path.starts_with("spec"));
    of_spec.map(|it| it.to_string()).collect()
}

/// The page of a platform.
fn of(seat: &Seat, owned: &Owned) -> String {
    format!("/o/{}/platforms/{}", seat.organization.slug, owned.name)
}
