//! What an organization asks of its members.

use axum::extract::{Form, State};
use axum::response::{Html, IntoResponse as _, Response};
use pages::parts::Field;
use serde::Deserialize;

use super::view::{self, Policy};
use super::visitor::Seat;
use crate::app::App;
use crate::db::members;
use crate::domain::policy::SecondFactor;
use crate::domain::scope::Scope;
use crate::error::Result;
use crate::http::policy::{self, Policy as Wanted};

/// What the form sends.
#[derive(Deserialize)]
pub struct Sent {
    second_factor: SecondFactor,
}

/// How it is.
pub async fn page(State(app): State<App>, seat: Seat) -> Result<Response> {
    seat.caller.may(Scope::PolicyWrite)?;
    let now = seat.organization.second_factor;
    shown(&app, &seat, now, false).await
}

/// Says how it is from now on.
pub async fn change(
    State(app): State<App>,
    seat: Seat,
    Form(Sent { second_factor }): Form<Sent>,
) -> Result<Response> {
    policy::change(&app, &seat.caller, Wanted { second_factor }).await?;
    shown(&app, &seat, second_factor, true).await
}

async fn shown(
    app: &App,
    seat: &Seat,
    second_factor: SecondFactor,
    is_changed: bool,
) -> Result<Response> {
    let mut conn = app.conn().await?;
    let without = members::without_second_factor(&mut conn, seat.organization.id).await?;
    drop(conn);
    let choices = [(SecondFactor::Optional, "Each decides"), (SecondFactor::Required, "Needed")];
    let choices = choices.map(|(value, label)| (value.word(), label));
    let body = Policy {
        is_changed,
        base: format!("/o/{}/settings", seat.organization.slug),
        second_factor: Field::select("second_factor", "A second factor", &choices)
            .required()
            .value(second_factor.word()),
        without,
    };
    let page = view::in_organization(app, seat, "/settings", "Settings", body);
    Ok(Html(app.engine().render("policy", &page)?).into_response())
}
