//! The promise between a replica and whoever knows the budget.
//!
//! A replica holds money of a tenant under an id of its own making. Its [`Claim`] says all it
//! knows, as sums since the holding began: what it spent, and what it wants to hold beyond that.
//! So a claim that is lost, late or doubled does no harm: the next one says it all again, and an
//! older one than the last is refused. Wanting nothing gives everything back.

use std::time::Duration;

use blueprint::Currency;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Micros;

/// How long a lease is good without being renewed.
pub const LIFE: Duration = Duration::from_mins(5);
/// How long after its end a lease may still be spent when the treasury cannot be reached.
pub const GRACE: Duration = Duration::from_hours(1);
/// So long before the grace ends nothing new begins, so that what runs can end within it. What
/// takes longer still is recorded, and billed as far as the budget allows.
pub const WIND_DOWN: Duration = Duration::from_mins(10);

/// What a replica spent and what it wants to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The holding, chosen by the replica: new after each start, and after one was lost.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub holding: Uuid,
    /// Later claims of a holding have larger numbers.
    pub number: u64,
    /// Whose money.
    pub tenant: String,
    /// Of which currency.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub currency: Currency,
    /// Spent since the holding began.
    pub spent: Micros,
    /// Wanted beyond that, what is reserved now included.
    pub want: Micros,
}

/// What may be spent beyond what the claim said was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Allowance {
    /// The tenant has no budget: what it spends is only counted.
    Unlimited,
    /// This much. Never less than what was wanted and already held, as a replica may have spent
    /// that by now.
    UpTo(Micros),
}

/// An answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// What may be spent.
    pub allowance: Allowance,
    /// For how long, counted by the replica from when it sent the claim: its clock then ends
    /// before the treasury's, however the two are set.
    #[serde(rename = "lifeMillis", with = "millis")]
    #[cfg_attr(feature = "openapi", schema(value_type = u64))]
    pub life: Duration,
    /// When the budget is renewed, if it has such a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub renews_at: Option<Timestamp>,
}

/// Why there is no lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreasuryError {
    /// Nobody answered, or not in words we know; for the log.
    #[error("the treasury does not answer: {0}")]
    Unreachable(String),
    /// The holding ended, as it was not renewed within life and grace. What it spent counts by
    /// its records; the replica begins a new one.
    #[error("the holding has ended")]
    Ended,
    /// A later claim was answered already.
    #[error("a later claim was answered already")]
    Stale,
    /// The budget is in another currency.
    #[error("the budget is in another currency")]
    Currency,
}

impl TreasuryError {
    /// Each of those that whoever knows the budget answers.
    pub const ANSWERS: [Self; 3] = [Self::Ended, Self::Stale, Self::Currency];

    /// As it is told over the wire; nothing where nobody answered.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable(_) => None,
            Self::Ended => Some("holding-ended"),
            Self::Stale => Some("claim-stale"),
            Self::Currency => Some("budget-currency"),
        }
    }

    /// What a code means that came over the wire.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ANSWERS.into_iter().find(|answer| answer.code() == Some(code))
    }
}

/// Whole milliseconds, as a number.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(life: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(life.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_and_leases_are_the_same_on_both_sides_of_the_wire() {
        let claim = Claim {
            holding: Uuid::from_u128(1),
            number: 2,
            tenant: "acme".to_owned(),
            currency: Currency::USD,
            spent: Micros::new(3),
            want: Micros::MAX,
        };
        let sent = json!({
            "holding": "00000000-0000-0000-0000-000000000001", "number": 2, "tenant": "acme",
            "currency": "USD", "spent": 3, "want": u64::MAX,
        });
        assert_eq!(serde_json::to_value(&claim).unwrap(), sent);
        assert_eq!(serde_json::from_value::<Claim>(sent).unwrap(), claim);
        let up_to = Allowance::UpTo(Micros::new(7));
        for (allowance, told) in
            [(Allowance::Unlimited, json!("unlimited")), (up_to, json!({"upTo": 7}))]
        {
            let lease = Lease { allowance, life: LIFE, renews_at: None };
            let sent = json!({"allowance": told, "lifeMillis": 300_000});
            assert_eq!(serde_json::to_value(lease).unwrap(), sent);
            assert_eq!(serde_json::from_value::<Lease>(sent).unwrap(), lease);
        }
    }

    #[test]
    fn a_refusal_comes_back_from_its_code() {
        for answer in TreasuryError::ANSWERS {
            assert_eq!(answer.code().and_then(TreasuryError::of_code), Some(answer));
        }
        assert_eq!(TreasuryError::of_code("no-key"), None);
    }
}
