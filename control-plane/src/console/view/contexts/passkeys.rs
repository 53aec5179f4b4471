//! Passkeys: the page that asks a device, and the list of them.

use accounts::passkeys::Passkey;
use jiff::Timestamp;
use pages::parts::{Field, Notice};
use serde::Serialize;
use uuid::Uuid;

/// What a device is asked.
#[derive(Clone, Debug, Serialize)]
pub struct Device {
    /// What it is about.
    pub heading: &'static str,
    /// Why the last try did nothing.
    pub notice: Option<Notice>,
    /// What is to be done.
    pub lead: &'static str,
    /// What it is to sign.
    pub challenge: String,
    /// For which site.
    pub site: String,
    /// For whom a new key is; nobody, where somebody wants in.
    pub user: String,
    /// As the device shows whose it is.
    pub account: String,
    /// Keys that are here already.
    pub known: String,
    /// Where the form goes.
    pub action: &'static str,
    /// How a new key is to be called.
    pub name: Option<Field>,
    /// What the form sends of what the device says.
    pub said: Vec<&'static str>,
    /// Where to go afterwards.
    pub next: String,
    /// What the button says.
    pub button: &'static str,
    /// The other way.
    pub back: &'static str,
    /// What that is.
    pub otherwise: &'static str,
}

/// One of a person's.
#[derive(Clone, Debug, Serialize)]
pub struct PasskeyRow {
    /// Its id.
    pub id: Uuid,
    /// As they call it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it let them in last.
    pub used_at: Option<Timestamp>,
}

impl From<Passkey> for PasskeyRow {
    fn from(passkey: Passkey) -> Self {
        let Passkey { id, name, created_at, used_at, credential_id: _ } = passkey;
        Self { id, name, created_at, used_at }
    }
}
