//! What decisions need of single objects.

use jiff::Timestamp;
use kube::core::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::owned::is_owned;
use crate::cluster::MANAGER;
use crate::kind::Kind;

/// The annotation of a namespace that says when its platform was deleted, and what is to become
/// of it.
pub const DELETED: &str = "soulfra.io/deleted";
/// The annotation of a namespace by which a person who types the platform's name has it purged.
pub const PURGE: &str = "soulfra.io/purge";
/// The annotation of a namespace by which it may be deleted: its own uid, set once the platform's
/// time is over and nothing else is left of it. Admission refuses the deletion without.
pub const PURGED: &str = "soulfra.io/purged";

/// What decisions need of an object beside that it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Facts {
    /// Nothing.
    #[default]
    None,
    /// Of a namespace.
    Home(Box<Home>),
    /// Of a Deployment.
    Rollout(Box<Rollout>),
    /// Of a volume, or of what asks for one: GiB.
    Volume(u32),
}

/// The namespace of a platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// The blueprint it was made for.
    pub owner: Option<Uuid>,
    /// The organization that its platform belongs to, where one was confirmed.
    pub organization: Option<Box<str>>,
    /// It was deleted, and is kept for a while.
    pub deleted: Option<Tombstone>,
    /// What somebody typed who wants it purged.
    pub purge: Option<String>,
    /// It may be deleted, where this is its own uid.
    pub purged: Option<Uuid>,
}

/// What is to become of a deleted platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// The blueprint that was deleted. Where the namespace has another owner by now, the platform
    /// was on its way back, and this is of a deletion before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Uuid>,
    /// When it was deleted.
    pub at: Timestamp,
    /// From when on it may be purged.
    pub purge_after: Timestamp,
    /// Whether nobody needs to type its name for that.
    pub by_itself: bool,
    /// The shared database server that its data is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Its data is going: nothing brings it back from here on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub purging: bool,
}

/// How far a Deployment is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// What is told below is about the newest state of the object.
    pub is_current: bool,
    /// Copies there should be.
    pub wanted: i32,
    /// How many is said by our objects.
    pub is_ours: bool,
    /// Copies of the newest sort.
    pub updated: i32,
    /// Copies, old ones too.
    pub total: i32,
    /// Copies that serve.
    pub ready: i32,
    /// Why it does not move on: a word, and words.
    pub stuck: Option<(String, String)>,
    /// The version of its first image.
    pub version: Option<Box<str>>,
}

impl Rollout {
    /// All copies are of the newest sort, and serve.
    pub fn has_ended(&self) -> bool {
        let Self { is_current, wanted, updated, total, ready, .. } = *self;
        is_current && ready >= wanted && updated >= wanted && total <= updated
    }
}

impl Facts {
    /// Those of an object.
    pub fn of(kind: Kind, object: &DynamicObject) -> Self {
        match kind {
            Kind::Namespace => Self::Home(Box::new(home(object))),
            Kind::Deployment => Self::Rollout(Box::new(rollout(object))),
            Kind::PersistentVolumeClaim => {
                volume(&object.data["spec"]["resources"]["requests"]["storage"])
            }
            Kind::DatabaseCluster => volume(&object.data["spec"]["storage"]["size"]),
            _ => Self::None,
        }
    }
}

fn home(namespace: &DynamicObject) -> Home {
    let labels = namespace.metadata.labels.as_ref();
    let label = |name: &str| labels.and_then(|labels| labels.get(name));
    let notes = namespace.metadata.annotations.as_ref();
    let note = |name: &str| notes.and_then(|notes| notes.get(name));
    Home {
        owner: label(plan::OWNER).and_then(|uid| uid.parse().ok()),
        organization: label(plan::ORGANIZATION).map(|name| name.as_str().into()),
        deleted: note(DELETED).and_then(|text| serde_json::from_str(text).ok()),
        purge: note(PURGE).cloned(),
        purged: note(PURGED).and_then(|uid| uid.parse().ok()),
    }
}

