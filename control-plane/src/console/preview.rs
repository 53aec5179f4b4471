//! What a blueprint would do, before anybody applies it.

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};

use super::platforms::{Tried, Written, drafted, in_the_way, owned, said, shown};
use super::view::{self, PreviewPage, Ways};
use super::visitor::Seat;
use crate::app::App;
use crate::domain::preview::Preview;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::preview;

/// Of a platform that is to be made.
pub async fn of_new(
    State(app): State<App>,
    seat: Seat,
    Form(written): Form<Written>,
) -> Result<Response> {
    seat.caller.may(Scope::PlatformsWrite)?;
    let base = format!("/o/{}/new", seat.organization.slug);
    match looked_at(&app, &seat, &written).await? {
        Ok(found) => {
            let ways =
                Ways { again: format!("{base}/preview"), back: base.clone(), apply: base.clone() };
            page(&app, &seat, "/new", PreviewPage::of(found, ways, written.blueprint, None))
        }
        Err(problems) => {
            let refused = StatusCode::UNPROCESSABLE_ENTITY;
            drafted(&app, &seat, refused, written.blueprint, problems)
        }
    }
}

/// Of a change.
pub async fn of_change(
    State(app): State<App>,
    seat: Seat,
    Path((_, name)): Path<(String, String)>,
    Form(written): Form<Written>,
) -> Result<Response> {
    let owned = owned(&app, &seat, &name).await?;
    seat.caller.may(Scope::PlatformsWrite)?;
    let base = format!("/o/{}/platforms/{}", seat.organization.slug, owned.name);
    let mut found = looked_at(&app, &seat, &written).await?;
    if found.as_ref().is_ok_and(|found| found.name != owned.name.as_str()) {
        found =
            Err(vec![format!("metadata.name: this platform is called {}, for ever", owned.name)]);
    }
    match found {
        Ok(found) => {
            let ways = Ways {
                apply: format!("{base}/blueprint"),
                again: format!("{base}/preview"),
                back: base,
            };
            let Written { blueprint, seen } = written;
            page(&app, &seat, "", PreviewPage::of(found, ways, blueprint, Some(seen)))
        }
        Err(problems) => {
            let tried = Tried { problems, written: Some(written), ..Tried::default() };
            shown(&app, &seat, &owned, StatusCode::UNPROCESSABLE_ENTITY, tried).await
        }
    }
}

/// What it would do, or what people can mend of it.
async fn looked_at(
    app: &App,
    seat: &Seat,
    written: &Written,
) -> Result<std::result::Result<Preview, Vec<String>>> {
    let read = match blueprint::read(&written.blueprint) {
        Ok(read) => read,
        Err(problems) => return Ok(Err(problems.iter().map(said).collect())),
    };
    match preview::of(app, &seat.caller, read).await {
        Ok(found) => Ok(Ok(found)),
        Err(error @ Error::IsDeleted(_)) => Ok(Err(vec![error.detail()])),
        Err(error) => in_the_way(error).map(Err),
    }
}

fn page(app: &App, seat: &Seat, part: &str, body: PreviewPage) -> Result<Response> {
    let page = view::in_organization(app, seat, part, "What this would do", body);
    Ok(Html(app.engine().render("preview", &page)?).into_response())
}
