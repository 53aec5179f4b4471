//! Signing up, in and out.

use accounts::cookie::Cookie;
use accounts::people::{self, NewPerson};
use accounts::sessions::{self, NewSession};
use accounts::sign_in::{self, SignIn, SignInError};
use accounts::sign_up::{self, SignUpError};
use accounts::{DisplayName, Email, NewPassword, Role, Status};
use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use blueprint::spec::UserVerification;
use pages::parts::{Field, Notice};
use pages::{Kind, sentence};
use secrecy::SecretString;
use serde::Deserialize;
use web::next::safe_next;

use super::told::Done;
use super::visitor::{From, Jar, Member, Visitor};
use crate::app::App;
use crate::error::{Error, Result};
use crate::view::forms::{CardForm, NewAccount, Other};
use crate::view::shell;

/// What people read who run the platform and are where they may not come in from.
const ELSEWHERE: &str = "Who runs this platform comes in from its organization's networks alone, and you are \
    somewhere else. Sign in from there, or ask its organization.";

/// Where to go afterwards.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: Option<String>,
}

/// What the sign-in form sends.
#[derive(Deserialize)]
pub struct SignInSent {
    email: String,
    password: SecretString,
    #[serde(default)]
    next: Option<String>,
}

/// What the sign-up form sends.
#[derive(Deserialize)]
pub struct SignUpSent {
    name: String,
    email: String,
    password: SecretString,
    #[serde(default)]
    next: Option<String>,
}

/// The sign-in form.
pub async fn sign_in_page(
    State(app): State<App>,
    Visitor(signed_in): Visitor,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    let next = safe_next(next.as_deref());
    if signed_in.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    sign_in_form(&app, StatusCode::OK, "", next, None)
}

