//! Where somebody sees what they pay, and ends it.

use std::fmt::Write;

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::objects::subscriptions;
use crate::pages::html::{escaped, gone, onward, page};
use crate::sim::Sim;
use crate::value::{Read, fields};

/// What the form has.
#[derive(Deserialize)]
pub(crate) struct Filled {
    subscription: String,
    /// `end`, or anything else to go on.
    what: String,
}

fn session(sim: &Sim, id: &str) -> Option<(String, Value, Vec<Value>)> {
    let state = sim.lock();
    state.books.iter().find_map(|(account, books)| {
        let session = books.get("billing_portal.session", id)?.clone();
        let own = |subscription: &&Value| subscription["customer"] == session["customer"];
        let all = books.all("subscription").filter(own).cloned().collect();
        Some((account.clone(), session, all))
    })
}

pub(crate) async fn show(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    let Some((_, session, all)) = session(&sim, &id) else { return gone("There is no such page.") };
    let mut rows = String::new();
    for subscription in &all {
        let id = escaped(subscription.text("id"));
        let status = escaped(subscription.text("status"));
        let _ = write!(rows, "<li><code>{id}</code>: {status}");
        if subscription["ended_at"].is_null() {
            let (what, words) = if subscription.flag("cancel_at_period_end") {
                ("go on", "Go on after all")
            } else {
                ("end", "End with this period")
            };
            let _ = write!(
                rows,
                "<form method=\"post\"><input type=\"hidden\" name=\"subscription\" value=\"{id}\">\
                 <button name=\"what\" value=\"{what}\">{words}</button></form>"
            );
        }
        rows += "</li>";
    }
    let back = session
        .maybe("return_url")
        .map(|url| format!("<p><a href=\"{}\">Back</a></p>", escaped(&url)));
    page("What you pay", &format!("<ul>{rows}</ul>{}", back.unwrap_or_default()))
}

pub(crate) async fn change(
    State(sim): State<Sim>,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let Some((account, session, all)) = session(&sim, &id) else {
        return gone("There is no such page.");
    };
    if !all.iter().any(|subscription| subscription.text("id") == filled.subscription) {
        return gone("That is not yours.");
    }
    let given = fields(json!({ "cancel_at_period_end": filled.what == "end" }));
    {
        let mut state = sim.lock();
        let places = vec![filled.subscription];
        let mut call = Call::new(&mut state, &account, "", places, given);
        if let Err(refusal) = subscriptions::update(&mut call) {
            return gone(refusal.error().text("message"));
        }
    }
    onward(session.text("url"))
}
