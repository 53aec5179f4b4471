//! Contexts of the admin portal and of a person's own account.

use accounts::Person;
use jiff::Timestamp;
use pages::Kind;
use pages::parts::{
    Action, Checklist, ErrorSummary, Field, Health, HealthState, Notice, Pagination, Tile, Trend,
};
use serde::Serialize;
use uuid::Uuid;

use super::forms::PasswordChange;
use super::shell::role_name;

/// The portal's first page.
#[derive(Debug, Clone, Serialize)]
pub struct Home {
    /// What the owner has to know first.
    pub notices: Vec<Notice>,
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
    /// Why the last change was refused.
    pub refused: Option<String>,
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
    /// Everything in the way of another password.
    pub summary: Option<ErrorSummary>,
    /// The fields of the form for another password.
    pub fields: Vec<Field>,
    /// Where they are signed in.
    pub sessions: Vec<SessionRow>,
    /// Whether they are signed in elsewhere too.
    pub elsewhere: bool,
}

impl Account {
    /// The account of somebody who is signed in there.
    pub fn new(person: &Person, change: &PasswordChange, sessions: Vec<SessionRow>) -> Self {
        let fields = change.fields();
        Self {
            name: person.display_name.to_string(),
            email: person.email.to_string(),
            role: role_name(person.role),
            summary: ErrorSummary::of(&fields.iter().collect::<Vec<_>>()),
            fields,
            elsewhere: sessions.iter().any(|session| !session.current),
            sessions,
        }
    }
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
    Health::new(label, if well { HealthState::Ok } else { HealthState::Bad }, text)
}

/// What to know and do when people wait to be let in.
pub fn waiting(people: i64) -> Option<Notice> {
    let title = match people {
        ..=0 => return None,
        1 => "1 person waits for your approval".to_owned(),
        more => format!("{more} people wait for your approval"),
    };
    let text = "Whoever has made an account here can sign in once you let them in.".to_owned();
    let action = Some(Action::secondary("See who waits", "/admin/people"));
    Some(Notice { kind: Kind::Info, title: Some(title), text, action })
}

/// What to know and do when nobody else, or hardly anybody, fits into the plan.
pub fn places(taken: i64, places: Option<u32>) -> Option<Notice> {
    let all = i64::from(places?);
    let what_to_do = "To make room, choose a larger plan (plan in blueprint.yaml), or suspend \
                      accounts nobody needs any more.";
    let (kind, title, text) = if taken >= all {
        let text = format!(
            "{taken} people are here, and your plan has room for {all}. Everybody who is here \
             stays. Whoever tries to sign up is told to ask you. {what_to_do}"
        );
        (Kind::Danger, "Nobody else can sign up", text)
    } else if taken >= all - all / 10 {
        let text = format!(
            "{taken} people are here, and your plan has room for {all}. After that nobody else can \
             sign up. {what_to_do}"
        );
        (Kind::Warning, "Your plan is nearly full", text)
    } else {
        return None;
    };
    let action = Some(Action::secondary("See the people", "/admin/people"));
    Some(Notice { kind, title: Some(title.to_owned()), text, action })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_told_before_and_when_a_plan_is_full() {
        let title = |taken, all| places(taken, all).and_then(|notice| notice.title);
        assert_eq!(title(899, Some(1000)), None);
        assert_eq!(title(900, Some(1000)).as_deref(), Some("Your plan is nearly full"));
        assert_eq!(title(1000, Some(1000)).as_deref(), Some("Nobody else can sign up"));
        assert_eq!(title(1200, Some(1000)).as_deref(), Some("Nobody else can sign up"));
        assert_eq!(title(1_000_000, None), None);
    }
}
