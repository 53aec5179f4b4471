//! What a tenant's database and roles are called.

use blueprint::BlueprintName;

/// Names on the server. A blueprint's name has no underscore, so `-` becomes `_` and no two
/// tenants share a name; the longest has 49 of the 63 bytes Postgres keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) database: String,
    pub(crate) owner: String,
    pub(crate) app: String,
    pub(crate) read: String,
}

/// What somebody logs in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    App,
    Read,
}

impl Login {
    pub(crate) const BOTH: [Self; 2] = [Self::App, Self::Read];
}

impl Names {
    pub(crate) fn of(name: &BlueprintName) -> Self {
        let database = format!("t_{}", name.as_str().replace('-', "_"));
        Self {
            owner: format!("{database}_owner"),
            app: format!("{database}_app"),
            read: format!("{database}_read"),
            database,
        }
    }

    /// The role that has the password of this number: two take turns. The first of them has the
    /// rights to rows, the second is a member of it.
    pub(crate) fn login(&self, login: Login, number: u32) -> String {
        let first = self.first(login);
        if number.is_multiple_of(2) { first.to_owned() } else { format!("{first}_b") }
    }

    pub(crate) fn first(&self, login: Login) -> &str {
        match login {
            Login::App => &self.app,
            Login::Read => &self.read,
        }
    }

    /// Every role, those that others depend on last.
    pub(crate) fn roles(&self) -> Vec<String> {
        let logins = [1, 0]
            .into_iter()
            .flat_map(|number| Login::BOTH.map(|login| self.login(login, number)));
        logins.chain([self.owner.clone()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_two_tenants_share_a_role(a in "[a-z]([-a-z0-9]{0,38}[a-z0-9])?", suffix in "-(app|read|owner|app-b|b)") {
            let b = format!("{}{suffix}", &a[..a.len().min(30)]);
            let (Ok(a), Ok(b)) = (a.parse(), b.parse()) else { return Ok(()) };
            prop_assume!(a != b);
            let (a, b) = (Names::of(&a), Names::of(&b));
            prop_assert_ne!(&a.database, &b.database);
            let roles: HashSet<_> = a.roles().into_iter().chain(b.roles()).collect();
            prop_assert_eq!(roles.len(), 10);
            prop_assert!(roles.iter().all(|role| role.len() <= 63));
        }
    }
}
