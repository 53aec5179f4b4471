//! What a person may do here.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A person's part on the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whose platform it is. There is always an active one, and only owners make owners.
    Owner,
    /// Runs the platform for the owner.
    Admin,
    /// Looks after what others write.
    Moderator,
    /// Makes agents, and may earn by them.
    Creator,
    /// Uses agents.
    User,
    /// A user who looks after children.
    Parent,
    /// A user looked after by parents.
    Child,
}

/// One thing that roles differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Settings, brand, domains, pages, plan.
    ManagePlatform,
    /// Invite, suspend, change roles.
    ManagePeople,
    /// Approve agents, handle reports.
    Moderate,
    /// Make agents of one's own.
    CreateAgents,
    /// Talk to agents.
    Chat,
    /// The numbers of the whole platform.
    SeeAnalytics,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Self; 7] = [
        Self::Owner,
        Self::Admin,
        Self::Moderator,
        Self::Creator,
        Self::User,
        Self::Parent,
        Self::Child,
    ];

    /// Whether this role allows that.
    pub fn may(self, permission: Permission) -> bool {
        match permission {
            Permission::ManagePlatform | Permission::ManagePeople | Permission::SeeAnalytics => {
                matches!(self, Self::Owner | Self::Admin)
            }
            Permission::Moderate => matches!(self, Self::Owner | Self::Admin | Self::Moderator),
            Permission::CreateAgents => matches!(self, Self::Owner | Self::Admin | Self::Creator),
            Permission::Chat => true,
        }
    }

    /// Whether this role may make somebody of role `former` one of role `wanted`: those who manage
    /// people may, but owners are made and unmade by owners only.
    pub fn may_change(self, former: Self, wanted: Self) -> bool {
        let of_owner = former == Self::Owner || wanted == Self::Owner;
        self.may(Permission::ManagePeople) && (self == Self::Owner || !of_owner)
    }

    /// As stored and shown: `owner`, `admin`, and so on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Moderator => "moderator",
            Self::Creator => "creator",
            Self::User => "user",
            Self::Parent => "parent",
            Self::Child => "child",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no role is named {0:?}")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_its_permissions() {
        use Permission::{
            Chat, CreateAgents, ManagePeople, ManagePlatform, Moderate, SeeAnalytics,
        };
        let all = [ManagePlatform, ManagePeople, Moderate, CreateAgents, Chat, SeeAnalytics];
        let of = |role: Role| all.into_iter().filter(|&p| role.may(p)).collect::<Vec<_>>();
        assert_eq!(of(Role::Owner), all);
        assert_eq!(of(Role::Admin), all);
        assert_eq!(of(Role::Moderator), [Moderate, Chat]);
        assert_eq!(of(Role::Creator), [CreateAgents, Chat]);
        for role in [Role::User, Role::Parent, Role::Child] {
            assert_eq!(of(role), [Chat]);
        }
    }

    #[test]
    fn only_owners_make_and_unmake_owners() {
        assert!(Role::Owner.may_change(Role::User, Role::Owner));
        assert!(Role::Owner.may_change(Role::Owner, Role::User));
        assert!(Role::Admin.may_change(Role::User, Role::Admin));
        assert!(!Role::Admin.may_change(Role::User, Role::Owner));
        assert!(!Role::Admin.may_change(Role::Owner, Role::User));
        assert!(!Role::Moderator.may_change(Role::User, Role::Creator));
    }

    #[test]
    fn a_role_is_written_one_way_everywhere() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert_eq!("Owner".parse::<Role>(), Err(UnknownRole("Owner".to_owned())));
    }
}
