//! The register of names: who has which, and who is met.

use std::collections::BTreeMap;

use async_trait::async_trait;
use blueprint::status::{DomainState, DomainStatus};
use certificates::served::Sleeps;
use jiff::Timestamp;
use operator::databases::DatabaseError;
use operator::domains::{Domains, DomainsError, Kept, Named, Wish};
use operator::kind::Kind;
use operator::lease::Epoch;
use operator::seen::ChildId;
use serde_json::json;
use uuid::Uuid;

use crate::fields;
use crate::people::NAMES;
use crate::ports::Ports;
use crate::world::{World, home_of};

/// The register is one server more.
const REGISTER: &str = "register";

/// What it has of a blueprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    tenant: String,
    names: Vec<String>,
    /// Edges know it; once they do not, they never do again.
    is_met: bool,
}

/// What edges know of a platform that may sleep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bed {
    copies: u16,
    asleep: bool,
    /// Since when nobody uses it; nothing while it sleeps.
    quiet: Option<Timestamp>,
}

/// All that it has.
pub(crate) type Register = BTreeMap<Uuid, Known>;

#[async_trait]
impl Domains for Ports {
    async fn take_charge(&self, _: Epoch) {
        let epoch = self.epoch;
        let _ = self.sql(REGISTER, move |world| world.passes_fence(REGISTER, epoch)).await;
    }

    async fn keep(&self, wish: &Wish) -> Result<Kept, DomainsError> {
        let (epoch, wish) = (self.epoch, wish.clone());
        self.register(move |world| {
            world.passes_fence(REGISTER, epoch)?;
            Ok(world.keep(&wish))
        })
        .await?
    }

    async fn quiet_since(&self, uid: Uuid) -> Result<Option<Timestamp>, DomainsError> {
        self.register(move |world| {
            let now = world.now();
            let bed = world.beds.get_mut(&uid).filter(|bed| !bed.asleep);
            Ok(bed.map(|bed| *bed.quiet.get_or_insert(now)))
        })
        .await
    }

    async fn let_sleep(&self, uid: Uuid, quiet: Timestamp) -> Result<bool, DomainsError> {
        let epoch = self.epoch;
        self.register(move |world| {
            world.passes_fence(REGISTER, epoch)?;
            let bed = world.beds.get_mut(&uid).filter(|bed| bed.quiet == Some(quiet));
            let Some(bed) = bed else { return Ok(false) };
            (bed.asleep, bed.quiet) = (true, None);
            Ok(true)
        })
        .await
    }

    async fn close(&self, uid: Uuid) -> Result<(), DomainsError> {
        let epoch = self.epoch;
        self.register(move |world| {
            world.passes_fence(REGISTER, epoch)?;
            world.close(uid);
            Ok(())
        })
        .await
    }

    async fn of_name(&self, name: &str) -> Result<Vec<Uuid>, DomainsError> {
        let name = name.to_owned();
        self.register(move |world| Ok(world.known(&name))).await
    }

    async fn release(&self, uid: Uuid) -> Result<(), DomainsError> {
        let epoch = self.epoch;
        self.register(move |world| {
            world.passes_fence(REGISTER, epoch)?;
            world.close(uid);
            world.release(uid);
            Ok(())
        })
        .await
    }
}

impl Ports {
    async fn register<T: Send + 'static>(
        &self,
        commit: impl FnOnce(&mut World) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DomainsError> {
        self.sql(REGISTER, commit).await.map_err(|error| match error {
            DatabaseError::Fenced { .. } => DomainsError::Fenced,
            error => DomainsError::Unreachable(error.to_string()),
        })
    }
}

impl World {
    fn keep(&mut self, wish: &Wish) -> Result<Kept, DomainsError> {
        let (uid, name) = (wish.platform.uid, &wish.platform.name);
        let mut names = Vec::new();
        if let Some(known) = self.register.get(&uid) {
            if !known.is_met {
                return Err(DomainsError::Ended);
            }
            names.clone_from(&known.names);
        }
        let gives_up = names.iter().any(|name| !wish.names.contains(name));
        let mut others = self.known(name);
        others.retain(|other| *other != uid);
        let gone = wish.gone.as_deref().unwrap_or_default();
        let is_asked = wish.gone.is_some();
        if gives_up && !is_asked || others.iter().any(|other| !gone.contains(other)) {
            return Err(DomainsError::Unsure { others });
        }
        for other in others {
            self.close(other);
            let lost = self.release(other);
            let is_its_own = self.undeleting.contains(&uid) && self.came_back(name, uid);
            if is_its_own && !wish.comes_back && lost.iter().any(|it| wish.names.contains(it)) {
                self.violated(format!("{name} came back, and {lost:?} is not its own any more"));
            }
        }
        match &wish.platform.sleeps {
            None => {
                self.beds.remove(&uid);
            }
            Some(Sleeps { copies, asleep, .. }) => {
                let was = self.beds.get(&uid).and_then(|bed| bed.quiet).filter(|_| !asleep);
                self.beds.insert(uid, Bed { copies: *copies, asleep: *asleep, quiet: was });
            }
        }
        let known = Known { tenant: name.clone(), names: wish.names.clone(), is_met: true };
        if self.register.insert(uid, known.clone()) != Some(known) {
            self.changes += 1;
            self.note(|| format!("{name} is met, and has the names {:?}", wish.names));
        }
        let names = wish.names.iter().map(|name| Named {
            status: DomainStatus {
                name: name.clone(),
                state: DomainState::Serving,
                record: None,
                found: Vec::new(),
                expires_at: None,
            },
            stands: None,
            again: None,
        });
        let primary_host = wish.names.first().cloned();
        Ok(Kept { names: names.collect(), primary_host, own_is_served: true })
    }

