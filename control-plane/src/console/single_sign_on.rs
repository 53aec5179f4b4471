//! The forms of an organization's settings that are about its provider.

use axum::extract::{Form, State};
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::policy::{self, Tried};
use super::told::Done;
use super::visitor::Seat;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::single_sign_on::{self, WantedSingleSignOn};

/// What the form sends.
#[derive(Deserialize)]
pub struct Sent {
    issuer: String,
    client_id: String,
    #[serde(default)]
    client_secret: SecretString,
    domains: String,
}

/// Has this provider vouch for members.
pub async fn change(
    State(app): State<App>,
    seat: Seat,
    Form(form): Form<Sent>,
) -> Result<Response> {
    let Sent { issuer, client_id, client_secret, domains } = form;
    let is_given = !client_secret.expose_secret().is_empty();
    let wanted = WantedSingleSignOn {
        issuer: issuer.clone(),
        client_id: client_id.clone(),
        client_secret: is_given.then_some(client_secret),
        domains: policy::words(&domains),
    };
    match single_sign_on::change(&app, &seat.caller, wanted).await {
        Ok(_) => policy::shown(&app, &seat, Tried::done()).await,
        Err(error @ Error::Unreadable(_)) => {
            let provider = Some((issuer, client_id, domains));
            policy::shown(&app, &seat, Tried { provider, ..Tried::refused(&error) }).await
        }
        Err(error) => Err(error),
    }
}

/// Has nobody vouch for them any more. Whom the provider let in is out with that, who asks it among them.
pub async fn remove(State(app): State<App>, seat: Seat) -> Result<Response> {
    match single_sign_on::remove(&app, &seat.caller).await {
        Ok(()) => {
            let settings = format!("/o/{}/settings", seat.organization.slug);
            Ok(Done::SingleSignOnGone.and_go(&app, &settings))
        }
        Err(error @ Error::OnlyWayIn) => policy::shown(&app, &seat, Tried::refused(&error)).await,
        Err(error) => Err(error),
    }
}
