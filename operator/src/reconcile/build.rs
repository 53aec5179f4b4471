//! What the blueprint says, made true: data first, then what limits and feeds pods, then pods.

use std::borrow::Cow;
use std::time::Duration;

use blueprint::spec::Placement;
use blueprint::status::{DatabaseStatus, Passwords};
use blueprint::{PlatformBlueprint, Problem};
use plan::{Installation, Objects, Plan, SecretKey, Secrets};
use secrecy::SecretString;

use super::apply::{Filled, Turn};
use super::conditions::{Conditions, Said};
use super::load::Load;
use super::passwords::{self, Due};
use super::{Driver, Failure};
use crate::cluster::{CallError, Found, OWN_DATABASE_SECRET};
use crate::databases::{DatabaseError, Server, Tables};
use crate::kind::Kind;
use crate::seen::{Facts, Resource, Tenant};

/// What of a blueprint was made true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Built {
    /// Everything.
    All,
    /// Nothing, or not everything: the status says why.
    Nothing,
}

impl Driver {
    /// Makes true what the blueprint says.
    pub(super) async fn build(&self, turn: &mut Turn<'_>) -> Result<Built, Failure> {
        let Some(resource) = turn.tenant.resource.clone() else { return Ok(Built::Nothing) };
        let Ok(blueprint) = &resource.blueprint else { return Ok(Built::Nothing) };
        let blueprint = &*self.with_its_data(blueprint, &turn.tenant).await?;
        let mut installation = self.as_loaded(blueprint);
        self.hold_back(turn, blueprint, &mut installation);
        let plan = match Plan::new(blueprint, &installation, seen(blueprint, &turn.tenant)) {
            Ok(plan) => plan,
            Err(problems) => {
                self.tell_refused(turn, &resource, "Refused", words(&problems)).await?;
                return Ok(Built::Nothing);
            }
        };
        if plan.paused() {
            self.tell_paused(turn, &plan).await?;
            return Ok(Built::Nothing);
        }
        if turn.tenant.home().is_none() {
            match self.cluster.home(turn.name).await? {
                Found::Nothing => {}
                // Not heard of yet, and perhaps an earlier platform's.
                Found::Ours => return Err(CallError::Conflict(plan.namespace()).into()),
                Found::OfOthers => return self.refuse_taken(turn, &plan, &resource).await,
            }
        }
        let mut database = self.place(turn, &plan).await?;
        // The namespace before data and names: whatever becomes of the blueprint meanwhile, it says
        // that there are some. And a server of its own before what is to be on it.
        let objects = plan.objects();
        turn.apply(&grounds(&objects, &database)).await?;
        self.keep_names(turn, &plan).await?;
        let Some(server) = self.server(&plan, &database).await? else {
            return self.wait_for_server(turn, &plan, database).await;
        };
        if let Err(error) = self.ensure(&plan, &server, &mut database).await {
            let said = Said::no("DatabaseReady", error.reason(), error.to_string());
            let place = Some(database.clone());
            self.tell_progress(turn, &plan, place, Conditions::with(said)).await?;
            return Err(error.into());
        }
        let secrets = self.secrets(&plan, &server, &database)?;
        let wanted = match Filled::all(&objects, &secrets) {
            Ok(wanted) => wanted,
            Err(missing) => {
                let said = Said::no("DatabaseReady", "NoAccessYet", missing.to_string());
                self.tell_progress(turn, &plan, None, Conditions::with(said)).await?;
                return Ok(Built::Nothing);
            }
        };
        if turn.lacks(&wanted, SecretKey::DatabaseApp.place().0)
            && let Some(passwords) = &mut database.passwords
            && passwords.old_are_good
        {
            // Handed out only now: the time for which old ones stay good begins.
            passwords.since = passwords::as_kept(self.clock.now());
        }
        let link_is_open = self.note_admin_link(turn, &plan);
        self.take_copies_over(turn, &plan).await?;
        turn.apply(&wanted).await?;
        turn.prune(&wanted, link_is_open).await?;
        self.tell_progress(turn, &plan, Some(database.clone()), Conditions::default()).await?;
        self.close_old(turn, &plan, &server, &mut database).await?;
        let number = database.passwords.as_ref().map_or(0, |passwords| passwords.number);
        if link_is_open {
            let hands_out = plan::Seen { admin_link: true, ..plan.seen };
            let again = Plan::new(blueprint, &installation, hands_out);
            let objects = again.map(|plan| plan.objects()).unwrap_or_default();
            self.hand_out_link(turn, &plan, &server, database, (objects, wanted)).await?;
        }
        self.let_sleep_or_wake(turn, &plan, &server, number).await?;
        Ok(Built::All)
    }