    /// Somebody visits a platform: an edge wakes it before it asks it, if it knows that it sleeps,
    /// and else when nobody answers there.
    pub(crate) fn visit(&mut self, name: &str) {
        let met = self.register.iter().find(|(_, it)| it.tenant == name && it.is_met);
        let Some(uid) = met.map(|(uid, _)| *uid) else { return };
        let now = self.now();
        let Some(bed) = self.beds.get_mut(&uid) else { return };
        bed.quiet = Some(now);
        let copies = bed.copies;
        let runtime = ChildId { kind: Kind::Deployment, name: "runtime".into() };
        let key = (home_of(name).0, runtime);
        let Some(mut thing) = self.things.get(&key).cloned() else { return };
        if thing.value["spec"]["replicas"] != 0 {
            return;
        }
        self.note(|| format!("{name} is woken by a visitor"));
        thing.generation += 1;
        let path = fields::path(&["spec", "replicas"]);
        fields::overwrite(&mut thing.value, &mut thing.owned, &path, Some(json!(copies)));
        self.commit(&key, thing);
    }

    fn close(&mut self, uid: Uuid) {
        let is_living = self.papers.values().any(|paper| paper.uid == uid && !paper.deleted);
        let Some(known) = self.register.get_mut(&uid).filter(|known| known.is_met) else { return };
        known.is_met = false;
        let tenant = known.tenant.clone();
        self.changes += 1;
        self.note(|| format!("{tenant} is met no more"));
        if is_living {
            self.violated(format!("{tenant} is met no more, and lives"));
        }
    }

    /// What it had.
    fn release(&mut self, uid: Uuid) -> Vec<String> {
        let Some(known) = self.register.get_mut(&uid) else { return Vec::new() };
        let had = std::mem::take(&mut known.names);
        if !had.is_empty() {
            let tenant = known.tenant.clone();
            self.changes += 1;
            self.note(|| format!("{tenant} gives its names up"));
        }
        had
    }

    /// Whether what is there was kept for whoever has it by now.
    fn came_back(&self, tenant: &str, uid: Uuid) -> bool {
        self.owner(tenant) == Some(uid) && self.stone(tenant).is_none()
    }

    /// The blueprints of a name that there is anything of.
    fn known(&self, name: &str) -> Vec<Uuid> {
        let known = self.register.iter();
        let known =
            known.filter(|(_, it)| it.tenant == name && (it.is_met || !it.names.is_empty()));
        known.map(|(uid, _)| *uid).collect()
    }

    /// What is wrong with names, at any time of rest.
    pub(crate) fn wrong_names(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (uid, known) in &self.register {
            let Known { tenant, names, is_met } = known;
            let paper = self.papers.get(tenant);
            let is_there = paper.is_some_and(|paper| paper.uid == *uid);
            // Whoever has its name by now keeps all as it is for as long.
            let is_paused = paper.is_some_and(|paper| paper.spec["paused"] == true);
            if *is_met && !is_there {
                wrong.push(format!("{tenant} has ended, and is met"));
            }
            if !names.is_empty() && !is_there && !is_paused && self.stone(tenant).is_none() {
                wrong.push(format!("{tenant} is gone for good, and has the names {names:?}"));
            }
        }
        for name in NAMES {
            let met = self.register.values().filter(|it| it.tenant == name && it.is_met).count();
            if met > 1 {
                wrong.push(format!("{name} is met {met} times"));
            }
        }
        wrong
    }

    /// What the register has of a platform in another way than that of another world.
    pub(crate) fn other_names(&self, other: &Self, uid: Uuid) -> Option<String> {
        let (is, should) = (self.register.get(&uid), other.register.get(&uid));
        (is != should).then(|| format!("the register has {is:?}, and not {should:?}"))
    }
}
