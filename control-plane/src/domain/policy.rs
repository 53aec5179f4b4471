//! What an organization asks of those who come in. All of it is decided here, for the API and the console.

use std::net::IpAddr;
use std::str::FromStr;

use blueprint::status::Staff;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::domain::role::Role;

/// An organization names no more networks than these.
const NETWORKS: usize = 100;
/// The longest life of a session anywhere, in hours.
const SESSION: u32 = 30 * 24;
/// The longest life of a key anywhere, in days.
const KEY: u32 = 366;

/// Whether members need something beside a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactor {
    /// Each member decides.
    #[default]
    Optional,
    /// Who has none is led to setting one up, and does nothing else here before. Who signed in by a passkey,
    /// or by the organization's single sign-on, has shown enough.
    Required,
}

/// What an organization asks of those who come in. What is left out is not asked. Networks and the length of
/// sessions hold in its platforms too, for who runs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Whether members need a second factor to do anything in the console. Keys of the API are asked for none.
    pub second_factor: SecondFactor,
    /// Whether members come in by the organization's single sign-on alone. Owners still come by what they
    /// have here, with a second factor or a passkey. Only who is signed in by it switches it on.
    #[serde(default)]
    pub single_sign_on_only: bool,
    /// Networks such as `192.0.2.0/24` from which alone sessions and keys are good; none: from everywhere.
    #[serde(default, deserialize_with = "networks")]
    #[schema(value_type = Vec<String>, max_items = 100)]
    pub allowed_addresses: Vec<IpNet>,
    /// After so many hours members sign in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 720)]
    pub longest_session_hours: Option<u32>,
    /// Keys are good for so many days from when they were made, whatever they were made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 366)]
    pub longest_key_days: Option<u32>,
}

/// Somebody who comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// From where.
    pub from: IpAddr,
    /// With what.
    pub with: With,
}

/// What somebody comes in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// A key that was made then.
    Key {
        /// When.
        made_at: Timestamp,
    },
    /// A session of a member.
    Session {
        /// When they signed in.
        begun_at: Timestamp,
        /// What they are here.
        role: Role,
        /// What they showed then.
        shown: Shown,
    },
}

/// What somebody showed who signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A password and nothing else.
    Password,
    /// A second factor or a passkey.
    Factor,
    /// That the organization's own provider vouches for them.
    Provider,
}

/// Why somebody does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// They come from elsewhere.
    Address,
    /// The key was made too long ago.
    OldKey,
    /// They signed in too long ago.
    OldSession,
    /// They are to come by single sign-on.
    SingleSignOn,
    /// They are to show a second factor.
    SecondFactor,
}

impl Policy {
    /// Nothing, where this can be asked.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check(&self) -> Result<(), String> {
        let is_within =
            |number: Option<u32>, most| number.is_none_or(|it| (1..=most).contains(&it));
        if self.allowed_addresses.len() > NETWORKS {
            return Err(format!("allowedAddresses: {NETWORKS} networks at most"));
        }
        if !is_within(self.longest_session_hours, SESSION) {
            return Err(format!("longestSessionHours: from 1 to {SESSION}"));
        }
        if !is_within(self.longest_key_days, KEY) {
            return Err(format!("longestKeyDays: from 1 to {KEY}"));
        }
        Ok(())
    }

    /// Whether somebody comes in now.
    ///
    /// # Errors
    /// [`Barred`]
    pub fn lets_in(&self, who: &Entrance, now: Timestamp) -> Result<(), Barred> {
        let from = who.from.to_canonical();
        let networks = &self.allowed_addresses;
        if !networks.is_empty() && !networks.iter().any(|network| network.contains(&from)) {
            return Err(Barred::Address);
        }
        match who.with {
            With::Key { made_at } if is_over(made_at, self.longest_key(), now) => {
                Err(Barred::OldKey)
            }
            With::Session { begun_at, .. } if is_over(begun_at, self.longest_session(), now) => {
                Err(Barred::OldSession)
            }
            With::Session { role, shown: Shown::Password | Shown::Factor, .. }
                if self.single_sign_on_only && role != Role::Owner =>
            {
                Err(Barred::SingleSignOn)
            }
            // Where others come by single sign-on alone, a password is no way around it.
            With::Session { shown: Shown::Password, .. } if self.asks_for_factor() => {
                Err(Barred::SecondFactor)
            }
            With::Key { .. } | With::Session { .. } => Ok(()),
        }
    }

    /// Whether somebody may ask this in place of what was asked: nobody shuts themselves out, and who says
    /// that all come by single sign-on has come by it.
    ///
    /// # Errors
    /// [`Barred`], by what would be asked.
    pub fn may_follow(&self, before: &Self, who: &Entrance, now: Timestamp) -> Result<(), Barred> {
        let by_provider = matches!(who.with, With::Session { shown: Shown::Provider, .. });
        if self.single_sign_on_only && !before.single_sign_on_only && !by_provider {
            return Err(Barred::SingleSignOn);
        }
        match self.lets_in(who, now) {
            // These are led to where they can do something about it.
            Ok(()) | Err(Barred::OldSession | Barred::SingleSignOn | Barred::SecondFactor) => {
                Ok(())
            }
            Err(barred @ (Barred::Address | Barred::OldKey)) => Err(barred),
        }
    }

    /// Whether a password alone is not enough.
    pub fn asks_for_factor(&self) -> bool {
        self.single_sign_on_only || self.second_factor == SecondFactor::Required
    }

    /// What of it is asked of who runs the organization's platforms.
    pub fn staff(&self) -> Staff {
        Staff {
            allowed_addresses: self.allowed_addresses.clone(),
            longest_session_hours: self.longest_session_hours,
        }
    }

    /// When a key ends that was made then, until then.
    pub fn end_of_key(&self, made_at: Timestamp, until: Timestamp) -> Timestamp {
        self.longest_key().map_or(until, |longest| until.min(made_at + longest))
    }

    fn longest_key(&self) -> Option<SignedDuration> {
        self.longest_key_days.map(|days| SignedDuration::from_hours(24 * i64::from(days)))
    }

    fn longest_session(&self) -> Option<SignedDuration> {
        self.longest_session_hours.map(|hours| SignedDuration::from_hours(i64::from(hours)))
    }
}