    /// Where the API server refuses an object for good, the status says so.
    pub(super) async fn tell_not_taken(
        &self,
        turn: &mut Turn<'_>,
        built: &Result<Built, Failure>,
    ) -> Result<(), Failure> {
        let Err(Failure::Call(refused @ CallError::Refused { .. })) = built else { return Ok(()) };
        let Some(resource) = turn.tenant.resource.clone() else { return Ok(()) };
        self.tell_refused(turn, &resource, "WriteRefused", refused.to_string()).await
    }

    /// Closes the passwords before the present ones when it is time.
    async fn close_old(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
        server: &Server,
        database: &mut DatabaseStatus,
    ) -> Result<(), Failure> {
        let Some(passwords) = &mut database.passwords else { return Ok(()) };
        match self.due(plan, passwords) {
            Due::Wait(left) => turn.done.look_again(left),
            Due::CloseOld => {
                self.databases.close_old(server, &plan.name, passwords.number).await?;
                passwords.old_are_good = false;
                let place = Some(database.clone());
                self.tell_progress(turn, plan, place, Conditions::default()).await?;
            }
            Due::Nothing | Due::Change(_) => {}
        }
        Ok(())
    }

    fn due(&self, plan: &Plan<'_>, passwords: &Passwords) -> Due {
        let times = self.installation.passwords;
        passwords::due(passwords, asked(plan), times, self.clock.now())
    }

    /// The installation, with what is on each server now.
    fn as_loaded(&self, blueprint: &PlatformBlueprint) -> Installation {
        Load::on(&self.installation, blueprint, |load| {
            self.seen.look_at_all(|_, tenant| {
                load.add(tenant.resource.as_ref().and_then(|resource| resource.status()));
            });
        })
    }

    /// Somebody else's namespace stands in the way.
    async fn refuse_taken(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
        resource: &Resource,
    ) -> Result<Built, Failure> {
        let message = format!(
            "there is a namespace {} that is not ours: remove it, or choose another name",
            plan.namespace()
        );
        self.tell_refused(turn, resource, "NamespaceTaken", message).await?;
        // Nobody tells us when it goes.
        turn.done.look_again(LOOKS_AGAIN);
        Ok(Built::Nothing)
    }

