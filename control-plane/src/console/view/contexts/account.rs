//! A person's own account.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// A person's own account.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Where they are signed in.
    pub sessions: Vec<SessionRow>,
    /// Whether they are signed in elsewhere too.
    pub elsewhere: bool,
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