fn rollout(deployment: &DynamicObject) -> Rollout {
    let (spec, status) = (&deployment.data["spec"], &deployment.data["status"]);
    let count = |value: &Value| value.as_i64().and_then(|count| i32::try_from(count).ok());
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let stuck = conditions.iter().find(|condition| {
        let is =
            |kind: &str, status: &str| condition["type"] == *kind && condition["status"] == *status;
        is("ReplicaFailure", "True") || is("Progressing", "False")
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Rollout {
        is_current: status["observedGeneration"].as_i64() >= deployment.metadata.generation,
        wanted: count(&spec["replicas"]).unwrap_or(1),
        is_ours: is_owned(deployment, MANAGER, &["f:spec", "f:replicas"]),
        updated: count(&status["updatedReplicas"]).unwrap_or(0),
        total: count(&status["replicas"]).unwrap_or(0),
        ready: count(&status["readyReplicas"]).unwrap_or(0),
        stuck: stuck.map(|condition| (text(&condition["reason"]), text(&condition["message"]))),
        version: version(&spec["template"]["spec"]["containers"][0]["image"]),
    }
}

/// What stands behind the last colon, where no part of a path follows.
fn version(image: &Value) -> Option<Box<str>> {
    let (_, version) = image.as_str()?.rsplit_once(':')?;
    (!version.contains('/')).then(|| version.into())
}

/// As we write sizes; one that a stranger wrote in another way is not known.
fn volume(size: &Value) -> Facts {
    let text = size.as_str().unwrap_or_default();
    let gibi = match (text.strip_suffix("Gi"), text.strip_suffix("Ti")) {
        (Some(gibi), _) => gibi.parse().ok(),
        (_, Some(tebi)) => tebi.parse::<u32>().ok().and_then(|tebi| tebi.checked_mul(1_024)),
        _ => None,
    };
    gibi.map_or(Facts::None, Facts::Volume)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_rollout_says_what_stops_it() {
        let stuck = object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "runtime", "generation": 2},
            "spec": {"replicas": 3},
            "status": {"observedGeneration": 2, "replicas": 1, "conditions": [
                {"type": "Available", "status": "False"},
                {"type": "ReplicaFailure", "status": "True",
                 "reason": "FailedCreate", "message": "exceeded quota"},
            ]},
        }));
        let Facts::Rollout(rollout) = Facts::of(Kind::Deployment, &stuck) else { panic!() };
        assert_eq!((rollout.is_current, rollout.wanted, rollout.ready), (true, 3, 0));
        assert_eq!(rollout.stuck, Some(("FailedCreate".into(), "exceeded quota".into())));
        let before = object(json!({"metadata": {"name": "runtime", "generation": 1}, "spec": {}}));
        let Facts::Rollout(rollout) = Facts::of(Kind::Deployment, &before) else { panic!() };
        assert_eq!((rollout.is_current, rollout.wanted), (false, 1));
    }

    #[test]
    fn sizes_are_read_as_we_write_them() {
        let claim = |size: &str| {
            let spec = json!({"resources": {"requests": {"storage": size}}});
            let claim = object(json!({"metadata": {"name": "cache"}, "spec": spec}));
            Facts::of(Kind::PersistentVolumeClaim, &claim)
        };
        assert_eq!(claim("20Gi"), Facts::Volume(20));
        assert_eq!(claim("2Ti"), Facts::Volume(2_048));
        assert_eq!(claim("20480Mi"), Facts::None);
    }

    #[test]
    fn a_namespace_knows_what_is_to_become_of_it() {
        let stone = Tombstone {
            of: Some(Uuid::nil()),
            at: Timestamp::UNIX_EPOCH,
            purge_after: Timestamp::UNIX_EPOCH,
            by_itself: true,
            server: Some("db-1".into()),
            purging: false,
        };
        let text = serde_json::to_string(&stone).unwrap();
        let owner = "6f0b3e2a-0d54-4d2b-9a6a-111111111111";
        let namespace = object(json!({"metadata": {
            "name": "tenant-a",
            "labels": {plan::OWNER: owner},
            "annotations": {DELETED: text, PURGE: "a"},
        }}));
        let Facts::Home(home) = Facts::of(Kind::Namespace, &namespace) else { panic!() };
        assert_eq!(home.deleted, Some(stone));
        assert_eq!(home.owner.unwrap().to_string(), owner);
        assert_eq!(home.purge.as_deref(), Some("a"));
    }
}
