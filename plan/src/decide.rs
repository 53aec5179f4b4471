//! Blueprint, installation and what was seen become a plan: all that may differ between two
//! platforms, decided once, each with its origin.

mod asked;
mod copies;
mod homes;

use blueprint::status::{DomainState, Staff};
use blueprint::{
    BlueprintName, Entitlements, PlanName, PlatformBlueprint, Problem, entitlement_problems,
};
use semver::Version;

pub use copies::{Copies, ReplicasOwner};
pub use homes::{Cluster, Database, Dedicated, GpuNodes, Models};

pub(crate) use asked::Asked;

use crate::allowance::{Allowance, allowance};
use crate::fleet::{Pool, Store};
use crate::installation::{Installation, Seen};
use crate::origin::{Origin, Sourced};

/// A platform as it is to be on a cluster.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// What it was made from.
    pub blueprint: &'a PlatformBlueprint,
    /// Where it is to be.
    pub installation: &'a Installation,
    /// What was seen of it.
    pub seen: Seen,
    /// Its name.
    pub name: BlueprintName,
    /// What its organization pays for.
    pub pays: Sourced<PlanName>,
    /// What that gives, contract terms included.
    pub entitlements: Sourced<Entitlements>,
    /// What is asked of who runs it.
    pub staff: Sourced<Staff>,
    /// How much of the cluster that is.
    pub allowance: Allowance,
    /// The version that runs.
    pub version: Sourced<Version>,
    /// How many copies serve, and who says so.
    pub copies: Copies,
    /// Where its data is, and where it is to be.
    pub database: Database<'a>,
    /// Where its models run.
    pub models: Models<'a>,
    /// Where its people's files are.
    pub store: Option<Sourced<&'a Store>>,
    /// The nodes it runs on; any where there is none.
    pub pool: Option<Sourced<&'a Pool>>,
    /// What its owner should know, though it can be built.
    pub notices: Vec<Notice>,
    pub(crate) asked: Asked,
}

/// Something that can be built and is not as it was wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The condition it belongs to, such as `InferenceReady`.
    pub condition: &'static str,
    /// In a word, such as `NoGpu`.
    pub reason: &'static str,
    /// In words, with what to do.
    pub message: String,
}

impl<'a> Plan<'a> {
    /// Decides everything, or says all that stands against it. Nothing is planned then: what runs
    /// is to be left as it is.
    ///
    /// # Errors
    /// Every [`Problem`], with the path of the field that asks for what cannot be given.
    pub fn new(
        blueprint: &'a PlatformBlueprint,
        installation: &'a Installation,
        seen: Seen,
    ) -> Result<Self, Vec<Problem>> {
        let name = blueprint.platform_name().map_err(|invalid| {
            vec![Problem::new("metadata.name", invalid.to_string(), "another name")]
        })?;
        let asked = Asked::of(blueprint);
        let (pays, entitlements) = account(blueprint, installation);
        let allowance = allowance(pays.value);
        let mut problems = entitlement_problems(blueprint, &entitlements.value);
        let mut notices = Vec::new();
        let copies = Copies::decide(blueprint, &asked, &pays, seen, &mut notices);
        let here = homes::Here { blueprint, installation, asked: &asked, allowance, seen };
        let database = here.database(&pays, &mut problems, &mut notices);
        let models = here.models(&pays, &mut problems, &mut notices);
        let store = here.store(&mut problems);
        let pool = here.pool(&mut problems);
        let (Some(database), Some(models), true) = (database, models, problems.is_empty()) else {
            return Err(problems);
        };
        let version = match &blueprint.spec.runtime.version {
            Some(version) => Sourced::new(version.clone(), asked.origin("spec.runtime.version")),
            None => Sourced::new(installation.version.clone(), Origin::Installation("its version")),
        };
        Ok(Self {
            blueprint,
            installation,
            seen,
            name,
            pays,
            entitlements,
            staff: staff(blueprint),
            allowance,
            version,
            copies,
            database,
            models,
            store,
            pool,
            notices,
            asked,
        })
    }

    /// The namespace of everything that belongs to the platform.
    pub fn namespace(&self) -> String {
        format!("tenant-{}", self.name)
    }

    /// Whether everything is to be left as it is. Nobody pauses what is due for an unpaid bill.
    pub fn paused(&self) -> bool {
        self.blueprint.spec.paused && !self.seen.past_grace
    }

    /// The name that every platform has.
    pub fn own_host(&self) -> String {
        format!("{}.{}", self.name, self.installation.domain)
    }

    /// The names it answers at, the one that every platform has first. A domain of its own is
    /// among them once its owner was proven.
    pub fn hosts(&self) -> Vec<Sourced<String>> {
        let own = Sourced::new(
            self.own_host(),
            Origin::Installation("its domain, below the platform's name"),
        );
        let seen = self.blueprint.status.iter().flat_map(|status| &status.domains);
        let proven: Vec<_> = seen
            .filter(|domain| matches!(domain.state, DomainState::Verified | DomainState::Serving))
            .map(|domain| domain.name.as_str())
            .collect();
        let asked = self.blueprint.spec.domains.iter().map(blueprint::Domain::as_str);
        let more = asked.filter(|domain| proven.contains(domain) && **domain != *own.value);
        let more: Vec<_> = more
            .map(|domain| Sourced::new(domain.to_owned(), self.asked.origin("spec.domains")))
            .collect();
        std::iter::once(own).chain(more).collect()
    }
}

/// What its organization asks of who runs it; nothing, as long as nobody confirmed whose it is.
fn staff(blueprint: &PlatformBlueprint) -> Sourced<Staff> {
    let account = blueprint.status.as_ref().and_then(|status| status.account.as_ref());
    let staff = account.map(|account| account.staff.clone()).unwrap_or_default();
    Sourced::new(staff, Origin::Seen("status.account.staff"))
}

/// What was confirmed, or else what the installation gives everybody. What a person wrote is a
/// request.
fn account(
    blueprint: &PlatformBlueprint,
    installation: &Installation,
) -> (Sourced<PlanName>, Sourced<Entitlements>) {
    match blueprint.status.as_ref().and_then(|status| status.account.as_ref()) {
        Some(account) => (
            Sourced::new(account.plan, Origin::Seen("status.account.plan")),
            Sourced::new(account.entitlements, Origin::Seen("status.account.entitlements")),
        ),
        None => (
            Sourced::new(installation.default_plan, Origin::Installation("its default plan")),
            Sourced::new(
                installation.default_plan.entitlements(),
                Origin::Plan(installation.default_plan),
            ),
        ),
    }
}
