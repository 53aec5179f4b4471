//! Refusals as HTTP answers.
//!
//! | code | status | when |
//! | --- | --- | --- |
//! | `model-unpriced` | 403 | the model has no price, or none in the budget's currency |
//! | `budget-spent` | 402 | the tenant's money is spent; says when there is more, if that is known |
//! | `budget-held` | 429 | what is left is kept for answers under way |
//! | `daily-tokens-spent`, `too-many-people` | 429 | until midnight in UTC, with `Retry-After` |
//! | `lease-unavailable`, `usage-spool-full`, `usage-not-recorded` | 503 | with `Retry-After` |
//! | `out-of-range` | 400 | a name that is none |

use std::time::Duration;

use axum::http::StatusCode;
use web::Problem;

use super::{Refused, Unrecorded};
use crate::budget;

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Budget(refused) => refused.into(),
            Refused::Spool(error) => {
                tracing::warn!(%error, "refused an answer whose use could not be recorded");
                let code = "usage-spool-full";
                let title = "What an answer would use cannot be recorded now.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, title)
                    .detail("Nothing was begun and nothing is charged. Try again in a moment.")
                    .retry_after(5)
            }
            Refused::Name(_) => Self::bad_request("out-of-range", "A name is not usable.")
                .detail(format!("{refused}; use the id as it was given out.")),
        }
    }
}

impl From<Unrecorded> for Problem {
    fn from(unrecorded: Unrecorded) -> Self {
        tracing::error!(error = %unrecorded.0, "what an answer used could not be recorded");
        let title = "The answer could not be completed.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "usage-not-recorded", title)
            .detail("What it used could not be recorded. Try again in a moment.")
            .retry_after(5)
    }
}

impl From<budget::Refused> for Problem {
    fn from(refused: budget::Refused) -> Self {
        use budget::Refused as R;
        let too_many = StatusCode::TOO_MANY_REQUESTS;
        match refused {
            R::Unpriced(unpriced) => Self::new(
                StatusCode::FORBIDDEN,
                "model-unpriced",
                "The model may not be used, as it has no price.",
            )
            .detail(format!("{unpriced}. Whoever runs the model server can set one.")),
            R::Currency => Self::new(
                StatusCode::FORBIDDEN,
                "model-unpriced",
                "The model has no price in the currency of the budget.",
            )
            .detail("Set the budget in the currency of the model's price, or use another model."),
            R::BudgetSpent { renews_at } => {
                let when = renews_at.map_or_else(String::new, |at| {
                    format!(" It is renewed at {}.", at.strftime("%Y-%m-%d %H:%M UTC"))
                });
                Self::new(
                    StatusCode::PAYMENT_REQUIRED,
                    "budget-spent",
                    "The budget has no room for an answer of this length.",
                )
                .detail(format!("A shorter answer may fit.{when}"))
            }
            R::BudgetHeld => Self::new(
                too_many,
                "budget-held",
                "The rest of the budget is kept for answers under way.",
            )
            .detail("What they do not use is free again when they end.")
            .retry_after(2),
            R::DailyTokensSpent { left, renews_in } => Self::new(
                too_many,
                "daily-tokens-spent",
                "The tokens of this person for today do not cover this answer.",
            )
            .detail(format!(
                "{left} tokens are left until midnight (UTC), and an answer has to fit at its \
                 longest, prompt included. A smaller max_tokens may fit."
            ))
            .retry_after(seconds(renews_in)),
            R::TooManyPeople { renews_in } => Self::new(
                too_many,
                "too-many-people",
                "More people than can be counted asked today.",
            )
            .detail("New ones can ask again after midnight (UTC).")
            .retry_after(seconds(renews_in)),
            R::LeaseUnavailable { retry_in } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "lease-unavailable",
                "The budget cannot be looked up now.",
            )
            .detail("Nothing was begun and nothing is charged. Try again in a moment.")
            .retry_after(seconds(retry_in)),
        }
    }
}

/// Whole seconds, rounded up, at least one.
fn seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}
