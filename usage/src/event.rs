//! One answer's use: who, which model, how many tokens, what it cost. Nobody's words.

use blueprint::Currency;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Micros, Tokens};

/// What one answer used. Whoever takes it in counts each [`Self::id`] once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its name for ever (`UUIDv7`).
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Uuid,
    /// Who pays.
    pub tenant: String,
    /// Who asked, as an opaque id.
    pub user: String,
    /// Which agent was asked, as an opaque id.
    pub agent: String,
    /// Which model answered.
    pub model: String,
    /// The request, as in the log.
    pub request: String,
    /// Tokens read and made, as the engine counted.
    pub tokens: Tokens,
    /// What they cost; 0 for an answer that failed.
    pub cost: Micros,
    /// What the cost is of.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub currency: Currency,
    /// The lease that the money is from, where it cost any.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "uuid"))]
    pub holding: Option<Uuid>,
    /// How it ended.
    pub outcome: Outcome,
    /// When the request came.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub started_at: Timestamp,
    /// When the answer ended.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub ended_at: Timestamp,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As asked for, or at its longest.
    Finished,
    /// Somebody left; what was made until then counts.
    Cancelled,
    /// The engine failed: nothing is charged.
    Failed,
}

impl Event {
    /// Whether its tokens count for the person's day.
    pub fn counts_for_the_person(&self) -> bool {
        self.outcome != Outcome::Failed
    }
}
