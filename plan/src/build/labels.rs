//! Names, and the marks by which our objects are known.

use crate::decide::Plan;
use crate::node::{Node, always, group};
use crate::object::{Object, ObjectId};
use crate::origin::Origin;

/// The label that names the platform an object belongs to: our inventory, and the proof that an
/// object is ours.
pub const TENANT: &str = "soulfra.io/tenant";
/// The label that tells a platform from an earlier one of the same name.
pub const OWNER: &str = "soulfra.io/owner-uid";
/// The label of a namespace that names the organization its platform belongs to, where the control
/// plane has confirmed one: who may have it back once it is deleted.
pub const ORGANIZATION: &str = "soulfra.io/organization";
/// The label that names the part of a platform.
pub const PART: &str = "app.kubernetes.io/name";
const MANAGER: &str = "app.kubernetes.io/managed-by";

/// Group and version, and kind.
pub(super) type Kind = (&'static str, &'static str);

/// A part of a platform that has pods.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What people meet.
    Runtime,
    /// A model server of its own.
    Inference,
    /// A database server of its own.
    Database,
}

impl Part {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Inference => "inference",
            Self::Database => "database",
        }
    }
}

/// An object of the platform's namespace, marked as ours.
pub(super) fn object<const N: usize>(
    plan: &Plan<'_>,
    kind: Kind,
    name: &str,
    fields: [(&str, Node); N],
) -> Object {
    let metadata = group([
        ("name", always("one of each in a platform's namespace", name)),
        ("namespace", named().of(plan.namespace())),
        ("labels", marks(plan)),
    ]);
    whole(kind, name, metadata, fields)
}

/// An object with other metadata.
pub(super) fn whole<const N: usize>(
    (api_version, kind): Kind,
    name: &str,
    metadata: Node,
    fields: [(&str, Node); N],
) -> Object {
    let why = "what this version of the operator makes";
    let mut node = group([
        ("apiVersion", always(why, api_version)),
        ("kind", always(why, kind)),
        ("metadata", metadata),
    ]);
    for (name, field) in fields {
        node = node.and(name, field);
    }
    Object::new(ObjectId { api_version, kind, name: name.to_owned() }, node)
}

/// The marks of every object.
pub(super) fn marks(plan: &Plan<'_>) -> Node {
    let uid = plan.blueprint.metadata.uid.as_deref();
    let owner = uid.map(|uid| Origin::Seen("metadata.uid of the blueprint").of(uid));
    marks_of_pods(plan).and_some(OWNER, owner)
}

/// The marks of pods: not the owner, since one that is made anew need not start again.
fn marks_of_pods(plan: &Plan<'_>) -> Node {
    group([
        (MANAGER, always("the mark of our objects", "soulfra-operator")),
        (TENANT, named().of(plan.name.as_str())),
    ])
}

/// The labels of a part's pods.
pub(super) fn pod_labels(plan: &Plan<'_>, part: Part) -> Node {
    marks_of_pods(plan).and(PART, part_name(part))
}

/// What finds a part's pods. It never changes, as Kubernetes forbids it.
pub(super) fn selector(plan: &Plan<'_>, part: Part) -> Node {
    group([(TENANT, named().of(plan.name.as_str())), (PART, part_name(part))])
}

/// The same as a field `matchLabels`.
pub(super) fn matching(plan: &Plan<'_>, part: Part) -> Node {
    group([("matchLabels", selector(plan, part))])
}

fn part_name(part: Part) -> Node {
    always("a part of every platform that has it", part.name())
}

/// The origin of what is named after the platform.
pub(super) fn named() -> Origin {
    Origin::Written("metadata.name".into())
}
