//! The ports of one operator's process, and what may go wrong with each call.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use blueprint::BlueprintName;
use jiff::{SignedDuration, Timestamp};
use operator::cluster::{At, CALL_DEADLINE, CallError, Cluster, Found, OwnDatabase, Told, Write};
use operator::databases::{
    Access, AdminLink, DATABASE_DEADLINE, DatabaseError, Databases, Made, Server, Tables,
};
use operator::lease::Epoch;
use operator::reconcile::{KEPT_FOR, PAST_GRACE, TURN_DEADLINE};
use operator::seen::{ChildId, News, Resource, Seen};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::world::{Database, Shared, World, home_of};

/// The version of the tables that there are.
const SCHEMA: i64 = 3;
/// Those of the installation.
const SERVERS: [&str; 2] = ["db-1", "db-2"];
/// Clocks are wrong by no more than this.
pub(crate) const WRONG: Duration = Duration::from_hours(36);

pub(crate) struct Ports {
    pub(crate) world: Shared,
    pub(crate) seen: Arc<Seen>,
    /// A dead process does nothing any more.
    pub(crate) alive: Arc<AtomicBool>,
    /// How many operators took over before.
    pub(crate) epoch: u64,
    /// Since when it is known that a platform is paused.
    pub(crate) paused: Mutex<BTreeMap<String, Instant>>,
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Well,
    KilledBefore,
    KilledAfter,
    AnswerLost,
    Hangs,
    HangsAndCommits,
    /// It is done when nobody waits for it any more.
    Late(Duration),
    Busy(Duration),
    Broken,
}

fn unavailable<T>(why: &str, after: Option<Duration>) -> Result<T, CallError> {
    Err(CallError::Unavailable { why: why.to_owned(), after })
}

impl Ports {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    async fn die(&self) -> ! {
        self.alive.store(false, Ordering::Relaxed);
        self.world().note(|| format!("operator {} is killed", self.epoch));
        pending().await
    }

    async fn lives(&self) {
        if !self.alive.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    fn fate(&self) -> (Fate, Duration, Duration) {
        let mut world = self.world();
        let rate = world.faults.calls;
        let chance = &mut world.chance;
        let mut pause = |most| Duration::from_millis(chance.below(most));
        let (before, after) = (pause(20), pause(20));
        let seconds =
            |chance: &mut crate::chance::Chance, most| Duration::from_secs(chance.between(1, most));
        let fate = if rate == 0 || !chance.one_in(rate) {
            Fate::Well
        } else {
            match chance.below(9) {
                0 => Fate::KilledBefore,
                1 => Fate::KilledAfter,
                2 | 3 => Fate::AnswerLost,
                4 => Fate::Hangs,
                5 => Fate::HangsAndCommits,
                6 => Fate::Late(seconds(chance, 30)),
                7 => Fate::Busy(seconds(chance, 5)),
                _ => Fate::Broken,
            }
        };
        if !matches!(fate, Fate::Well) {
            world.note(|| format!("operator {}: the next call: {fate:?}", self.epoch));
        }
        (fate, before, after)
    }

    async fn call<T: Send + 'static>(
        &self,
        commit: impl FnOnce(&mut World) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        self.lives().await;
        let (fate, before, after) = self.fate();
        sleep(before).await;
        self.lives().await;
        let nobody = "no answer in time";
        match fate {
            Fate::Well => {
                let done = commit(&mut self.world());
                sleep(after).await;
                self.lives().await;
                done
            }
            Fate::KilledBefore => self.die().await,
            Fate::KilledAfter => {
                let _ = commit(&mut self.world());
                self.die().await
            }
            Fate::AnswerLost => {
                let _ = commit(&mut self.world());
                unavailable("the connection was reset", None)
            }
            Fate::Hangs => {
                sleep(CALL_DEADLINE).await;
                unavailable(nobody, None)
            }
            Fate::HangsAndCommits => {
                let _ = commit(&mut self.world());
                sleep(CALL_DEADLINE).await;
                unavailable(nobody, None)
            }
            Fate::Late(late) => {
                let world = self.world.clone();
                tokio::spawn(async move {
                    sleep(late).await;
                    let mut world = world.lock().unwrap();
                    world.note(|| "a late call arrives".to_owned());
                    let _ = commit(&mut world);
                });
                sleep(CALL_DEADLINE).await;
                unavailable(nobody, None)
            }
            Fate::Busy(after) => unavailable("429 too many requests", Some(after)),
            Fate::Broken => unavailable("503 service unavailable", None),
        }
    }

