//! Where a platform's data, models, files and pods are.

use std::collections::BTreeMap;

use blueprint::spec::{Gpu, Placement, Provider};
use blueprint::{PlanName, PlatformBlueprint, Problem};

use super::{Asked, Notice};
use crate::allowance::Allowance;
use crate::fleet::{
    Fleet, ModelServer, Placed as _, Pool, RESIDENCY, Server, Store, first_within, least_loaded,
    within,
};
use crate::installation::{Installation, Seen};
use crate::origin::{Origin, Sourced};

const FIELD: &str = "spec.governance.dataResidency";

/// Where a platform's data is, and where it is to be. Both are planned while it moves: a home that
/// still holds data is never planned away.
#[derive(Clone, Debug)]
pub struct Database<'a> {
    /// On a server that others use too.
    pub server: Option<Sourced<&'a Server>>,
    /// On a server of its own.
    pub cluster: Option<Cluster>,
}

/// A database server of its own.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Room for data, in GiB.
    pub storage: Sourced<u32>,
}

impl Database<'_> {
    /// Whether the data is not yet where it is to be.
    pub fn moves(&self) -> bool {
        self.server.is_some() && self.cluster.is_some()
    }
}

/// Where a platform's models run.
#[derive(Clone, Debug)]
pub enum Models<'a> {
    /// On a server that others use too.
    Shared(Sourced<&'a ModelServer>),
    /// On a server of its own.
    Dedicated(Dedicated<'a>),
}

/// A model server of its own.
#[derive(Clone, Debug)]
pub struct Dedicated<'a> {
    /// Its graphics processors.
    pub gpu: Option<&'a Gpu>,
    /// The nodes that have them.
    pub pool: Option<Sourced<&'a Pool>>,
    /// Room for files of models, in GiB.
    pub cache: Sourced<u32>,
}

/// Nodes that can take a model server which needs graphics processors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuNodes {
    /// The processor, as its label has it.
    pub product: String,
    /// How many of them one node has to offer.
    pub count: u32,
    /// The labels of such nodes.
    pub labels: BTreeMap<String, String>,
}

/// All that a home is chosen by.
pub(super) struct Here<'a, 'b> {
    pub blueprint: &'a PlatformBlueprint,
    pub installation: &'a Installation,
    pub asked: &'b Asked,
    pub allowance: Allowance,
    pub seen: Seen,
}

