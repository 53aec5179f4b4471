//! The pages that people are sent to, plain ones that work without scripts. Money is test money,
//! and each of them says so.

mod html;
mod onboarding;

use axum::Router;
use axum::routing::get;

use crate::sim::Sim;

/// All pages.
pub(crate) fn router() -> Router<Sim> {
    Router::new().route("/onboarding/{link}", get(onboarding::show).post(onboarding::finish))
}
