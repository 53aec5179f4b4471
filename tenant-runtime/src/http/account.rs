//! A person's own account: the password, where one is signed in, and how to end it.

use accounts::sessions::{self, SignedIn};
use accounts::sign_in::{self, SignIn, SignInError};
use accounts::{NewPassword, Visit, change_password};
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use pages::{Page, sentence};
use secrecy::SecretString;
use serde::Deserialize;
use uuid::Uuid;

use super::session::sign_out;
use super::told::{Done, Told};
use super::visitor::{From, Jar, Member};
use crate::app::App;
use crate::error::{Error, Result};
use crate::view::admin::{Account, SessionRow};
use crate::view::forms::PasswordChange;
use crate::view::shell;

/// What the form of the password sends.
#[derive(Deserialize)]
pub struct Sent {
    current: SecretString,
    new: SecretString,
}

/// Name, address, password, and the list of sessions.
pub async fn page(
    State(app): State<App>,
    Member(signed_in): Member,
    told: Told,
) -> Result<Response> {
    let mut page = account(&app, &signed_in, &PasswordChange::default()).await?;
    page.flash = told.flash();
    Ok(told.on(Html(app.engine().render("account", &page)?)))
}

/// Changes the password, or says why not. Every other session ends.
pub async fn change_password(
    State(app): State<App>,
    Member(signed_in): Member,
    From(visit): From,
    Jar(jar): Jar,
    Form(sent): Form<Sent>,
) -> Result<Response> {
    let new = match NewPassword::new(&sent.new, &signed_in.person.email) {
        Ok(new) => new,
        Err(problem) => {
            let wrong =
                PasswordChange { new_error: Some(sentence(&problem)), ..PasswordChange::default() };
            return refuse(&app, &signed_in, StatusCode::UNPROCESSABLE_ENTITY, &wrong).await;
        }
    };
    let wrong = |text| PasswordChange { current_error: Some(text), ..PasswordChange::default() };
    match change(&app, &signed_in, sent.current, &new, visit).await {
        Ok(()) => Ok(Done::PasswordChanged.and_go(jar, "/account")),
        Err(SignInError::Store(error)) => Err(error.into()),
        Err(SignInError::Passwords(error)) => Err(error.into()),
        Err(told @ SignInError::TooMany(wait)) => {
            let wrong = wrong(format!("{told}."));
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut response = refuse(&app, &signed_in, status, &wrong).await?;
            response.headers_mut().insert(header::RETRY_AFTER, wait.seconds().into());
            Ok(response)
        }
        Err(
            SignInError::Refused
            | SignInError::Pending
            | SignInError::Suspended
            | SignInError::SecondFactor,
        ) => {
            let wrong = wrong("This is not the password you have now.".to_owned());
            refuse(&app, &signed_in, StatusCode::UNPROCESSABLE_ENTITY, &wrong).await
        }
    }
}

async fn change(
    app: &App,
    signed_in: &SignedIn,
    current: SecretString,
    new: &NewPassword,
    visit: Visit,
) -> std::result::Result<(), SignInError> {
    let now = app.now();
    let request = SignIn { email: signed_in.person.email.clone(), password: current, visit };
    // Both turns before the attempt is counted: with a right password there is no failure after.
    let (turn, next) = (app.passwords().turn()?, app.passwords().turn()?);
    let begun = sign_in::begin(&mut *app.db().acquire().await?, turn, request, now).await?;
    let verified = begun.verify().await?;
    let hash = next.hash(new).await?;
    let mut tx = app.db().begin().await?;
    change_password::finish(&mut tx, verified, &hash, signed_in, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends one of the person's sessions; this one as signing out does.
pub async fn end_session(
    State(app): State<App>,
    Member(signed_in): Member,
    From(visit): From,
    Jar(jar): Jar,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    if id == signed_in.session_id {
        return sign_out(State(app), Member(signed_in), From(visit), Jar(jar)).await;
    }
    let mut db = app.db().acquire().await?;
    if sessions::end(&mut db, signed_in.person.id, id).await? {
        Ok(Done::SessionEnded.and_go(jar, "/account"))
    } else {
        Err(Error::Nothing("session"))
    }
}

/// Ends all of the person's sessions but this one.
pub async fn end_other_sessions(
    State(app): State<App>,
    Member(signed_in): Member,
    Jar(jar): Jar,
) -> Result<Response> {
    let mut db = app.db().acquire().await?;
    sessions::end_others(&mut db, signed_in.person.id, signed_in.session_id).await?;
    Ok(Done::SessionsEnded.and_go(jar, "/account"))
}

async fn refuse(
    app: &App,
    signed_in: &SignedIn,
    status: StatusCode,
    wrong: &PasswordChange,
) -> Result<Response> {
    let page = account(app, signed_in, wrong).await?;
    Ok((status, Html(app.engine().render("account", &page)?)).into_response())
}

async fn account(
    app: &App,
    signed_in: &SignedIn,
    change: &PasswordChange,
) -> Result<Page<Account>> {
    let mut db = app.db().acquire().await?;
    let list = sessions::list(&mut db, signed_in.person.id, app.now()).await?;
    let sessions = list.into_iter().map(|session| SessionRow {
        current: session.id == signed_in.session_id,
        id: session.id,
        device: session.device,
        ip: session.ip,
        last_seen_at: session.last_seen_at,
    });
    let body = Account::new(&signed_in.person, change, sessions.collect());
    Ok(shell::page(app, Some(signed_in), "/account", "Your account", body))
}