    /// A paused platform is left as it is from when that is known; a turn that had begun before
    /// may end.
    fn respects_pauses(&self, tenant: &str) {
        let paused = self.seen.look(tenant, |it| {
            let Some(tenant) = it else { return false };
            let Some(resource) = &tenant.resource else { return false };
            let Ok(blueprint) = &resource.blueprint else { return false };
            // What is there is of another platform, which ends or comes back.
            let is_its_own = tenant
                .home()
                .is_none_or(|(_, home)| home.owner == Some(resource.uid) && home.deleted.is_none());
            // Nobody pauses what is due for an unpaid bill.
            let is_late = blueprint.status.iter().flat_map(|status| &status.conditions);
            let is_late = is_late.into_iter().any(|it| it.reason == PAST_GRACE);
            blueprint.spec.paused
                && !is_late
                && is_its_own
                && blueprint.metadata.deletion_timestamp.is_none()
        });
        let mut since = self.paused.lock().unwrap();
        if !paused {
            since.remove(tenant);
            return;
        }
        let since = *since.entry(tenant.to_owned()).or_insert_with(Instant::now);
        if since.elapsed() > TURN_DEADLINE {
            self.world().violated(format!("{tenant} is paused, and is written to"));
        }
    }

    /// The same for databases.
    pub(crate) async fn sql<T: Send + 'static>(
        &self,
        server: &str,
        commit: impl FnOnce(&mut World) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        self.lives().await;
        let (fate, before, after) = self.fate();
        sleep(before * 20).await;
        self.lives().await;
        let unreachable = |why: &str| {
            Err(DatabaseError::Unreachable { server: server.to_owned(), why: why.to_owned() })
        };
        match fate {
            Fate::Late(late) => {
                let world = self.world.clone();
                tokio::spawn(async move {
                    sleep(late).await;
                    let mut world = world.lock().unwrap();
                    world.note(|| "a late statement arrives".to_owned());
                    let _ = commit(&mut world);
                });
                sleep(DATABASE_DEADLINE).await;
                unreachable("no answer in time")
            }
            Fate::Well => {
                let done = commit(&mut self.world());
                sleep(after).await;
                self.lives().await;
                done
            }
            Fate::KilledBefore => self.die().await,
            Fate::KilledAfter => {
                let _ = commit(&mut self.world());
                self.die().await
            }
            Fate::AnswerLost => {
                let _ = commit(&mut self.world());
                unreachable("the connection was reset")
            }
            Fate::HangsAndCommits => {
                let _ = commit(&mut self.world());
                sleep(DATABASE_DEADLINE).await;
                unreachable("no answer in time")
            }
            Fate::Hangs => {
                sleep(DATABASE_DEADLINE).await;
                unreachable("no answer in time")
            }
            Fate::Busy(_) | Fate::Broken => unreachable("no connection"),
        }
    }
}

#[async_trait]
impl Cluster for Ports {
    async fn home(&self, tenant: &str) -> Result<Found, CallError> {
        let tenant = tenant.to_owned();
        self.call(move |world| Ok(world.home(&tenant))).await
    }

    async fn blueprint(&self, name: &str) -> Result<Option<News>, CallError> {
        let name = name.to_owned();
        self.call(move |world| Ok(world.papers.get(&name).map(|paper| paper.news(&name)))).await
    }

    async fn own_database(&self, _: &str) -> Result<Option<OwnDatabase>, CallError> {
        // This installation makes none.
        Ok(None)
    }

    async fn apply(&self, write: Write<'_>) -> Result<News, CallError> {
        let Write { tenant, id, object, manager, at } = write;
        self.respects_pauses(tenant);
        let (tenant, id, object) = (tenant.to_owned(), id.clone(), object.clone());
        self.call(move |world| world.apply(&tenant, &id, &object, manager, at)).await
    }

    async fn remove(&self, tenant: &str, id: &ChildId, at: At) -> Result<Option<News>, CallError> {
        self.respects_pauses(tenant);
        let (tenant, id) = (tenant.to_owned(), id.clone());
        self.call(move |world| world.remove(&tenant, &id, at)).await
    }

    async fn status(&self, name: &str, at: At, status: &Value) -> Result<News, CallError> {
        let (name, status) = (name.to_owned(), status.clone());
        self.call(move |world| world.status(&name, at, &status)).await
    }

    async fn hold(&self, name: &str, at: At, held: bool) -> Result<News, CallError> {
        let name = name.to_owned();
        self.call(move |world| world.hold(&name, at, held)).await
    }

    async fn tell(&self, _: &str, _: &Resource, _: Told) {}
}

