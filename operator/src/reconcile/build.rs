//! What the blueprint says, made true: data first, then what limits and feeds pods, then pods.

use std::borrow::Cow;
use std::time::Duration;

use blueprint::spec::Placement;
use blueprint::status::DatabaseStatus;
use blueprint::{BlueprintName, PlatformBlueprint, Problem};
use plan::{Installation, Plan, SecretKey, Secrets};
use secrecy::SecretString;

use super::apply::{Filled, Turn};
use super::conditions::{Conditions, Said};
use super::load::Load;
use super::{Driver, Failure};
use crate::cluster::{CallError, Found};
use crate::databases::DatabaseError;
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
        let held_back = self.hold_back(turn, blueprint, &mut installation);
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
        let secrets = self.secrets(&plan.name, &database)?;
        let wanted = match Filled::all(&plan.objects(), &secrets) {
            Ok(wanted) => wanted,
            Err(missing) => {
                let said = Said::no("DatabaseReady", "NoAccessYet", missing.to_string());
                self.tell_progress(turn, &plan, None, Conditions::with(said)).await?;
                return Ok(Built::Nothing);
            }
        };
        // The namespace before the data: whatever becomes of the blueprint meanwhile, it says that
        // there is some.
        let (home, _) = wanted.split_at(wanted.partition_point(|it| it.id.kind == Kind::Namespace));
        turn.apply(home).await?;
        if let Err(error) = self.ensure(&plan, &mut database, held_back).await {
            let said = Said::no("DatabaseReady", error.reason(), error.to_string());
            let place = Some(database.clone());
            self.tell_progress(turn, &plan, place, Conditions::with(said)).await?;
            return Err(error.into());
        }
        let wanted = match self.admin_link(turn, &plan, &database).await? {
            None => wanted,
            Some(url) => {
                let seen = plan::Seen { admin_link: true, ..plan.seen };
                let secrets = secrets.with(SecretKey::AdminLink, url);
                match Plan::new(blueprint, &installation, seen) {
                    Ok(plan) => Filled::all(&plan.objects(), &secrets).unwrap_or(wanted),
                    Err(_) => wanted,
                }
            }
        };
        turn.apply(&wanted).await?;
        turn.prune(&wanted).await?;
        self.tell_progress(turn, &plan, Some(database), Conditions::default()).await?;
        Ok(Built::All)
    }

    /// The installation, with what is on each server now.
    fn as_loaded(&self, blueprint: &PlatformBlueprint) -> Installation {
        let mut installation = self.installation.clone();
        let lives = blueprint.status.as_ref().and_then(|status| status.database.as_ref());
        if lives.is_some() {
            // It stays where it is.
            return installation;
        }
        let mut load = Load::default();
        self.seen.look_at_all(|_, tenant| {
            load.add(tenant.resource.as_ref().and_then(|resource| resource.status()));
        });
        load.put_on(&mut installation);
        installation
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
        turn.done.again = Some(LOOKS_AGAIN);
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
        });
        Ok(Cow::Owned(blueprint))
    }

    /// Where the platform's database is, or is to be. That is written down before it is made, so
    /// that it is never made twice.
    async fn place(&self, turn: &mut Turn<'_>, plan: &Plan<'_>) -> Result<DatabaseStatus, Failure> {
        let Some(server) = &plan.database.server else {
            let name = self.databases.name_of(&plan.name);
            let placement = Placement::Dedicated;
            let server = "database".to_owned();
            return Ok(DatabaseStatus { placement, server, name, schema_version: None });
        };
        if let Some(known) = plan.blueprint.status.as_ref().and_then(|it| it.database.clone()) {
            return Ok(known);
        }
        let database = DatabaseStatus {
            placement: Placement::Shared,
            server: server.value.name.clone(),
            name: self.databases.name_of(&plan.name),
            schema_version: None,
        };
        let said = Said::no("DatabaseReady", "Making", "the database is being made");
        let conditions = Conditions::with(said);
        self.tell_progress(turn, plan, Some(database.clone()), conditions).await?;
        Ok(database)
    }

    /// Makes the database where it is to be, or brings its tables up to date: not before a program
    /// is to come that wants them so.
    async fn ensure(
        &self,
        plan: &Plan<'_>,
        database: &mut DatabaseStatus,
        held_back: bool,
    ) -> Result<(), DatabaseError> {
        let current = Some(self.databases.schema_version());
        let is_made =
            database.schema_version == current || (held_back && database.schema_version.is_some());
        if database.placement == Placement::Shared && !is_made {
            let version = self.databases.ensure(&database.server, &plan.name).await?;
            database.schema_version = Some(version);
        }
        Ok(())
    }

    /// Credentials are made anew from the key each time: nothing of them is kept.
    fn secrets(
        &self,
        name: &BlueprintName,
        database: &DatabaseStatus,
    ) -> Result<Secrets, DatabaseError> {
        let credential = |what: &str| {
            let bytes = self.key.derive(&format!("{what}:{name}"));
            SecretString::from(hex::encode(&bytes[..]))
        };
        let secrets = Secrets::default()
            .with(SecretKey::Inference, credential("inference"))
            .with(SecretKey::Files, credential("files"));
        if database.placement == Placement::Dedicated {
            return Ok(secrets);
        }
        let access = self.databases.access(&database.server, name)?;
        Ok(secrets
            .with(SecretKey::DatabaseApp, access.app)
            .with(SecretKey::DatabaseRead, access.read))
    }
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

/// The reason of `BillingCurrent` from which on a platform does not run.
pub const PAST_GRACE: &str = "PastGrace";
