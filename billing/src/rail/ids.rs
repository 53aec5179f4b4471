//! What things are called: by us, and by a rail.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use work::effects::EffectKey;

/// The longest name a rail gives.
const LONGEST: usize = 255;

/// One thing to be done at a rail. The rail keeps it beside what it makes, so that it can be found by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(Uuid);

/// A text that no rail calls anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of 1 to {LONGEST} letters, digits, `_` and `-`")]
pub struct NoId(String);

impl IntentId {
    /// This one.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// What is to be done because of something: the same for the same parts, however often it is decided.
    pub fn of(parts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            // With its length: no part can pass for the end of another.
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.finalize()[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// As it is kept.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// Under which the rail does it once: made of the id and nothing else, so that whoever sends it after a
    /// crash sends the same.
    pub fn key(self) -> String {
        let key = EffectKey {
            tenant: "control".to_owned(),
            operation: format!("intent:{self}"),
            step: "send".to_owned(),
        };
        key.stable()
    }
}

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a path of a rail's API can hold it as it is.
fn is_plain(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What the rail calls it.
            ///
            /// # Errors
            /// [`NoId`]
            pub fn new(text: impl Into<String>) -> Result<Self, NoId> {
                let text = text.into();
                if is_plain(&text) { Ok(Self(text)) } else { Err(NoId(text)) }
            }

            /// As the rail has it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NoId;

            fn try_from(text: String) -> Result<Self, NoId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// Who pays.
    CustomerId,
    /// Who is paid: an account of their own at the rail.
    SellerId,
    /// What somebody paid with before, and may be asked of again.
    MethodId,
    /// A page of the rail on which somebody pays.
    CheckoutId,
    /// Money that somebody paid.
    PaymentId,
    /// Payments that come again.
    SubscriptionId,
    /// What one of those payments is for.
    InvoiceId,
    /// Money that goes back to who paid.
    RefundId,
    /// Money that goes to who is paid.
    TransferId,
    /// Money that leaves the rail for a bank.
    PayoutId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_its_intent_alone() {
        let one = IntentId::of(&["acme", "evt_1"]);
        assert_eq!(one, IntentId::of(&["acme", "evt_1"]));
        assert_ne!(one, IntentId::of(&["acmee", "vt_1"]));
        assert_eq!(one.key(), IntentId::new(one.uuid()).key());
        assert_ne!(one.key(), IntentId::of(&["acme", "evt_2"]).key());
        assert_eq!(one.key().len(), 64);
    }

    #[test]
    fn what_a_rail_calls_something_fits_into_a_path() {
        assert_eq!(PaymentId::new("pi_1-A").unwrap().as_str(), "pi_1-A");
        let long = "x".repeat(LONGEST + 1);
        for bad in ["", "a/b", "a?b", "a b", "..", "ä", &long] {
            assert_eq!(PaymentId::new(bad), Err(NoId(bad.to_owned())));
        }
    }
}
