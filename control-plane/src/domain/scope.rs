//! What a key or a person may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that a key or a person may do in an organization.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub enum Scope {
    /// See the organization.
    #[serde(rename = "organization:read")]
    OrganizationRead,
    /// See platforms, and what becomes of them.
    #[serde(rename = "platforms:read")]
    PlatformsRead,
    /// Make platforms, change, suspend and delete them.
    #[serde(rename = "platforms:write")]
    PlatformsWrite,
    /// Have a platform let somebody in as its owner.
    #[serde(rename = "platforms:admin")]
    PlatformsAdmin,
    /// See who is a member.
    #[serde(rename = "members:read")]
    MembersRead,
    /// Invite people, say what they are, and take them out; no owners.
    #[serde(rename = "members:write")]
    MembersWrite,
    /// The same of owners.
    #[serde(rename = "owners:write")]
    OwnersWrite,
    /// Say what is asked of members.
    #[serde(rename = "policy:write")]
    PolicyWrite,
    /// See which keys there are, make some and take them back.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// See what was done, and by whom.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// See which webhooks there are and what they were told, make some and delete them.
    #[serde(rename = "webhooks:write")]
    WebhooksWrite,
    /// Ask whoever runs the fleet for help, and answer them.
    #[serde(rename = "tickets:write")]
    TicketsWrite,
}

/// There is no such scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope {0:?}")]
pub struct UnknownScope(String);

impl Scope {
    /// Every one of them.
    pub const ALL: [Self; 12] = [
        Self::OrganizationRead,
        Self::PlatformsRead,
        Self::PlatformsWrite,
        Self::PlatformsAdmin,
        Self::MembersRead,
        Self::MembersWrite,
        Self::OwnersWrite,
        Self::PolicyWrite,
        Self::KeysWrite,
        Self::AuditRead,
        Self::WebhooksWrite,
        Self::TicketsWrite,
    ];

    /// As the API and the database say it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OrganizationRead => "organization:read",
            Self::PlatformsRead => "platforms:read",
            Self::PlatformsWrite => "platforms:write",
            Self::PlatformsAdmin => "platforms:admin",
            Self::MembersRead => "members:read",
            Self::MembersWrite => "members:write",
            Self::OwnersWrite => "owners:write",
            Self::PolicyWrite => "policy:write",
            Self::KeysWrite => "keys:write",
            Self::AuditRead => "audit:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::TicketsWrite => "tickets:write",
        }
    }
}

impl Scope {
    /// As people read it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::OrganizationRead => "See the organization",
            Self::PlatformsRead => "See platforms",
            Self::PlatformsWrite => "Make, change, stop and delete platforms",
            Self::PlatformsAdmin => "Have platforms let somebody in as owner",
            Self::MembersRead => "See who is a member",
            Self::MembersWrite => "Invite people, and take them out",
            Self::OwnersWrite => "Make owners, and unmake them",
            Self::PolicyWrite => "Say what is asked of members",
            Self::KeysWrite => "Make keys, and take them back",
            Self::AuditRead => "See what was done",
            Self::WebhooksWrite => "Make webhooks, and delete them",
            Self::TicketsWrite => "Ask for help",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let named = Self::ALL.into_iter().find(|scope| scope.word() == text);
        named.ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_said_alike_everywhere() {
        for scope in Scope::ALL {
            assert_eq!(scope.word().parse(), Ok(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.word());
        }
        assert_eq!("all".parse::<Scope>(), Err(UnknownScope("all".to_owned())));
    }
}
