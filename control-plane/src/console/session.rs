//! Signing in and out.

use accounts::sessions::NewSession;
use accounts::sign_in::{self, SignIn, SignInError};
use accounts::{Email, Visit};
use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use pages::Kind;
use pages::parts::{CardForm, Field, Notice};
use secrecy::SecretString;
use serde::Deserialize;
use web::next::safe_next;

use super::view;
use super::visitor::{From, Person, Visitor};
use crate::app::App;
use crate::error::{Error, Result};

/// Where to go afterwards.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: Option<String>,
}

/// What the form sends.
#[derive(Deserialize)]
pub struct Sent {
    email: String,
    password: SecretString,
    #[serde(default)]
    next: Option<String>,
}

/// The form.
pub async fn sign_in_page(
    State(app): State<App>,
    Visitor(signed_in): Visitor,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    let next = safe_next(next.as_deref());
    if signed_in.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    form(&app, StatusCode::OK, "", next, None)
}

/// Signs in, or says why not.
pub async fn sign_in(
    State(app): State<App>,
    From(visit): From,
    Form(sent): Form<Sent>,
) -> Result<Response> {
    let next = safe_next(sent.next.as_deref()).to_owned();
    let refuse = |status, why: String| form(&app, status, &sent.email, &next, Some(why));
    let Ok(email) = sent.email.parse::<Email>() else {
        let why = format!("{}.", SignInError::Refused);
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, why);
    };
    match enter(&app, SignIn { email, password: sent.password, visit }).await {
        Ok(session) => signed_in(&app, &session, &next),
        Err(told @ SignInError::TooMany(wait)) => {
            let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, format!("{told}."))?;
            response.headers_mut().insert(header::RETRY_AFTER, wait.seconds().into());
            Ok(response)
        }
        Err(SignInError::Store(error)) => Err(error.into()),
        Err(SignInError::Passwords(error)) => Err(error.into()),
        Err(told) => refuse(StatusCode::UNPROCESSABLE_ENTITY, format!("{told}.")),
    }
}

async fn enter(app: &App, request: SignIn) -> std::result::Result<NewSession, SignInError> {
    let now = app.now();
    // No connection is held while the password is hashed.
    let turn = app.passwords().turn()?;
    let begun = sign_in::begin(&mut *app.conn().await?, turn, request, now).await?;
    let verified = begun.verify().await?;
    let mut tx = app.begin().await?;
    let (_, session) = sign_in::finish(&mut tx, verified, now).await?;
    tx.commit().await?;
    Ok(session)
}

/// Signs out.
pub async fn sign_out(
    State(app): State<App>,
    Person(signed_in): Person,
    From(visit): From,
) -> Result<Response> {
    out(&app, &signed_in, &visit).await
}

/// Ends the session that somebody is signed in with.
pub(super) async fn out(
    app: &App,
    signed_in: &accounts::sessions::SignedIn,
    visit: &Visit,
) -> Result<Response> {
    let mut conn = app.conn().await?;
    sign_in::sign_out(&mut conn, signed_in, visit, app.now()).await?;
    let mut response = Redirect::to("/signin").into_response();
    let clear = app.cookie().clear().map_err(|error| Error::Internal(error.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, clear);
    Ok(response)
}

/// Sends a new session to the browser, and the person on.
pub(super) fn signed_in(app: &App, session: &NewSession, next: &str) -> Result<Response> {
    let mut response = Redirect::to(next).into_response();
    let cookie = app.cookie().set(session);
    let cookie = cookie.map_err(|error| Error::Internal(error.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

fn form(
    app: &App,
    status: StatusCode,
    email: &str,
    next: &str,
    refused: Option<String>,
) -> Result<Response> {
    let fields = vec![
        Field::email("email", "E-mail address").required().max_length(254).value(email),
        Field::password("password", "Password", "current-password").required(),
    ];
    let mut form = CardForm::new("Sign in", "/signin", "Sign in", fields);
    form.lead = Some("To the console of your AI platforms.".to_owned());
    form.notice =
        refused.map(|text| Notice { kind: Kind::Danger, title: None, text, action: None });
    next.clone_into(&mut form.next);
    let page = view::page(app, None, "Sign in", form);
    Ok((status, Html(app.engine().render("card-form", &page)?)).into_response())
}
