//! Keys of the API.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use pages::parts::Field;

use super::confirm::asked;
use super::told::Done;
use super::view::{self, Confirm, KeyRow, Keys};
use super::visitor::Seat;
use crate::app::App;
use crate::db::{keys, names};
use crate::domain::id::KeyId;
use crate::domain::page::{Page, Wanted};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::http::keys::{NewKey, WantedKey, make, take_back};

/// A key is made for so many days at most, and for so many where nothing is said.
const YEAR: i64 = 366;
const USUAL: i64 = 90;

/// What came of the last try to make one.
#[derive(Default)]
struct Tried {
    made: Option<NewKey>,
    name: String,
    days: Option<i64>,
    scopes: Vec<Scope>,
    refused: Option<String>,
}

/// The list.
pub async fn page(
    State(app): State<App>,
    seat: Seat,
    Query(wanted): Query<Wanted>,
) -> Result<Response> {
    listed(&app, &seat, &wanted, StatusCode::OK, Tried::default()).await
}

/// Makes one: it is on the page that follows, once.
pub async fn create(State(app): State<App>, seat: Seat, form: Bytes) -> Result<Response> {
    let mut wanted = WantedKey { name: String::new(), scopes: Vec::new(), days: None };
    // A box that is ticked comes under the name of its scope.
    for (name, value) in url::form_urlencoded::parse(&form) {
        match &*name {
            "name" => wanted.name = value.into_owned(),
            // What is no number is no number of days that there are.
            "days" => wanted.days = Some(value.parse().unwrap_or(0)),
            scope => {
                let scope = scope.parse::<Scope>();
                wanted.scopes.push(scope.map_err(|error| Error::Unreadable(error.to_string()))?);
            }
        }
    }
    let (name, days, scopes) = (wanted.name.clone(), wanted.days, wanted.scopes.clone());
    let (status, tried) = match make(&app, &seat.caller, wanted).await {
        Ok(made) => (StatusCode::CREATED, Tried { made: Some(made), ..Tried::default() }),
        Err(Error::Unreadable(why)) => {
            let tried = Tried { name, days, scopes, refused: Some(why), made: None };
            (StatusCode::UNPROCESSABLE_ENTITY, tried)
        }
        Err(error) => return Err(error),
    };
    listed(&app, &seat, &Wanted::default(), status, tried).await
}

/// Asks whether one is to be taken back.
pub async fn revocation(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    seat.caller.may(Scope::KeysWrite)?;
    let id: KeyId = id.parse().map_err(|_| Error::Nothing("key"))?;
    let key = keys::get(&mut *app.conn().await?, seat.organization.id, id).await?;
    let key = key.ok_or(Error::Nothing("key"))?;
    let base = format!("/o/{}/keys", seat.organization.slug);
    let body = Confirm {
        heading: format!("Take back the key {}?", key.name),
        text: "Whoever uses it is refused from the next request on. It cannot be given back: what needs \
               one is given a new one.",
        action: format!("{base}/{id}/revoke"),
        button: "Take back",
        back: base,
    };
    asked(&app, &seat, "/keys", body)
}

/// Takes one back.
pub async fn revoke(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response> {
    let id: KeyId = id.parse().map_err(|_| Error::Nothing("key"))?;
    take_back(&app, &seat.caller, id).await?;
    Ok(Done::KeyBack.and_go(&app, &format!("/o/{}/keys", seat.organization.slug)))
}

async fn listed(
    app: &App,
    seat: &Seat,
    wanted: &Wanted,
    status: StatusCode,
    tried: Tried,
) -> Result<Response> {
    seat.caller.may(Scope::KeysWrite)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|after| after.parse::<KeyId>()).transpose();
    let after = after.map_err(|error| Error::Unreadable(error.to_string()))?;
    let mut conn = app.conn().await?;
    let organization = seat.organization.id;
    let found = keys::list(&mut conn, organization, after, limit + 1).await?;
    let names = names::of(&mut conn, organization, found.iter().map(|it| &*it.made_by)).await?;
    drop(conn);
    let listed = Page::of(found, limit, |key| key.id.to_string());
    let rows = listed.items.into_iter().map(|key| key.under(&seat.organization.policy));
    let base = format!("/o/{}/keys", seat.organization.slug);
    let own = Scope::ALL.into_iter().filter(|scope| seat.caller.has(*scope));
    let body = Keys {
        refused: tried.refused,
        secret: tried.made.map(|made| made.secret),
        rows: rows.map(|key| KeyRow::of(&key, &names, app.now())).collect(),
        name: Field::text("name", "What it is for").required().max_length(80).value(tried.name),
        days: days(seat.organization.policy.longest_key_days, tried.days),
        scopes: own
            .map(|it| Field::checkbox(it.word(), it.title(), tried.scopes.contains(&it)))
            .collect(),
        pages: view::paged(&base, wanted, listed.next),
        base,
    };
    let page = view::in_organization(app, seat, "/keys", "Keys", body);
    Ok((status, Html(app.engine().render("keys", &page)?)).into_response())
}

/// For how long a key may be made, no longer than the organization has them.
fn days(longest: Option<u32>, tried: Option<i64>) -> Field {
    let longest = longest.map_or(YEAR, i64::from).min(YEAR);
    let usual = [(7, "a week"), (30, "30 days"), (90, "90 days"), (YEAR, "a year")];
    let usual = usual.iter().filter(|(days, _)| *days < longest);
    let mut choices: Vec<_> =
        usual.map(|(days, words)| (days.to_string(), (*words).to_owned())).collect();
    let words = if longest == YEAR { "a year".to_owned() } else { format!("{longest} days") };
    choices.push((longest.to_string(), words));
    let choices: Vec<_> = choices.iter().map(|(days, words)| (&**days, &**words)).collect();
    let chosen = tried.unwrap_or(USUAL).min(longest);
    Field::select("days", "It ends after", &choices).required().value(chosen.to_string())
}
