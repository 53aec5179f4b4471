//! Where somebody pays: a form, a test card, a button.

use std::fmt::Write;

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use crate::objects::checkout::{Declined, Written};
use crate::pages::html::{escaped, gone, onward, page};
use crate::sim::Sim;
use crate::value::Read;

/// What the form has.
#[derive(Deserialize)]
pub(crate) struct Filled {
    card: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
}

pub(crate) async fn show(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    match sim.session(&id) {
        Some((_, session)) if session.text("status") == "open" => form(&session, ""),
        _ => gone("This page was used, or is too old."),
    }
}

pub(crate) async fn pay(
    State(sim): State<Sim>,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let written = Written { number: filled.card, email: filled.email, name: filled.name };
    match sim.check_out(&id, &written) {
        Ok(url) => onward(&url),
        Err(Declined(message)) => match sim.session(&id) {
            Some((_, session)) => form(&session, &message),
            None => gone("There is no such page."),
        },
    }
}

fn form(session: &Value, error: &str) -> Response {
    let mut rows = String::new();
    for item in session["_line_items"].as_array().into_iter().flatten() {
        let (name, amount) = (escaped(item.text("description")), item.int("amount_total"));
        let _ = write!(rows, "<li>{name} × {}: {amount}</li>", item.int("quantity"));
    }
    let error = if error.is_empty() {
        String::new()
    } else {
        format!("<p class=\"error\" role=\"alert\">{}</p>", escaped(error))
    };
    let cancel = session
        .maybe("cancel_url")
        .map(|url| format!("<p><a href=\"{}\">Back, without paying</a></p>", escaped(&url)));
    let email = escaped(session.text("customer_email"));
    let body = format!(
        "<ul>{rows}</ul><p>Together <strong>{total} {currency}</strong>, in its smallest unit.</p>\
         {error}<form method=\"post\">\
         <label>E-mail <input name=\"email\" type=\"email\" value=\"{email}\" required></label>\
         <label>Name <input name=\"name\"></label>\
         <label>Test card <input name=\"card\" value=\"4242 4242 4242 4242\" required></label>\
         <p>4000 0000 0000 0002 is declined, 4000 0000 0000 0259 is disputed.</p>\
         <button>Pay with test money</button></form>{cancel}",
        total = session.int("amount_total"),
        currency = escaped(session.text("currency")),
        cancel = cancel.unwrap_or_default(),
    );
    page("Pay", &body)
}
