//! Why a form that asks for a proof is shown again.

use accounts::Wait;
use accounts::factors::StoreError;
use accounts::second_factor::FactorError;
use accounts::sessions::SignedIn;
use accounts::sign_in::SignInError;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use pages::Kind;
use pages::parts::{CardForm, Notice};

use super::view;
use crate::app::App;
use crate::error::{Error, Result};

/// What somebody is told who may try again.
#[derive(Debug)]
pub struct Refused {
    why: String,
    wait: Option<Wait>,
}

impl Refused {
    /// For another reason.
    pub fn because(why: &str) -> Self {
        Self { why: why.to_owned(), wait: None }
    }

    /// Of a password; an error of ours is none of theirs.
    ///
    /// # Errors
    /// Of the database, and of hashing.
    pub fn of_password(error: SignInError) -> Result<Self> {
        let wait = match error {
            SignInError::Store(error) => return Err(error.into()),
            SignInError::Passwords(error) => return Err(error.into()),
            SignInError::TooMany(wait) => Some(wait),
            _ => None,
        };
        Ok(Self { why: format!("{error}."), wait })
    }

    /// Of a code.
    ///
    /// # Errors
    /// Of the database, and of the root key.
    pub fn of_code(error: FactorError) -> Result<Self> {
        let wait = match error {
            FactorError::Store(StoreError::Database(error)) => return Err(error.into()),
            FactorError::Store(error) => return Err(Error::Internal(error.to_string())),
            FactorError::TooMany(wait) => Some(wait),
            _ => None,
        };
        Ok(Self { why: format!("{error}."), wait })
    }

    /// What to say above the form.
    pub fn notice(&self) -> Notice {
        Notice { kind: Kind::Danger, title: None, text: self.why.clone(), action: None }
    }

    /// With the status and the header that belong to it.
    pub fn answered(&self, html: String) -> Response {
        let Some(wait) = self.wait else {
            return (StatusCode::UNPROCESSABLE_ENTITY, Html(html)).into_response();
        };
        let wait = [(header::RETRY_AFTER, wait.seconds().to_string())];
        (StatusCode::TOO_MANY_REQUESTS, wait, Html(html)).into_response()
    }
}

/// A form on a card, with why it is shown again.
///
/// # Errors
/// A template that cannot be used.
pub fn form(
    app: &App,
    signed_in: Option<&SignedIn>,
    mut form: CardForm,
    refused: Option<&Refused>,
) -> Result<Response> {
    form.notice = refused.map(Refused::notice);
    let title = form.heading.clone();
    let html = app.engine().render("card-form", &view::page(app, signed_in, &title, form))?;
    let Some(refused) = refused else { return Ok(Html(html).into_response()) };
    Ok(refused.answered(html))
}
