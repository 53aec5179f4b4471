//! A person's own account.

use accounts::factors::SecondFactor;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::passkeys::PasskeyRow;

/// A person's own account.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// What is asked beside the password.
    pub factor: Option<FactorRow>,
    /// Whether there can be passkeys.
    pub has_site: bool,
    /// Those there are.
    pub passkeys: Vec<PasskeyRow>,
    /// Where they are signed in.
    pub sessions: Vec<SessionRow>,
    /// Whether they are signed in elsewhere too.
    pub elsewhere: bool,
}

/// A second factor that is on.
#[derive(Clone, Debug, Serialize)]
pub struct FactorRow {
    /// Since when.
    pub since: Timestamp,
    /// Recovery codes that are still good.
    pub codes: i64,
}

impl From<SecondFactor> for FactorRow {
    fn from(factor: SecondFactor) -> Self {
        Self { since: factor.since, codes: factor.recovery_codes }
    }
}

/// Where somebody is signed in.
#[derive(Clone, Debug, Serialize)]
pub struct SessionRow {
    /// Its id.
    pub id: Uuid,
    /// Such as "Firefox on Linux".
    pub device: String,
    /// The address it was begun from.
    pub ip: String,
    /// When it was used last.
    pub last_seen_at: Timestamp,
    /// Whether it is the one that reads this.
    pub current: bool,
}