/// Signs in, or says why not.
pub async fn sign_in(
    State(app): State<App>,
    From(visit): From,
    Jar(cookie): Jar,
    Form(sent): Form<SignInSent>,
) -> Result<Response> {
    let next = safe_next(sent.next.as_deref()).to_owned();
    let refuse = |status, why: String| sign_in_form(&app, status, &sent.email, &next, Some(why));
    let Ok(email) = sent.email.parse::<Email>() else {
        let why = format!("{}.", SignInError::Refused);
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, why);
    };
    let request = SignIn { email, password: sent.password, visit };
    match enter(&app, request).await {
        Ok(None) => refuse(StatusCode::FORBIDDEN, ELSEWHERE.to_owned()),
        Ok(Some(session)) => signed_in(cookie, &session, &next),
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

/// A session; `None` for who runs the platform and is where its organization lets none of them in from.
async fn enter(app: &App, request: SignIn) -> std::result::Result<Option<NewSession>, SignInError> {
    let (now, from) = (app.now(), request.visit.ip);
    // No connection is held while the password is hashed: a platform has few.
    let turn = app.passwords().turn()?;
    let begun = sign_in::begin(&mut *app.db().acquire().await?, turn, request, now).await?;
    let verified = begun.verify().await?;
    let mut tx = app.db().begin().await?;
    let (person, session) = sign_in::finish(&mut tx, verified, now).await?;
    let is_let_in = app.site().lets_in_from(person.role, from);
    if !is_let_in {
        sessions::end(&mut tx, person.id, session.id).await?;
    }
    // In either case: the password was right, and is no failure.
    tx.commit().await?;
    Ok(is_let_in.then_some(session))
}

/// The sign-up form.
pub async fn sign_up_page(
    State(app): State<App>,
    Visitor(signed_in): Visitor,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    let next = safe_next(next.as_deref());
    if signed_in.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    if is_full(&app).await? {
        return full(&app, StatusCode::OK, "nobody else can sign up now", next);
    }
    sign_up_form(&app, StatusCode::OK, &NewAccount::default(), next)
}

/// Makes an account, or says everything that is in the way.
pub async fn sign_up(
    State(app): State<App>,
    From(visit): From,
    Jar(cookie): Jar,
    Form(sent): Form<SignUpSent>,
) -> Result<Response> {
    let next = safe_next(sent.next.as_deref());
    let mut account =
        NewAccount { name: sent.name.clone(), email: sent.email, ..NewAccount::default() };
    let Some((name, email, password)) = account.check(&sent.password) else {
        return sign_up_form(&app, StatusCode::UNPROCESSABLE_ENTITY, &account, next);
    };
    let waits =
        app.site().blueprint.spec.governance.user_verification == UserVerification::Approval;
    let status = if waits { Status::Pending } else { Status::Active };
    let new = NewPerson { email, display_name: name, role: Role::User, status };
    match join(&app, &new, &password, &visit).await {
        Ok(Some(session)) => self::signed_in(cookie, &session, next),
        Ok(None) => waiting(&app),
        Err(SignUpError::Store(error)) => Err(error.into()),
        Err(SignUpError::Passwords(error)) => Err(error.into()),
        Err(SignUpError::TooMany(wait)) => {
            Err(Error::TooOften(u64::try_from(wait.seconds()).unwrap_or(60)))
        }
        Err(SignUpError::Full) => {
            let so = "no account was made for you, and nothing you typed was kept";
            full(&app, StatusCode::CONFLICT, so, next)
        }
        Err(told @ SignUpError::EmailTaken) => {
            account.email_error = Some(format!("{told}."));
            sign_up_form(&app, StatusCode::UNPROCESSABLE_ENTITY, &account, next)
        }
    }
}

async fn join(
    app: &App,
    new: &NewPerson,
    password: &NewPassword,
    visit: &accounts::Visit,
) -> std::result::Result<Option<NewSession>, SignUpError> {
    let now = app.now();
    let places = app.site().entitlements.users;
    let turn = app.passwords().turn()?;
    let begun = sign_up::begin(&mut *app.db().acquire().await?, turn, visit, now).await?;
    let hash = begun.hash(password).await?;
    let mut tx = app.db().begin().await?;
    let (_, session) = sign_up::finish(&mut tx, new, &hash, places, visit, now).await?;
    tx.commit().await?;
    Ok(session)
}

/// Signs out.
pub async fn sign_out(
    State(app): State<App>,
    Member(signed_in): Member,
    From(visit): From,
    Jar(cookie): Jar,
) -> Result<Response> {
    let mut db = app.db().acquire().await?;
    sign_in::sign_out(&mut db, &signed_in, &visit, app.now()).await?;
    let mut response = Done::SignedOut.and_go(cookie, "/");
    let clear = cookie.clear().map_err(|error| Error::Internal(error.into()))?;
    response.headers_mut().append(header::SET_COOKIE, clear);
    Ok(response)
}

/// Sends a new session to the browser, and the person on.
pub fn signed_in(cookie: Cookie, session: &NewSession, next: &str) -> Result<Response> {
    let mut response = Redirect::to(next).into_response();
    let cookie = cookie.set(session).map_err(|error| Error::Internal(error.into()))?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

fn sign_in_form(
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
    form.notice =
        refused.map(|text| Notice { kind: Kind::Danger, title: None, text, action: None });
    form.other = Some(Other::new("New here?", "Create an account", on_to("/signup", next)));
    next.clone_into(&mut form.next);
    card(app, status, "/signin", form)
}

fn sign_up_form(
    app: &App,
    status: StatusCode,
    account: &NewAccount,
    next: &str,
) -> Result<Response> {
    let mut form =
        CardForm::new("Create an account", "/signup", "Create account", account.fields());
    form.other = Some(Other::new("Have one already?", "Sign in", on_to("/signin", next)));
    next.clone_into(&mut form.next);
    card(app, status, "/signup", form)
}

/// What people read whose account is made and waits for an admin.
fn waiting(app: &App) -> Result<Response> {
    let mut form = CardForm::new("Almost there", "/", "", Vec::new());
    form.button = None;
    form.lead = Some(
        "Your account is made. An admin of this platform lets people in; come back and sign in \
         once that has happened."
            .to_owned(),
    );
    card(app, StatusCode::OK, "/signup", form)
}

/// Whether nobody else fits into the plan, as far as can be told before somebody tries.
async fn is_full(app: &App) -> Result<bool> {
    let Some(places) = app.site().entitlements.users else { return Ok(false) };
    let taken = people::places_taken(&mut *app.db().acquire().await?).await?;
    Ok(taken >= i64::from(places))
}

/// What people read for whom there is no place, and what that means for them.
fn full(app: &App, status: StatusCode, so: &str, next: &str) -> Result<Response> {
    let mut form = CardForm::new("No place left", "/signup", "", Vec::new());
    form.button = None;
    let ask = match &app.site().blueprint.spec.identity.support_email {
        Some(address) => format!("Write to {address}: they can make room."),
        None => "Ask whoever runs it: they can make room.".to_owned(),
    };
    form.lead = Some(format!(
        "As many people have an account here as this platform has room for, so {so}. {ask} Then \
         come back to this page."
    ));
    form.other = Some(Other::new("Have an account already?", "Sign in", on_to("/signin", next)));
    card(app, status, "/signup", form)
}

/// A form on a card.
pub fn card(app: &App, status: StatusCode, path: &str, form: CardForm) -> Result<Response> {
    let title = form.heading.clone();
    let page = shell::page(app, None, path, &title, form);
    Ok((status, Html(app.engine().render("card-form", &page)?)).into_response())
}

fn on_to(path: &str, next: &str) -> String {
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("{path}?{query}")
}

impl NewAccount {
    /// What was sent, parsed; or `None`, and each field says what is in the way.
    pub fn check(&mut self, password: &SecretString) -> Option<(DisplayName, Email, NewPassword)> {
        let name = self.name.parse::<DisplayName>();
        let email = self.email.parse::<Email>();
        self.name_error = name.as_ref().err().map(sentence);
        self.email_error = email.as_ref().err().map(sentence);
        let email = email.ok()?;
        let password = NewPassword::new(password, &email);
        self.password_error = password.as_ref().err().map(sentence);
        Some((name.ok()?, email, password.ok()?))
    }
}
