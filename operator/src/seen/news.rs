//! What is heard of: blueprints and objects, and what is known of a platform by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use blueprint::PlatformBlueprint;
use blueprint::status::BlueprintStatus;
use kube::api::ObjectMeta;
use uuid::Uuid;

use super::{Digest, Facts, Home, Rollout};
use crate::kind::Kind;

/// The API server's count of changes, by which older and newer are told apart.
pub type Version = u64;

/// An object of a platform: its kind, and its name in the platform's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChildId {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: Box<str>,
}

impl std::fmt::Display for ChildId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Which one of those that had its name.
    pub uid: Uuid,
    /// When it changed last.
    pub version: Version,
    /// What of it is ours.
    pub digest: Digest,
    /// It is to go, and waits for somebody.
    pub going: bool,
    /// What else decisions need of it.
    pub facts: Facts,
}

/// A blueprint as the API server has it.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Which one of those that had its name.
    pub uid: Uuid,
    /// When it changed last.
    pub version: Version,
    /// What it says, or what can be known of it all the same.
    pub blueprint: Result<PlatformBlueprint, Box<Unreadable>>,
}

/// A blueprint that this version of the operator cannot read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// What stands against it, and where.
    pub why: String,
    /// What every object says of itself.
    pub metadata: ObjectMeta,
    /// What was seen of it before.
    pub status: Option<BlueprintStatus>,
}

impl Resource {
    /// What every object says of itself.
    pub fn metadata(&self) -> &ObjectMeta {
        match &self.blueprint {
            Ok(blueprint) => &blueprint.metadata,
            Err(unreadable) => &unreadable.metadata,
        }
    }

    /// What was seen of it before.
    pub fn status(&self) -> Option<&BlueprintStatus> {
        match &self.blueprint {
            Ok(blueprint) => blueprint.status.as_ref(),
            Err(unreadable) => unreadable.status.as_ref(),
        }
    }
}

/// What is known of one platform.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    /// Its blueprint, where there is one.
    pub resource: Option<Arc<Resource>>,
    /// What is there of it, its namespace among it.
    pub children: BTreeMap<ChildId, Child>,
}

impl Tenant {
    /// Its namespace.
    pub fn home(&self) -> Option<(&Child, &Home)> {
        self.children.values().find_map(|child| match &child.facts {
            Facts::Home(home) => Some((child, home.as_ref())),
            _ => None,
        })
    }

    /// The namespace says that it is another blueprint's than the one that is known.
    pub fn is_of_another(&self) -> bool {
        let known = self.resource.as_ref().map(|resource| resource.uid);
        self.home().is_some_and(|(child, home)| !child.going && home.owner != known)
    }

    /// How far a Deployment is.
    pub fn rollout(&self, name: &str) -> Option<&Rollout> {
        let id = ChildId { kind: Kind::Deployment, name: name.into() };
        match &self.children.get(&id)?.facts {
            Facts::Rollout(rollout) => Some(rollout.as_ref()),
            _ => None,
        }
    }
}

/// Something heard of.
#[derive(Clone, Debug)]
pub enum News {
    /// A blueprint is there.
    Blueprint(Box<str>, Arc<Resource>),
    /// A blueprint went.
    NoBlueprint(Box<str>, Version),
    /// An object is there.
    Child(Box<str>, ChildId, Child),
    /// An object went.
    NoChild(Box<str>, ChildId, Version),
}

impl News {
    /// Whom it is about.
    pub fn tenant(&self) -> &str {
        match self {
            Self::Blueprint(tenant, _)
            | Self::NoBlueprint(tenant, _)
            | Self::Child(tenant, ..)
            | Self::NoChild(tenant, ..) => tenant,
        }
    }
}