    /// A blueprint that brings a deleted platform back knows nothing of its data yet: the data is
    /// where it was.
    async fn with_its_data<'b>(
        &self,
        blueprint: &'b PlatformBlueprint,
        tenant: &Tenant,
    ) -> Result<Cow<'b, PlatformBlueprint>, Failure> {
        let is_placed = blueprint.status.as_ref().is_some_and(|status| status.database.is_some());
        let stone = tenant.home().and_then(|(_, home)| home.deleted.as_ref());
        let (Some(stone), false, Ok(name)) = (stone, is_placed, blueprint.platform_name()) else {
            return Ok(Cow::Borrowed(blueprint));
        };
        let mut server = stone.server.clone();
        for each in &self.installation.fleet.servers {
            if server.is_none() && self.databases.is_on(&each.name, &name).await? {
                server = Some(each.name.clone());
            }
        }
        let mut blueprint = blueprint.clone();
        blueprint.status.get_or_insert_default().database = server.map(|server| DatabaseStatus {
            placement: Placement::Shared,
            server,
            name: self.databases.name_of(&name),
            schema_version: None,
            passwords: None,
        });
        Ok(Cow::Owned(blueprint))
    }

    /// Where the platform's database is, or is to be, and with which passwords. That is written
    /// down before it is made, so that it is never made twice.
    async fn place(&self, turn: &mut Turn<'_>, plan: &Plan<'_>) -> Result<DatabaseStatus, Failure> {
        let known = plan.blueprint.status.as_ref().and_then(|it| it.database.clone());
        if let Some(mut known) = known {
            let due = known.passwords.as_ref().map(|passwords| self.due(plan, passwords));
            if let Some(Due::Change(next)) = due {
                known.passwords = Some(next);
                let place = Some(known.clone());
                self.tell_progress(turn, plan, place, Conditions::default()).await?;
            }
            return Ok(known);
        }
        let shared = plan.database.server.as_ref().map(|server| server.value.name.clone());
        let database = DatabaseStatus {
            placement: if shared.is_some() { Placement::Shared } else { Placement::Dedicated },
            server: shared.unwrap_or_else(|| "database".to_owned()),
            name: self.databases.name_of(&plan.name),
            schema_version: None,
            passwords: Some(self.first_passwords(plan)),
        };
        let said = Said::no("DatabaseReady", "Making", "the database is being made");
        let conditions = Conditions::with(said);
        self.tell_progress(turn, plan, Some(database.clone()), conditions).await?;
        Ok(database)
    }

    /// The server that the database is on; `None`: its own one is not ready.
    async fn server(
        &self,
        plan: &Plan<'_>,
        database: &DatabaseStatus,
    ) -> Result<Option<Server>, Failure> {
        Ok(match database.placement {
            Placement::Shared => Some(Server::Shared(database.server.clone())),
            Placement::Dedicated => {
                self.cluster.own_database(plan.name.as_str()).await?.map(Server::Own)
            }
        })
    }

    /// `CloudNativePG` has not made the server yet, or is not there.
    async fn wait_for_server(
        &self,
        turn: &mut Turn<'_>,
        plan: &Plan<'_>,
        database: DatabaseStatus,
    ) -> Result<Built, Failure> {
        let message = format!(
            "its own server is not ready: CloudNativePG has not written the Secret \
             {OWN_DATABASE_SECRET} in {} yet",
            plan.namespace()
        );
        let said = Said::no("DatabaseReady", "NoAccessYet", message);
        self.tell_progress(turn, plan, Some(database), Conditions::with(said)).await?;
        // That Secret has no mark of ours, so nobody tells us of it.
        turn.done.look_again(LOOKS_AGAIN);
        Ok(Built::Nothing)
    }

    /// Makes the database where it is to be, or brings its tables and passwords up to date: tables
    /// not before a program is to come that wants them so.
    async fn ensure(
        &self,
        plan: &Plan<'_>,
        server: &Server,
        database: &mut DatabaseStatus,
    ) -> Result<(), DatabaseError> {
        // Whose wave has not come, or who stays at a version of its own, runs another.
        let runs_ours = plan.version.value == self.installation.version;
        let tables = tables(database.schema_version, self.databases.schema_version(), runs_ours);
        let known = database.passwords.as_ref();
        // While they change it is not known how far that is.
        if tables == Tables::AsTheyAre && known.is_some_and(|known| !known.old_are_good) {
            return Ok(());
        }
        let number = known.map_or(0, |known| known.number);
        let made = self.databases.ensure(server, &plan.name, number, tables).await?;
        database.schema_version = Some(made.version);
        if known.is_none_or(|known| known.number < made.number) {
            let now = self.clock.now();
            database.passwords = Some(passwords::first(made.number, asked(plan), now));
        }
        Ok(())
    }

    /// The passwords that a new platform begins with: others than those of an earlier one of its
    /// name, which somebody may know.
    fn first_passwords(&self, plan: &Plan<'_>) -> Passwords {
        let uid = plan.blueprint.metadata.uid.as_deref().unwrap_or_default();
        let bits = self.key.derive(&format!("first passwords:{}:{uid}", plan.name));
        let number = u32::from_be_bytes([bits[0], bits[1], bits[2], bits[3]]);
        // Even ones are of the first of two roles; half of all are left to count on.
        passwords::fresh((number >> 2) << 1, asked(plan), self.clock.now())
    }

    /// Credentials are made anew from the key each time: nothing of them is kept.
    fn secrets(
        &self,
        plan: &Plan<'_>,
        server: &Server,
        database: &DatabaseStatus,
    ) -> Result<Secrets, DatabaseError> {
        let name = &plan.name;
        let uid = plan.blueprint.metadata.uid.as_deref().unwrap_or_default();
        let credential = |what: &str| {
            let bytes = self.key.derive(&format!("{what}:{name}:{uid}"));
            SecretString::from(hex::encode(&bytes[..]))
        };
        let number = database.passwords.as_ref().map_or(0, |passwords| passwords.number);
        let access = self.databases.access(server, name, number)?;
        Ok(Secrets::default()
            .with(SecretKey::Inference, credential("inference"))
            .with(SecretKey::Files, credential("files"))
            .with(SecretKey::DatabaseApp, access.app)
            .with(SecretKey::DatabaseRead, access.read))
    }
}

