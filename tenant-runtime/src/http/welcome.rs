//! The one-time admin link: makes the first person the owner, or lets the owner back in.

use accounts::ownership::{self, NewOwner, Welcome, WelcomeError};
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use pages::sentence;
use secrecy::SecretString;
use serde::Deserialize;

use super::session::{card, signed_in};
use super::visitor::{From, Jar};
use crate::app::App;
use crate::error::Result;
use crate::view::forms::{CardForm, NewAccount, Other};

/// What the form sends; empty when the owner only comes back.
#[derive(Deserialize)]
pub struct Sent {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: SecretString,
}

/// Shows what the link will do. Looking does not use it up: mail scanners look too.
pub async fn page(State(app): State<App>, Path(token): Path<String>) -> Result<Response> {
    let looked = ownership::look(&mut *app.db().acquire().await?, &token, app.now()).await;
    match looked {
        Ok(welcome) => form(&app, StatusCode::OK, &token, &welcome, &NewAccount::default()),
        Err(error) => refused(&app, error),
    }
}

/// Uses the link.
pub async fn enter(
    State(app): State<App>,
    Path(token): Path<String>,
    From(visit): From,
    Jar(cookie): Jar,
    Form(sent): Form<Sent>,
) -> Result<Response> {
    let now = app.now();
    let looked = ownership::look(&mut *app.db().acquire().await?, &token, now).await;
    let welcome = match looked {
        Ok(welcome) => welcome,
        Err(error) => return refused(&app, error),
    };
    let outcome = match &welcome {
        Welcome::Back(_) => {
            let mut tx = app.db().begin().await?;
            let outcome = ownership::sign_in_by_link(&mut tx, &token, &visit, now).await;
            if outcome.is_ok() {
                tx.commit().await?;
            }
            outcome
        }
        Welcome::FirstOwner => {
            let mut fields =
                NewAccount { name: sent.name, email: sent.email, ..NewAccount::default() };
            let Some((display_name, email, password)) = fields.check(&sent.password) else {
                return form(&app, StatusCode::UNPROCESSABLE_ENTITY, &token, &welcome, &fields);
            };
            let hash = app.passwords().hash(&password).await?;
            let owner = NewOwner { email, display_name, hash };
            let mut tx = app.db().begin().await?;
            let outcome = ownership::claim_ownership(&mut tx, &token, &owner, &visit, now).await;
            match outcome {
                Ok(done) => {
                    tx.commit().await?;
                    Ok(done)
                }
                Err(told @ WelcomeError::EmailTaken) => {
                    fields.email_error = Some(told.to_string());
                    return form(&app, StatusCode::UNPROCESSABLE_ENTITY, &token, &welcome, &fields);
                }
                Err(error) => Err(error),
            }
        }
    };
    match outcome {
        Ok((_, session)) => signed_in(cookie, &session, "/admin"),
        Err(error) => refused(&app, error),
    }
}

fn form(
    app: &App,
    status: StatusCode,
    token: &str,
    welcome: &Welcome,
    fields: &NewAccount,
) -> Result<Response> {
    let action = format!("/welcome/{token}");
    let form = match welcome {
        Welcome::FirstOwner => CardForm {
            lead: Some("You are the first here. This account will own the platform.".to_owned()),
            ..CardForm::new("Welcome", &action, "Make it mine", fields.fields())
        },
        Welcome::Back(person) => CardForm {
            lead: Some(format!("This signs you in as {}.", person.display_name)),
            ..CardForm::new("Welcome back", &action, "Sign in", Vec::new())
        },
    };
    let mut response = card(app, status, "/welcome", form)?;
    // The address is the secret: it must not travel on in a Referer.
    response
        .headers_mut()
        .insert("referrer-policy", axum::http::HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn refused(app: &App, error: WelcomeError) -> Result<Response> {
    let told = match error {
        WelcomeError::Link(accounts::links::LinkError::Store(error)) => return Err(error.into()),
        told => told,
    };
    let mut form = CardForm::new("This link cannot be used", "/signin", "", Vec::new());
    form.button = None;
    form.lead = Some(format!("{} Ask for a new one, or sign in.", sentence(&told)));
    form.other = Some(Other::new("Have an account already?", "Sign in", "/signin".to_owned()));
    card(app, StatusCode::GONE, "/welcome", form)
}
