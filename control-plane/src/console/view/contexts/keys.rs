//! Keys of the API.

use jiff::Timestamp;
use pages::parts::{Field, Pagination};
use serde::Serialize;

use crate::db::keys::Known;
use crate::db::names::Names;

/// Keys of the API.
#[derive(Clone, Debug, Serialize)]
pub struct Keys {
    /// Why none was made.
    pub refused: Option<String>,
    /// The key that was just made.
    pub secret: Option<String>,
    /// This page.
    pub base: String,
    /// Those there are and were.
    pub rows: Vec<KeyRow>,
    /// Where the list goes on.
    pub pages: Pagination,
    /// What a new one is called.
    pub name: Field,
    /// When it ends.
    pub days: Field,
    /// What it may do.
    pub scopes: Vec<Field>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct KeyRow {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Its first letters.
    pub prefix: String,
    /// What it may do.
    pub scopes: String,
    /// Who made it.
    pub made_by: String,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it is good.
    pub is_good: bool,
    /// What it is, where it is not.
    pub state: &'static str,
}

impl KeyRow {
    /// One, as it is now.
    pub fn of(key: &Known, names: &Names, now: Timestamp) -> Self {
        let is_good = key.revoked_at.is_none() && key.expires_at > now;
        let scopes: Vec<_> = key.scopes.iter().map(ToString::to_string).collect();
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            scopes: scopes.join(", "),
            made_by: names.of(&key.made_by),
            used_at: key.used_at,
            expires_at: key.expires_at,
            is_good,
            state: match (is_good, key.revoked_at) {
                (true, _) => "Good",
                (false, Some(_)) => "Taken back",
                (false, None) => "Ended",
            },
        }
    }
}
