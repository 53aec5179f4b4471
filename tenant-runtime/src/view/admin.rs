//! Contexts of the admin portal and of a person's own account.

use jiff::Timestamp;
use pages::parts::{Checklist, Field, Health, HealthState, Pagination, Tile, Trend};
use serde::Serialize;
use uuid::Uuid;

/// The portal's first page.
#[derive(Debug, Clone, Serialize)]
pub struct Home {
    /// What to do next.
    pub checklist: Option<Checklist>,
    /// How it goes.
    pub tiles: Vec<Tile>,
    /// Whether all is well.
    pub health: Vec<Health>,
    /// Where people find it.
    pub site: String,
}

/// The people of the platform.
#[derive(Debug, Clone, Serialize)]
pub struct People {
    /// The page on which people sign up.
    pub sign_up: String,
    /// Some of them.
    pub rows: Vec<PersonRow>,
    /// Where the list goes on.
    pub pages: Pagination,
}

/// One person.
#[derive(Debug, Clone, Serialize)]
pub struct PersonRow {
    /// Their id.
    pub id: Uuid,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their role in words.
    pub role: &'static str,
    /// `active`, `pending` or `suspended`.
    pub status: &'static str,
    /// When the account was made.
    pub created_at: Timestamp,
    /// The roles that can be given to them; none when theirs cannot be changed by the reader.
    pub roles: Vec<RoleChoice>,
    /// Whether they can be let in.
    pub can_activate: bool,
    /// Whether they can be kept out.
    pub can_suspend: bool,
}

/// A role to choose.
#[derive(Debug, Clone, Serialize)]
pub struct RoleChoice {
    /// What is sent.
    pub value: &'static str,
    /// What is shown.
    pub label: &'static str,
    /// Whether it is theirs.
    pub chosen: bool,
}

/// The brand page.
#[derive(Debug, Clone, Serialize)]
pub struct BrandForm {
    /// What came of the last try.
    pub problems: Vec<String>,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// What the form was filled from, to notice that somebody changed it meanwhile.
    pub base: String,
}

/// A person's own account.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their role in words.
    pub role: &'static str,
    /// Where they are signed in.
    pub sessions: Vec<SessionRow>,
}

/// Where somebody is signed in.
#[derive(Debug, Clone, Serialize)]
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

/// A tile with a number of this week beside that of the week before.
pub fn tile(label: &str, now: i64, then: i64, href: &str) -> Tile {
    let change = match now - then {
        0 => "as the week before".to_owned(),
        more @ 1.. => format!("{more} more than the week before"),
        less => format!("{} fewer than the week before", -less),
    };
    Tile {
        label: label.to_owned(),
        value: now.to_string(),
        change: Some(change),
        trend: match now.cmp(&then) {
            std::cmp::Ordering::Less => Trend::Bad,
            std::cmp::Ordering::Equal => Trend::Flat,
            std::cmp::Ordering::Greater => Trend::Good,
        },
        href: Some(href.to_owned()),
    }
}

/// How one thing is.
pub fn health(label: &str, well: bool, text: &str) -> Health {
    Health {
        label: label.to_owned(),
        state: if well { HealthState::Ok } else { HealthState::Bad },
        text: text.to_owned(),
    }
}
