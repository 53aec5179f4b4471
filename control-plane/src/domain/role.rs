//! What a person is in an organization.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::scope::Scope;

/// A person's part in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Whose organization it is. There is always one, and only owners make owners.
    Owner,
    /// Runs it for the owner.
    Admin,
    /// Makes and changes platforms.
    Developer,
    /// Looks after what it costs.
    Billing,
    /// Looks.
    Viewer,
}

/// There is no such role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no role {0:?}; there are owner, admin, developer, billing and viewer")]
pub struct UnknownRole(String);

impl Role {
    /// Every one of them, the mightiest first.
    pub const ALL: [Self; 5] =
        [Self::Owner, Self::Admin, Self::Developer, Self::Billing, Self::Viewer];

    /// As the API and the database say it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Billing => "billing",
            Self::Viewer => "viewer",
        }
    }

    /// As people read it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::Developer => "Developer",
            Self::Billing => "Billing",
            Self::Viewer => "Viewer",
        }
    }

    /// What it may do.
    pub fn scopes(self) -> Vec<Scope> {
        use Scope::{
            AuditRead, KeysWrite, MembersRead, OrganizationRead, OwnersWrite, PlatformsRead,
            PlatformsWrite, PolicyWrite, TicketsWrite, WebhooksWrite,
        };
        match self {
            Self::Owner => Scope::ALL.into(),
            Self::Admin => {
                let of_owners = [OwnersWrite, PolicyWrite];
                Scope::ALL.into_iter().filter(|it| !of_owners.contains(it)).collect()
            }
            Self::Developer => {
                vec![
                    OrganizationRead,
                    MembersRead,
                    PlatformsRead,
                    PlatformsWrite,
                    KeysWrite,
                    WebhooksWrite,
                    TicketsWrite,
                ]
            }
            Self::Billing => {
                vec![OrganizationRead, MembersRead, PlatformsRead, AuditRead, TicketsWrite]
            }
            Self::Viewer => vec![OrganizationRead, PlatformsRead],
        }
    }

    /// What one has to be allowed to do who makes somebody this, or takes it from them.
    pub const fn needs(self) -> Scope {
        match self {
            Self::Owner => Scope::OwnersWrite,
            _ => Scope::MembersWrite,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let named = Self::ALL.into_iter().find(|role| role.word() == text);
        named.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_said_alike_everywhere() {
        for role in Role::ALL {
            assert_eq!(role.word().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.word());
        }
        assert_eq!("root".parse::<Role>(), Err(UnknownRole("root".to_owned())));
    }

    #[test]
    fn each_may_do_what_the_one_below_may_and_only_owners_everything() {
        assert_eq!(Role::Owner.scopes(), Scope::ALL);
        assert!(!Role::Admin.scopes().contains(&Scope::OwnersWrite));
        assert!(!Role::Admin.scopes().contains(&Scope::PolicyWrite));
        let reading = Role::Viewer.scopes();
        for role in Role::ALL {
            assert!(reading.iter().all(|scope| role.scopes().contains(scope)), "{role}");
        }
        for role in [Role::Developer, Role::Billing, Role::Viewer] {
            assert!(!role.scopes().contains(&Scope::MembersWrite), "{role}");
        }
        assert!(!Role::Billing.scopes().contains(&Scope::PlatformsWrite));
        assert!(!Role::Viewer.scopes().contains(&Scope::TicketsWrite));
        let lets_in = |role: &Role| role.scopes().contains(&Scope::PlatformsAdmin);
        assert_eq!(Role::ALL.map(|role| lets_in(&role)), [true, true, false, false, false]);
    }
}
