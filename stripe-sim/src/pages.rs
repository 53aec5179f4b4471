//! The pages that people are sent to, plain ones that work without scripts. Money is test money,
//! and each of them says so.

mod authenticate;
mod checkout;
mod html;
mod onboarding;
mod portal;

use axum::Router;
use axum::routing::get;

use crate::sim::Sim;

/// All pages.
pub(crate) fn router() -> Router<Sim> {
    Router::new()
        .route("/onboarding/{link}", get(onboarding::show).post(onboarding::finish))
        .route("/authenticate/{intent}", get(authenticate::show).post(authenticate::answer))
        .route("/c/pay/{session}", get(checkout::show).post(checkout::pay))
        .route("/p/session/{session}", get(portal::show).post(portal::change))
}
