//! Signing in and out.

use accounts::second_factor::FactorError;
use accounts::sessions::{NewSession, SignedIn};
use accounts::sign_in::{self, Entered, SignIn, SignInError, Verified};
use accounts::{Email, Visit, events};
use axum::extract::{Form, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use pages::parts::{CardForm, Field, Other};
use secrecy::SecretString;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;
use web::next::safe_next;

use super::code::half_way;
use super::refused::{Refused, form};
use super::told::{Done, Told};
use super::view;
use super::visitor::{From, Somebody, Visitor};
use crate::app::App;
use crate::error::{Error, Result};

/// Where to go afterwards.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    pub(super) next: Option<String>,
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
    Told(told): Told,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    let next = safe_next(next.as_deref());
    if signed_in.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    let mut page = view::page(&app, None, "Sign in", asking(&app, "", next));
    page.flash = told.map(Done::flash);
    Ok(Html(app.engine().render("card-form", &page)?).into_response())
}

/// Signs in, or says why not.
pub async fn sign_in(
    State(app): State<App>,
    From(visit): From,
    Form(sent): Form<Sent>,
) -> Result<Response> {
    let next = safe_next(sent.next.as_deref()).to_owned();
    let refuse = |error| {
        let refused = Refused::of_password(error)?;
        form(&app, None, asking(&app, &sent.email, &next), Some(&refused))
    };
    let Ok(email) = sent.email.parse::<Email>() else { return refuse(SignInError::Refused) };
    match enter(&app, SignIn { email, password: sent.password, visit }).await {
        Ok(Entered::In(_, session)) => signed_in(&app, &session, &next),
        Ok(Entered::HalfWay(half)) => half_way(&app, &half, &next),
        Err(error) => refuse(error),
    }
}

async fn enter(app: &App, request: SignIn) -> std::result::Result<Entered, SignInError> {
    let (now, mut conn) = (app.now(), app.conn().await?);
    let was_here = events::was_here_from(&mut conn, &request.email, request.visit.ip).await?;
    let passwords = if was_here { app.passwords() } else { app.passwords_of_strangers() };
    let begun = sign_in::begin(&mut conn, passwords.turn()?, request, now).await?;
    // No connection is held while the password is hashed.
    drop(conn);
    let verified = begun.verify().await?;
    let mut tx = app.begin().await?;
    let entered = sign_in::finish_or_ask(&mut tx, verified, now).await?;
    tx.commit().await?;
    Ok(entered)
}

/// Looks at the password of somebody who is signed in, before something is changed that it guards.
pub(super) async fn shown_again(
    app: &App,
    signed_in: &SignedIn,
    password: SecretString,
    visit: Visit,
) -> Result<std::result::Result<Verified, Refused>> {
    let request = SignIn { email: signed_in.person.email.clone(), password, visit };
    let looked_at = async {
        // No connection is held while the password is hashed.
        let turn = app.passwords().turn()?;
        let begun = sign_in::begin(&mut *app.conn().await?, turn, request, app.now()).await?;
        begun.verify().await
    };
    match looked_at.await {
        Ok(verified) => Ok(Ok(verified)),
        Err(SignInError::Refused) => Ok(Err(Refused::of_code(FactorError::Password)?)),
        Err(error) => Ok(Err(Refused::of_password(error)?)),
    }
}

/// Signs out.
pub async fn sign_out(
    State(app): State<App>,
    Somebody { signed_in, .. }: Somebody,
    From(visit): From,
) -> Result<Response> {
    out(&app, &signed_in, &visit).await
}

/// Ends the session that somebody is signed in with.
pub(super) async fn out(app: &App, signed_in: &SignedIn, visit: &Visit) -> Result<Response> {
    let mut conn = app.conn().await?;
    sign_in::sign_out(&mut conn, signed_in, visit, app.now()).await?;
    let mut response = Done::SignedOut.and_go(app, "/signin");
    let clear = app.cookie().clear().map_err(|error| Error::Internal(error.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, clear);
    Ok(response)
}

/// Sends a new session to the browser, and the person on.
pub(super) fn signed_in(app: &App, session: &NewSession, next: &str) -> Result<Response> {
    with_session(app, session, Done::SignedIn.and_go(app, next))
}

/// Sends a new session to the browser with an answer.
pub(super) fn with_session(
    app: &App,
    session: &NewSession,
    mut response: Response,
) -> Result<Response> {
    let cookie = app.cookie().set(session);
    let cookie = cookie.map_err(|error| Error::Internal(error.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// The form again, for who was half way in.
pub(super) fn again(app: &App, next: &str, refused: &Refused) -> Result<Response> {
    form(app, None, asking(app, "", next), Some(refused))
}

fn asking(app: &App, email: &str, next: &str) -> CardForm {
    let fields = vec![
        Field::email("email", "E-mail address").required().max_length(254).value(email),
        Field::password("password", "Password", "current-password").required(),
    ];
    let mut form = CardForm::new("Sign in", "/signin", "Sign in", fields);
    form.lead = Some("To the console of your AI platforms.".to_owned());
    let encoded: String = byte_serialize(next.as_bytes()).collect();
    if app.site().is_some() {
        let at = format!("/signin/passkey?next={encoded}");
        form.other = Some(Other::new("Have a passkey?", "Sign in with it", at));
    }
    let at = format!("/signin/company?next={encoded}");
    form.also =
        Some(Other::new("Does your organization let you in?", "Sign in with your company", at));
    next.clone_into(&mut form.next);
    form
}
