//! What a tenant's database and roles are called.

use blueprint::BlueprintName;

/// Names on the server. A blueprint's name has no underscore, so `-` becomes `_` and no two
/// tenants share a name; the longest has 48 of the 63 bytes Postgres keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) database: String,
    pub(crate) owner: String,
    pub(crate) app: String,
    pub(crate) read: String,
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
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_two_tenants_share_a_role(a in "[a-z]([-a-z0-9]{0,38}[a-z0-9])?", suffix in "-(app|read|owner)") {
            let b = format!("{}{suffix}", &a[..a.len().min(30)]);
            let (Ok(a), Ok(b)) = (a.parse(), b.parse()) else { return Ok(()) };
            prop_assume!(a != b);
            let (a, b) = (Names::of(&a), Names::of(&b));
            prop_assert_ne!(&a.database, &b.database);
            let roles = HashSet::from([a.owner, a.app, a.read, b.owner, b.app, b.read]);
            prop_assert_eq!(roles.len(), 6);
            prop_assert!(roles.iter().all(|role| role.len() <= 63));
        }
    }
}
