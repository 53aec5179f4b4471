//! How much is on each database server, counted by what platforms say of themselves.

use std::collections::HashMap;

use blueprint::{BlueprintStatus, PlatformBlueprint};
use plan::Installation;

/// Databases, and those of platforms that are awake, by the names of servers.
#[derive(Debug, Default)]
pub(crate) struct Load(HashMap<String, (u32, u32)>);

impl Load {
    /// Counts a platform.
    pub(crate) fn add(&mut self, status: Option<&BlueprintStatus>) {
        let Some(status) = status else { return };
        let Some(database) = &status.database else { return };
        let (databases, awake) = self.0.entry(database.server.clone()).or_default();
        *databases += 1;
        *awake += u32::from(status.runtime.as_ref().is_none_or(|runtime| runtime.awake));
    }

    /// The installation as a platform finds it, with what is on each server now as `count` tells
    /// it. Who has a database stays where it is, whatever is there.
    pub(crate) fn on(
        installation: &Installation,
        blueprint: &PlatformBlueprint,
        count: impl FnOnce(&mut Self),
    ) -> Installation {
        let mut installation = installation.clone();
        if blueprint.status.as_ref().is_none_or(|status| status.database.is_none()) {
            let mut load = Self::default();
            count(&mut load);
            load.put_on(&mut installation);
        }
        installation
    }

    /// Adds it to what the installation says.
    fn put_on(mut self, installation: &mut Installation) {
        for server in &mut installation.fleet.servers {
            let (databases, awake) = self.0.remove(&server.name).unwrap_or_default();
            server.databases += databases;
            server.awake += awake;
        }
    }
}