#[async_trait]
impl Databases for Ports {
    async fn take_charge(&self, _: Epoch) {
        let epoch = self.epoch;
        for server in SERVERS {
            let _ = self.sql(server, move |world| world.passes_fence(server, epoch)).await;
        }
    }

    fn schema_version(&self) -> i64 {
        SCHEMA
    }

    fn name_of(&self, name: &BlueprintName) -> String {
        format!("t_{name}")
    }

    fn access(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<Access, DatabaseError> {
        let server = shared(server);
        let url = |role: &str| format!("postgres://{role}:{number}@{server}/t_{name}").into();
        Ok(Access { app: url("app"), read: url("read") })
    }

    async fn ensure(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
        _: Tables,
    ) -> Result<Made, DatabaseError> {
        let key = (shared(server).to_owned(), name.to_string());
        let epoch = self.epoch;
        self.sql(shared(server), move |world| {
            world.passes_fence(&key.0, epoch)?;
            let number = world.make(key, number);
            Ok(Made { version: SCHEMA, number })
        })
        .await
    }

    async fn close_old(
        &self,
        server: &Server,
        _: &BlueprintName,
        _: u32,
    ) -> Result<(), DatabaseError> {
        self.sql(shared(server), |_| Ok(())).await
    }

    async fn is_on(&self, server: &str, name: &BlueprintName) -> Result<bool, DatabaseError> {
        let key = (server.to_owned(), name.to_string());
        self.sql(server, move |world| Ok(world.databases.contains_key(&key))).await
    }

    /// Somebody uses each at once.
    async fn admin_link(
        &self,
        server: &Server,
        _: &BlueprintName,
        _: AdminLink,
    ) -> Result<Option<SecretString>, DatabaseError> {
        self.sql(shared(server), |_| Ok(None)).await
    }

    async fn next_due(
        &self,
        server: &Server,
        _: &BlueprintName,
        _: u32,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        self.sql(shared(server), |_| Ok(None)).await
    }

    async fn purge(&self, server: &str, name: &BlueprintName) -> Result<(), DatabaseError> {
        let key = (server.to_owned(), name.to_string());
        let epoch = self.epoch;
        self.sql(server, move |world| {
            world.passes_fence(&key.0, epoch)?;
            world.drop_database(&key);
            Ok(())
        })
        .await
    }
}

fn shared(server: &Server) -> &str {
    match server {
        Server::Shared(name) => name,
        Server::Own(own) => &own.host,
    }
}

impl World {
    /// Who is not in charge any more is refused, as soon as a newer one was here.
    pub(crate) fn passes_fence(&mut self, server: &str, epoch: u64) -> Result<(), DatabaseError> {
        let fence = self.fences.entry(server.to_owned()).or_default();
        if *fence > epoch {
            let of = |epoch: u64| Epoch::try_from(epoch).unwrap();
            return Err(DatabaseError::Fenced { mine: of(epoch), newest: of(*fence) });
        }
        *fence = epoch;
        Ok(())
    }

    /// Returns the number of its passwords.
    fn make(&mut self, key: (String, String), number: u32) -> u32 {
        self.asked(&key.1.clone());
        if let Some(made) = self.databases.get_mut(&key) {
            made.number = made.number.max(number);
            return made.number;
        }
        self.changes += 1;
        self.note(|| format!("the database of {} is made on {}", key.1, key.0));
        let other = self.databases.keys().find(|(_, name)| *name == key.1);
        if let Some((server, _)) = other {
            let what =
                format!("{} has a database on {server}, and one is made on {}", key.1, key.0);
            self.violated(what);
        }
        // Whoever asks may have heard late of whose the name is by now: the namespace knows.
        let of = self.owner(&key.1);
        self.databases.insert(key, Database { of, number });
        number
    }

    fn drop_database(&mut self, key: &(String, String)) {
        let (server, name) = key;
        self.asked(name);
        if self.databases.remove(key).is_none() {
            return;
        }
        self.changes += 1;
        self.note(|| format!("the database of {name} on {server} is dropped"));
        let Some(stone) = self.stone(name) else {
            return self.violated(format!("the database of {name}, which lives, is dropped"));
        };
        let home = self.things[&home_of(name)].uid;
        let ended = self.owner(name).and_then(|owner| self.ended.get(&owner).copied());
        let kept = SignedDuration::try_from(KEPT_FOR.saturating_sub(2 * WRONG)).unwrap();
        let is_over = ended.is_some_and(|ended| self.now().duration_since(ended) >= kept);
        if !(self.typed.contains(&home) || stone.by_itself && is_over) {
            self.violated(format!("the database of {name} is dropped before its time"));
        }
    }
}