impl<'a> Here<'a, '_> {
    fn residency(&self) -> Option<&'a str> {
        self.blueprint.spec.governance.data_residency.as_deref()
    }

    fn fleet(&self) -> &'a Fleet {
        &self.installation.fleet
    }

    /// Where data is, and where it is to be; a problem where there is no room for it.
    pub fn database(
        &self,
        pays: &Sourced<PlanName>,
        problems: &mut Vec<Problem>,
        notices: &mut Vec<Notice>,
    ) -> Option<Database<'a>> {
        let wanted = self.blueprint.spec.database.placement;
        let lives = self.blueprint.status.as_ref().and_then(|status| status.database.as_ref());
        let server = match lives {
            Some(lives) if lives.placement == Placement::Shared => {
                Some(self.known_server(&lives.server, problems, notices)?)
            }
            _ if wanted == Placement::Shared => Some(self.new_server(problems)?),
            _ => None,
        };
        let cluster = wanted == Placement::Dedicated
            || lives.is_some_and(|lives| lives.placement == Placement::Dedicated);
        if cluster && self.installation.dedicated_databases.is_none() {
            problems.push(Problem::new(
                "spec.database.placement",
                "this installation makes no database servers of a platform's own",
                "shared",
            ));
            return None;
        }
        let storage = kept(self.allowance.database_storage, self.seen.database_storage, pays);
        Some(Database { server, cluster: cluster.then_some(Cluster { storage }) })
    }

    /// The server that the data is on. It is never left because another one has more room.
    fn known_server(
        &self,
        name: &str,
        problems: &mut Vec<Problem>,
        notices: &mut Vec<Notice>,
    ) -> Option<Sourced<&'a Server>> {
        let Some(server) = self.fleet().servers.iter().find(|server| server.name == name) else {
            problems.push(Problem::new(
                "status.database.server",
                format!("the data is on the server `{name}`, which this installation lacks"),
                "that server among the installation's, as long as data is on it",
            ));
            return None;
        };
        let region = self.residency();
        if region.is_some_and(|region| server.labels.get(RESIDENCY).is_none_or(|in_| in_ != region))
        {
            notices.push(Notice {
                condition: "DatabaseReady",
                reason: "OutsideRegion",
                message: format!(
                    "{FIELD} is {} and the data is on `{name}`, which is elsewhere: it stays \
                     there until it is moved by an export and an import",
                    region.unwrap_or_default()
                ),
            });
        }
        Some(Sourced::new(server, Origin::Seen("status.database.server")))
    }

    fn new_server(&self, problems: &mut Vec<Problem>) -> Option<Sourced<&'a Server>> {
        let found = least_loaded(&self.fleet().servers, self.residency());
        if found.is_none() {
            problems.push(self.nowhere("database server with room"));
        }
        found.map(|server| self.chosen(server, format!("the server {}", server.name)))
    }

    /// Where models run; a problem where data would have to leave its region.
    pub fn models(
        &self,
        pays: &Sourced<PlanName>,
        problems: &mut Vec<Problem>,
        notices: &mut Vec<Notice>,
    ) -> Option<Models<'a>> {
        if self.blueprint.spec.inference.placement == Placement::Dedicated {
            return Some(Models::Dedicated(self.dedicated(pays, notices)));
        }
        let Some(server) = first_within(&self.fleet().model_servers, self.residency()) else {
            problems.push(self.nowhere("model server"));
            return None;
        };
        Some(Models::Shared(self.chosen(server, format!("the model server {}", server.name))))
    }

    fn dedicated(&self, pays: &Sourced<PlanName>, notices: &mut Vec<Notice>) -> Dedicated<'a> {
        let spec = &self.blueprint.spec;
        let gpu = spec.inference.gpu.as_ref();
        let pools = within(&self.fleet().pools, self.residency());
        let wanted = gpu.map(|gpu| gpu.product.as_str());
        let pool = pools.filter(|pool| pool.gpu.as_deref() == wanted).min_by_key(|p| p.name());
        if let (Some(product), None) = (wanted, pool) {
            notices.push(Notice {
                condition: "InferenceReady",
                reason: "NoGpu",
                message: format!(
                    "no nodes here have the graphics processor {product}: the model server waits \
                     for such a node; add one, or change spec.inference.gpu"
                ),
            });
        }
        let elsewhere = spec.ai.models.iter().filter(|model| model.provider != Provider::Local);
        let elsewhere: Vec<_> = elsewhere.map(|model| model.id.as_str()).collect();
        if !elsewhere.is_empty() {
            notices.push(Notice {
                condition: "InferenceReady",
                reason: "OnlyLocalModels",
                message: format!(
                    "a model server of a platform's own runs local models only, so these do not \
                     answer: {}; remove them, or share a model server",
                    elsewhere.join(", ")
                ),
            });
        }
        let by = |pool: &'a Pool| {
            let what = format!("the nodes of {}", pool.name);
            Sourced::new(pool, Origin::Chosen { what, field: "spec.inference.gpu.product" })
        };
        let cache = kept(self.allowance.cache, self.seen.cache_storage, pays);
        Dedicated { gpu, pool: gpu.and(pool).map(by), cache }
    }

    /// The store of people's files; none in an installation without any.
    pub fn store(&self, problems: &mut Vec<Problem>) -> Option<Sourced<&'a Store>> {
        let stores = &self.fleet().stores;
        let found = first_within(stores, self.residency());
        if found.is_none() && !stores.is_empty() {
            problems.push(self.nowhere("store for files"));
        }
        found.map(|store| self.chosen(store, format!("the store {}", store.name)))
    }

    /// The nodes that everything without a graphics processor runs on; any nodes where data may
    /// be anywhere.
    pub fn pool(&self, problems: &mut Vec<Problem>) -> Option<Sourced<&'a Pool>> {
        let region = self.residency()?;
        let pools = within(&self.fleet().pools, Some(region));
        let found = pools.filter(|pool| pool.gpu.is_none()).min_by_key(|pool| pool.name());
        if found.is_none() {
            problems.push(self.nowhere("group of nodes without graphics processors"));
        }
        found.map(|pool| self.chosen(pool, format!("the nodes of {}", pool.name)))
    }

    fn chosen<T>(&self, what: &'a T, words: String) -> Sourced<&'a T> {
        let origin = match self.asked.origin(FIELD) {
            Origin::Written(_) => Origin::Chosen { what: words, field: FIELD },
            _ => Origin::Installation("its fleet"),
        };
        Sourced::new(what, origin)
    }

    fn nowhere(&self, what: &str) -> Problem {
        match self.residency() {
            Some(region) => Problem::new(
                FIELD,
                format!("this installation has no {what} in `{region}`"),
                "a region that has one, or no region",
            ),
            None => Problem::new(
                "spec",
                format!("this installation has no {what}"),
                "the same again, once its administrator has added one",
            ),
        }
    }
}

/// Room for data. A volume cannot shrink, so one that is larger than what the plan gives stays so.
fn kept(given: u32, seen: Option<u32>, pays: &Sourced<PlanName>) -> Sourced<u32> {
    match seen.filter(|seen| *seen > given) {
        Some(seen) => Sourced::new(seen, Origin::Seen("a volume, which cannot shrink")),
        None => Sourced::new(given, Origin::Plan(pays.value)),
    }
}
