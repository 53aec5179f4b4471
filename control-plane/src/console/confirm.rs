//! What cannot be undone is asked once more, on a page of its own.

use axum::response::{Html, IntoResponse as _, Response};

use super::view::{self, Confirm};
use super::visitor::Seat;
use crate::app::App;
use crate::error::Result;

/// Asks; `part` is where in the organization the reader is.
///
/// # Errors
/// A template that cannot be used.
pub fn asked(app: &App, seat: &Seat, part: &str, body: Confirm) -> Result<Response> {
    let title = body.heading.clone();
    let page = view::in_organization(app, seat, part, &title, body);
    Ok(Html(app.engine().render("confirm", &page)?).into_response())
}
