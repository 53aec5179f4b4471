//! The end of a platform: stopped at once, kept for a while, then purged.

use std::sync::Arc;
use std::time::Duration;

use blueprint::spec::{DeletionPolicy, Placement};
use jiff::SignedDuration;
use uuid::Uuid;

use super::apply::Turn;
use super::{Driver, Failure, KEPT_FOR};
use crate::cluster::CallError;
use crate::seen::{Home, News, Resource, Tombstone};

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
            let stone = match home.deleted.clone() {
                // Of one whose data is going, nothing is taken back.
                Some(stone) if stone.of == home.owner || stone.purging => stone,
                // On its way back from an earlier deletion: it is kept anew from here on.
                earlier => {
                    turn.forget_wish(earlier.as_ref()).await?;
                    self.stone(&home, resource.as_deref(), earlier.and_then(|it| it.server))
                }
            };
            turn.mark_deleted(&stone).await?;
        }
        if let Some(resource) = resource {
            turn.hold(&resource, false).await?;
        }
        self.memory.forget(turn.name);
        // What comes next is another stage, of which no watch tells: this was our own doing.
        turn.done.again = Some(SOON);
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
    fn stone(&self, home: &Home, resource: Option<&Resource>, server: Option<String>) -> Tombstone {
        let now = self.clock.now();
        let kept = SignedDuration::try_from(KEPT_FOR).unwrap_or(SignedDuration::MAX);
        let database = resource.and_then(|it| it.status()?.database.as_ref());
        let shared = database.filter(|database| database.placement == Placement::Shared);
        let blueprint = resource.and_then(|it| it.blueprint.as_ref().ok());
        let policy = blueprint.map(|blueprint| blueprint.spec.database.deletion_policy);
        Tombstone {
            of: home.owner,
            at: now,
            purge_after: now.checked_add(kept).unwrap_or(now),
            by_itself: policy == Some(DeletionPolicy::Delete),
            server: shared.map(|database| database.server.clone()).or(server),
            purging: false,
        }
    }

    /// Removes the data, then the namespace.
    ///
    /// Before the data goes it is said on the namespace, as it was seen and no other: whoever
    /// brings a platform back writes there first, so one of the two is refused. That is said in
    /// each turn, as what is known may be older than a platform that was made since.
    pub(super) async fn purge(&self, turn: &mut Turn<'_>, stone: Tombstone) -> Result<(), Failure> {
        if !stone.purging {
            self.is_as_known(turn).await?;
        }
        let stone = Tombstone { purging: true, ..stone };
        turn.mark_purging(&stone).await?;
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
        self.release_names(turn).await?;
        turn.mark_purged(&stone).await?;
        turn.remove_home().await?;
        turn.done.again = Some(SOON);
        Ok(())
    }

    /// A blueprint may want a platform back of which no watch has told yet, and one that is known
    /// may be gone.
    pub(super) async fn is_as_known(&self, turn: &mut Turn<'_>) -> Result<(), Failure> {
        let found = self.cluster.blueprint(turn.name).await?;
        let of = |resource: &Arc<Resource>| (resource.uid, resource.version);
        let (is, news) = match found {
            Some(News::Blueprint(name, found)) => {
                (Some(of(&found)), Some(News::Blueprint(name, found)))
            }
            _ => (None, None),
        };
        if is == turn.tenant.resource.as_ref().map(of) {
            return Ok(());
        }
        if let Some(news) = news {
            self.seen.hear(news);
        }
        Err(CallError::Conflict(format!("what is known of {}", turn.name)).into())
    }
}

/// The next stage follows within this time.
const SOON: Duration = Duration::from_millis(100);
