//! A person's own account.

use accounts::events::{Event, Kind};
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
    /// What happened of late, the newest first.
    pub events: Vec<EventRow>,
}

/// Something that happened to an account.
#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    /// What.
    pub what: &'static str,
    /// Tries that had failed since the one before.
    pub failures: i32,
    /// Such as "Firefox on Linux".
    pub device: String,
    /// Where it was done from.
    pub ip: String,
    /// When.
    pub at: Timestamp,
}

impl From<Event> for EventRow {
    fn from(event: Event) -> Self {
        let what = match event.kind {
            Kind::SignedUp => "The account was made",
            Kind::SignedIn => "Signed in",
            Kind::SignedInByLink => "Signed in by a link",
            Kind::SignedInByRecoveryCode => "Signed in by a recovery code",
            Kind::SignedInByPasskey => "Signed in by a passkey",
            Kind::SignedInByProvider => "Signed in by an organization's single sign-on",
            Kind::SignedOut => "Signed out",
            Kind::PasswordChanged => "Password changed",
            Kind::SecondFactorSetUp => "Second factor set up",
            Kind::SecondFactorTurnedOff => "Second factor turned off",
            Kind::RecoveryCodesMade => "New recovery codes",
            Kind::PasskeyAdded => "Passkey added",
            Kind::PasskeyRemoved => "Passkey removed",
        };
        let Event { failures, device, ip, at, .. } = event;
        Self { what, failures, device, ip, at }
    }
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
