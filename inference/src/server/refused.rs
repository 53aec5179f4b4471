//! How a request that was refused is counted.

use axum::http::StatusCode;
use web::Problem;

use crate::metrics::Outcome;

/// By its code where that says more than its status.
pub(super) fn outcome(problem: &Problem) -> Outcome {
    match problem.code {
        "queue-full" | "too-many-sending" => Outcome::QueueFull,
        "refused-by-safety" => Outcome::Filtered,
        "daily-tokens-spent" | "too-many-people" | "budget-held" | "model-unpriced" => {
            Outcome::NoBudget
        }
        _ => match problem.status {
            StatusCode::UNAUTHORIZED => Outcome::Unauthorized,
            StatusCode::PAYMENT_REQUIRED => Outcome::NoBudget,
            status if status.is_server_error() => Outcome::Unavailable,
            _ => Outcome::BadRequest,
        },
    }
}
