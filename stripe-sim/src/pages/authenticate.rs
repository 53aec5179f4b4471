//! Where the holder of a card says that it is them, or that it is not.

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::objects::payment_intents::{self, How};
use crate::pages::html::{gone, onward, page};
use crate::sim::Sim;
use crate::value::Read;

/// What the form has.
#[derive(Deserialize)]
pub(crate) struct Filled {
    is_me: String,
}

fn intent(sim: &Sim, id: &str) -> Option<(String, Value)> {
    let state = sim.lock();
    state.books.iter().find_map(|(account, books)| {
        let intent = books.get("payment_intent", id)?;
        let waits = intent.text("status") == "requires_action";
        waits.then(|| (account.clone(), intent.clone()))
    })
}

pub(crate) async fn show(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    if intent(&sim, &id).is_none() {
        return gone("Nobody asks here, or not any more.");
    }
    let form = "<form method=\"post\"><button name=\"is_me\" value=\"yes\">It is me</button>\
                <button name=\"is_me\" value=\"no\">It is not</button></form>";
    page("Is it you who pays?", form)
}

pub(crate) async fn answer(
    State(sim): State<Sim>,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let Some((account, mut intent)) = intent(&sim, &id) else {
        return gone("Nobody asks here, or not any more.");
    };
    let back = intent["next_action"]["redirect_to_url"].maybe("return_url");
    let mut state = sim.lock();
    if filled.is_me == "yes" {
        intent["_authenticated"] = json!(true);
        // A card that says no all the same is told by the intent.
        let _ = payment_intents::confirmed(&mut state, &account, intent, &How::default());
    } else {
        payment_intents::refused(&mut state, &account, intent);
    }
    drop(state);
    match back {
        Some(url) => onward(&url),
        None => page("Thank you", "<p>You can close this page.</p>"),
    }
}
