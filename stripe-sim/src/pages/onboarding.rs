//! Where somebody who wants to sell tells who they are: one button, which tells everything.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;

use crate::pages::html::{escaped, gone, onward, page};
use crate::sim::Sim;
use crate::state::PLATFORM;
use crate::value::Read;

/// A link that is still good; each is good for one visit that ends with the button.
fn link(sim: &Sim, id: &str) -> Option<Value> {
    let state = sim.lock();
    let link = state.look(PLATFORM, "_link", id)?;
    (link.int("expires_at") > state.now).then(|| link.clone())
}

pub(crate) async fn show(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    let Some(link) = link(&sim, &id) else { return gone("This link was used, or is too old.") };
    let account = escaped(link.text("account"));
    let form = format!(
        "<p>Account <code>{account}</code></p><form method=\"post\">\
         <button>Tell everything that is asked for</button></form>"
    );
    page("Sell with us", &form)
}

pub(crate) async fn finish(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    let Some(link) = link(&sim, &id) else { return gone("This link was used, or is too old.") };
    sim.onboard(link.text("account"));
    sim.lock().of(PLATFORM).shelf_mut("_link").remove(&id);
    onward(link.text("return_url"))
}