fn is_over(since: Timestamp, longest: Option<SignedDuration>, now: Timestamp) -> bool {
    longest.is_some_and(|longest| since + longest <= now)
}

/// An address alone is a network of one.
fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| network(text).map_err(serde::de::Error::custom)).collect()
}

/// A network, or an address, as people write it.
///
/// # Errors
/// What would be one, in words.
pub fn network(text: &str) -> Result<IpNet, String> {
    let one = IpAddr::from_str(text).map(|address| IpNet::from(address.to_canonical()));
    let network = one.or_else(|_| text.parse::<IpNet>());
    let network = network.map(|network| network.trunc());
    network.map_err(|_| format!("{text:?} is no network such as 192.0.2.0/24, and no address"))
}

impl SecondFactor {
    /// As the API says it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn hours(number: i64) -> SignedDuration {
        SignedDuration::from_hours(number)
    }

    fn policy(text: &str) -> Policy {
        serde_json::from_str(text).unwrap()
    }

    fn session(role: Role, shown: Shown) -> Entrance {
        let with = With::Session { begun_at: now() - hours(5), role, shown };
        Entrance { from: "192.0.2.7".parse().unwrap(), with }
    }

    fn key() -> Entrance {
        let with = With::Key { made_at: now() - hours(48) };
        Entrance { from: "192.0.2.7".parse().unwrap(), with }
    }

    #[test]
    fn it_is_said_alike_everywhere() {
        for factor in [SecondFactor::Optional, SecondFactor::Required] {
            assert_eq!(serde_json::to_value(factor).unwrap(), factor.word());
        }
        let all = r#"{"secondFactor":"required","singleSignOnOnly":true,"allowedAddresses":
            ["192.0.2.7","2001:db8::1/32"],"longestSessionHours":12,"longestKeyDays":90}"#;
        let all = policy(all);
        let written = serde_json::to_value(&all).unwrap();
        let networks = serde_json::json!(["192.0.2.7/32", "2001:db8::/32"]);
        assert_eq!(written["allowedAddresses"], networks);
        assert_eq!(serde_json::from_value::<Policy>(written).unwrap(), all);
        for wrong in ["{}", r#"{"secondFactor":"optional","allowedAddresses":["here"]}"#] {
            assert!(serde_json::from_str::<Policy>(wrong).is_err(), "{wrong}");
        }
        for wrong in [("longestKeyDays", 0), ("longestKeyDays", 367), ("longestSessionHours", 721)]
        {
            let text = format!(r#"{{"secondFactor":"optional","{}":{}}}"#, wrong.0, wrong.1);
            assert!(policy(&text).check().is_err(), "{text}");
        }
    }

    #[test]
    fn where_nothing_is_asked_everybody_comes_in() {
        for shown in [Shown::Password, Shown::Factor, Shown::Provider] {
            let who = session(Role::Viewer, shown);
            assert_eq!(Policy::default().lets_in(&who, now()), Ok(()));
        }
        assert_eq!(Policy::default().lets_in(&key(), now()), Ok(()));
    }

    #[test]
    fn who_comes_from_elsewhere_does_not_come_in_whatever_they_have() {
        let asked = |networks: &str| {
            policy(&format!(r#"{{"secondFactor":"optional","allowedAddresses":{networks}}}"#))
        };
        for who in [key(), session(Role::Owner, Shown::Provider)] {
            let lets_in = |networks| asked(networks).lets_in(&who, now());
            assert_eq!(lets_in(r#"["192.0.2.0/24"]"#), Ok(()));
            assert_eq!(lets_in(r#"["198.51.100.0/24","192.0.2.7"]"#), Ok(()));
            assert_eq!(lets_in(r#"["198.51.100.0/24"]"#), Err(Barred::Address));
            assert_eq!(lets_in(r#"["::/0"]"#), Err(Barred::Address));
            let mapped = Entrance { from: "::ffff:192.0.2.7".parse().unwrap(), ..who };
            assert_eq!(asked(r#"["192.0.2.0/24"]"#).lets_in(&mapped, now()), Ok(()));
        }
    }

    #[test]
    fn what_is_too_old_is_good_for_nothing() {
        let sessions = policy(r#"{"secondFactor":"optional","longestSessionHours":5}"#);
        let who = session(Role::Owner, Shown::Provider);
        assert_eq!(sessions.lets_in(&who, now()), Err(Barred::OldSession));
        assert_eq!(sessions.lets_in(&who, now() - hours(1)), Ok(()));
        assert_eq!(sessions.lets_in(&key(), now()), Ok(()));
        let keys = policy(r#"{"secondFactor":"optional","longestKeyDays":2}"#);
        assert_eq!(keys.lets_in(&key(), now()), Err(Barred::OldKey));
        assert_eq!(keys.lets_in(&key(), now() - hours(1)), Ok(()));
        let end = |until| keys.end_of_key(now() - hours(48), until);
        assert_eq!((end(now() + hours(1)), end(now() - hours(1))), (now(), now() - hours(1)));
        assert_eq!(keys.lets_in(&who, now()), Ok(()));
    }

    #[test]
    fn a_passkey_and_single_sign_on_stand_for_a_second_factor_and_a_password_does_not() {
        let required = policy(r#"{"secondFactor":"required"}"#);
        let lets_in = |shown| required.lets_in(&session(Role::Viewer, shown), now());
        assert_eq!(lets_in(Shown::Password), Err(Barred::SecondFactor));
        assert_eq!(lets_in(Shown::Factor), Ok(()));
        assert_eq!(lets_in(Shown::Provider), Ok(()));
    }

    #[test]
    fn where_all_come_by_single_sign_on_owners_come_by_a_factor_too() {
        let only = policy(r#"{"secondFactor":"optional","singleSignOnOnly":true}"#);
        let lets_in = |role, shown| only.lets_in(&session(role, shown), now());
        assert_eq!(lets_in(Role::Admin, Shown::Factor), Err(Barred::SingleSignOn));
        assert_eq!(lets_in(Role::Admin, Shown::Provider), Ok(()));
        assert_eq!(lets_in(Role::Owner, Shown::Factor), Ok(()));
        assert_eq!(lets_in(Role::Owner, Shown::Password), Err(Barred::SecondFactor));
        assert_eq!(only.lets_in(&key(), now()), Ok(()));
    }

    #[test]
    fn nobody_shuts_themselves_out() {
        let open = Policy::default();
        let only = policy(r#"{"secondFactor":"optional","singleSignOnOnly":true}"#);
        let by_provider = session(Role::Owner, Shown::Provider);
        for who in [key(), session(Role::Owner, Shown::Factor)] {
            assert_eq!(only.may_follow(&open, &who, now()), Err(Barred::SingleSignOn));
            // What is on already stays, and can be switched off.
            assert_eq!(only.may_follow(&only, &who, now()), Ok(()));
            assert_eq!(open.may_follow(&only, &who, now()), Ok(()));
        }
        assert_eq!(only.may_follow(&open, &by_provider, now()), Ok(()));
        let elsewhere = r#"{"secondFactor":"optional","allowedAddresses":["198.51.100.0/24"]}"#;
        let elsewhere = policy(elsewhere);
        assert_eq!(elsewhere.may_follow(&open, &by_provider, now()), Err(Barred::Address));
        let keys = policy(r#"{"secondFactor":"required","longestKeyDays":2}"#);
        assert_eq!(keys.may_follow(&open, &key(), now()), Err(Barred::OldKey));
        let password = session(Role::Owner, Shown::Password);
        assert_eq!(keys.may_follow(&open, &password, now()), Ok(()));
    }
}