/// What is to be done to the tables of a database that has some, or none yet.
fn tables(has: Option<i64>, newest: i64, runs_ours: bool) -> Tables {
    match has {
        Some(has) if has == newest || !runs_ours => Tables::AsTheyAre,
        _ => Tables::UpToDate,
    }
}

/// What has to be there before the data.
fn grounds(objects: &Objects, database: &DatabaseStatus) -> Vec<Filled> {
    let own = database.placement == Placement::Dedicated;
    let is_ground = |kind: Kind| match kind {
        Kind::Namespace => true,
        Kind::ResourceQuota
        | Kind::LimitRange
        | Kind::NetworkPolicy
        | Kind::ServiceAccount
        | Kind::DatabaseCluster => own,
        _ => false,
    };
    let grounds = objects.iter().filter(|object| {
        let id = object.id();
        Kind::of(id.api_version, id.kind).is_some_and(is_ground)
    });
    // None of them has a secret in it.
    grounds.filter_map(|object| Filled::of(object, &Secrets::default()).ok()).collect()
}

/// What the blueprint says about new passwords.
fn asked<'a>(plan: &Plan<'a>) -> Option<&'a str> {
    let notes = plan.blueprint.metadata.annotations.as_ref()?;
    notes.get(passwords::ROTATE).map(String::as_str)
}

fn words(problems: &[Problem]) -> String {
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    problems.join("; ")
}

/// What plans need of what was seen.
pub(crate) fn seen(blueprint: &PlatformBlueprint, tenant: &Tenant) -> plan::Seen {
    let volume = |wanted: Kind| {
        tenant.children.iter().find_map(|(id, child)| match child.facts {
            Facts::Volume(gibi) if id.kind == wanted => Some(gibi),
            _ => None,
        })
    };
    let conditions = blueprint.status.iter().flat_map(|status| &status.conditions);
    let past_grace = |it: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        it.type_ == "BillingCurrent" && it.status == "False" && it.reason == PAST_GRACE
    };
    plan::Seen {
        past_grace: conditions.into_iter().any(past_grace),
        admin_link: false,
        database_storage: volume(Kind::DatabaseCluster),
        cache_storage: volume(Kind::PersistentVolumeClaim),
    }
}

/// What nobody tells us of is looked at again after this time.
pub(super) const LOOKS_AGAIN: Duration = Duration::from_secs(30);

pub use blueprint::status::PAST_GRACE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_follow_the_version_that_a_platform_is_to_run() {
        assert_eq!(tables(None, 3, false), Tables::UpToDate, "there have to be some");
        assert_eq!(tables(Some(3), 3, true), Tables::AsTheyAre);
        assert_eq!(tables(Some(2), 3, true), Tables::UpToDate, "its wave has come");
        assert_eq!(tables(Some(2), 3, false), Tables::AsTheyAre, "its program knows no newer ones");
    }
}
