//! The end of a platform: stopped at once, kept for a while, then purged.

use std::sync::Arc;

use blueprint::spec::{DeletionPolicy, Placement};
use jiff::SignedDuration;
use uuid::Uuid;

use super::apply::Turn;
use super::{Driver, Failure, KEPT_FOR};
use crate::cluster::CallError;
use crate::seen::{News, Resource, Tombstone};

impl Driver {
    /// Stops a platform, notes what is to become of it, and lets its blueprint go. What it needs
    /// is the API server alone, so that a deletion ends whatever else is down.
    pub(super) async fn delete(
        &self,
        turn: &mut Turn<'_>,
        resource: Option<Arc<Resource>>,
    ) -> Result<(), Failure> {
        let home = turn.tenant.home().map(|(_, home)| home.clone());
        // A namespace that was kept for another blueprint of the name is not this one's to end.
        let is_its_own = |uid| resource.as_ref().is_none_or(|resource| uid == Some(resource.uid));
        if let Some(home) = home.filter(|home| is_its_own(home.owner)) {
            if resource.is_none() {
                self.is_really_gone(turn, home.owner).await?;
            }
            let stone = home.deleted.unwrap_or_else(|| self.stone(resource.as_deref()));
            turn.mark_deleted(&stone).await?;
        }
        if let Some(resource) = resource {
            turn.hold(&resource, false).await?;
        }
        self.memory.forget(turn.name);
        Ok(())
    }

    /// A list may have been older than the blueprint that it lacks. So nothing is ended for want
    /// of a blueprint before the API server was asked for that very one.
    async fn is_really_gone(
        &self,
        turn: &mut Turn<'_>,
        owner: Option<Uuid>,
    ) -> Result<(), Failure> {
        let Some(News::Blueprint(name, found)) = self.cluster.blueprint(turn.name).await? else {
            return Ok(());
        };
        if owner != Some(found.uid) {
            return Ok(());
        }
        self.seen.hear(News::Blueprint(name, found));
        Err(CallError::Conflict(format!("what is known of {}", turn.name)).into())
    }

    /// What is to become of a platform with this blueprint; of one whose blueprint went unseen,
    /// nothing that cannot be taken back.
    fn stone(&self, resource: Option<&Resource>) -> Tombstone {
        let now = self.clock.now();
        let kept = SignedDuration::try_from(KEPT_FOR).unwrap_or(SignedDuration::MAX);
        let database = resource.and_then(|it| it.status()?.database.as_ref());
        let shared = database.filter(|database| database.placement == Placement::Shared);
        let blueprint = resource.and_then(|it| it.blueprint.as_ref().ok());
        let policy = blueprint.map(|blueprint| blueprint.spec.database.deletion_policy);
        Tombstone {
            at: now,
            purge_after: now.checked_add(kept).unwrap_or(now),
            by_itself: policy == Some(DeletionPolicy::Delete),
            server: shared.map(|database| database.server.clone()),
        }
    }

    /// Removes the data, then the namespace.
    pub(super) async fn purge(&self, turn: &mut Turn<'_>, stone: Tombstone) -> Result<(), Failure> {
        if let Ok(name) = turn.name.parse() {
            let servers = &self.installation.fleet.servers;
            // Where the blueprint went unseen, nobody noted where the data is.
            let anywhere = || servers.iter().map(|server| server.name.clone()).collect();
            let servers: Vec<_> = stone.server.clone().map_or_else(anywhere, |server| vec![server]);
            for server in servers {
                self.databases.purge(&server, &name).await?;
                turn.done.writes += 1;
            }
        }
        turn.mark_purged(&stone).await?;
        turn.remove_home().await
    }
}
