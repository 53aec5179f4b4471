//! The second step of signing in: a code of the app, or one from paper.

use accounts::second_factor::{self, FactorError};
use accounts::sessions::NewSession;
use accounts::{NewHalf, Proof, Visit};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use pages::parts::{CardForm, Field, Other};
use secrecy::SecretString;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;
use web::next::safe_next;

use super::refused::{Refused, form};
use super::session::{Next, again, signed_in};
use super::visitor::From;
use crate::app::{App, sealing};
use crate::error::{Error, Result};

/// What is asked for. Either is taken by both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    App,
    Paper,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct Sent {
    code: SecretString,
    #[serde(default)]
    next: Option<String>,
}

/// The form for a code of the app.
pub async fn page(state: State<App>, headers: HeaderMap, next: Query<Next>) -> Result<Response> {
    shown(state, &headers, next, Asked::App).await
}

/// The form for a code from paper.
pub async fn paper_page(
    state: State<App>,
    headers: HeaderMap,
    next: Query<Next>,
) -> Result<Response> {
    shown(state, &headers, next, Asked::Paper).await
}

/// Signs in, or says why not.
pub async fn sign_in(
    state: State<App>,
    headers: HeaderMap,
    visit: From,
    sent: Form<Sent>,
) -> Result<Response> {
    tried(state, &headers, visit, sent, Asked::App).await
}

/// The same by a code from paper.
pub async fn sign_in_by_paper(
    state: State<App>,
    headers: HeaderMap,
    visit: From,
    sent: Form<Sent>,
) -> Result<Response> {
    tried(state, &headers, visit, sent, Asked::Paper).await
}

/// Sends whose password was right on to the form.
pub(super) fn half_way(app: &App, half: &NewHalf, next: &str) -> Result<Response> {
    let mut response = Redirect::to(&at(Asked::App, next)).into_response();
    let cookie = app.cookie().set_half(half);
    let cookie = cookie.map_err(|error| Error::Internal(error.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

async fn shown(
    State(app): State<App>,
    headers: &HeaderMap,
    Query(Next { next }): Query<Next>,
    asked: Asked,
) -> Result<Response> {
    let next = safe_next(next.as_deref());
    let Some(half) = app.cookie().read_half(headers) else { return Ok(first(next)) };
    let mut conn = app.conn().await?;
    if !second_factor::is_half_way(&mut conn, half, app.now()).await? {
        return Ok(first(next));
    }
    drop(conn);
    form(&app, None, asking(asked, next), None)
}

async fn tried(
    State(app): State<App>,
    headers: &HeaderMap,
    From(visit): From,
    Form(sent): Form<Sent>,
    asked: Asked,
) -> Result<Response> {
    let next = safe_next(sent.next.as_deref());
    let Some(half) = app.cookie().read_half(headers) else { return Ok(first(next)) };
    let entered = match Proof::read(&sent.code) {
        Some(proof) => enter(&app, half, visit, &proof).await,
        // What can be no code is no guess either.
        None => Err(FactorError::Refused),
    };
    match entered {
        Ok(session) => {
            let mut response = signed_in(&app, &session, next)?;
            let clear = app.cookie().clear_half();
            let clear = clear.map_err(|error| Error::Internal(error.to_string()))?;
            response.headers_mut().append(header::SET_COOKIE, clear);
            Ok(response)
        }
        Err(gone @ FactorError::Gone) => again(&app, next, &Refused::of_code(gone)?),
        Err(error) => form(&app, None, asking(asked, next), Some(&Refused::of_code(error)?)),
    }
}

async fn enter(
    app: &App,
    half: &str,
    visit: Visit,
    proof: &Proof,
) -> std::result::Result<NewSession, FactorError> {
    let now = app.now();
    let begun = second_factor::begin(&mut *app.conn().await?, half, visit, now).await?;
    let mut tx = app.begin().await?;
    let (_, session) =
        second_factor::finish(&mut tx, sealing(&app.root_keys()), begun, proof, now).await?;
    tx.commit().await?;
    Ok(session)
}

/// Where one begins who has not shown a password, or too long ago.
fn first(next: &str) -> Response {
    Redirect::to(&with("/signin", next)).into_response()
}

fn at(asked: Asked, next: &str) -> String {
    match asked {
        Asked::App => with("/signin/code", next),
        Asked::Paper => with("/signin/recovery-code", next),
    }
}

fn with(path: &str, next: &str) -> String {
    let next: String = byte_serialize(next.as_bytes()).collect();
    format!("{path}?next={next}")
}

fn asking(asked: Asked, next: &str) -> CardForm {
    let (heading, action, lead, field, other) = match asked {
        Asked::App => (
            "Second factor",
            "/signin/code",
            "Your password is right. Open your authenticator app: which code does it show?",
            Field::one_time_code("code", "Code of six digits"),
            Other::new("No phone at hand?", "Use a recovery code", at(Asked::Paper, next)),
        ),
        Asked::Paper => (
            "Recovery code",
            "/signin/recovery-code",
            "Your password is right. Type one of the codes that you kept when you set up the second \
             factor; each works once.",
            Field { autocomplete: Some("off"), ..Field::text("code", "Recovery code") },
            Other::new("The app is at hand?", "Use its code", at(Asked::App, next)),
        ),
    };
    let fields = vec![field.required().max_length(40).autofocus()];
    let mut form = CardForm::new(heading, action, "Sign in", fields);
    form.lead = Some(lead.to_owned());
    form.other = Some(other);
    next.clone_into(&mut form.next);
    form
}
