//! What an organization asks of its members.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether members need something beside a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactor {
    /// Each member decides.
    Optional,
    /// Who has none is led to setting one up, and does nothing else here before.
    Required,
}

/// There is no such policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a second factor is optional or required, not {0:?}")]
pub struct UnknownPolicy(String);

impl SecondFactor {
    /// As the API and the database say it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

impl FromStr for SecondFactor {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        let named = [Self::Optional, Self::Required].into_iter().find(|it| it.word() == text);
        named.ok_or_else(|| UnknownPolicy(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_alike_everywhere() {
        for policy in [SecondFactor::Optional, SecondFactor::Required] {
            assert_eq!(policy.word().parse(), Ok(policy));
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.word());
        }
        assert!("off".parse::<SecondFactor>().is_err());
    }
}
