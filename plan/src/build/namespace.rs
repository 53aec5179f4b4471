//! The namespace, in which the API server refuses pods that could harm others.

use super::labels::{marks, named, whole};
use crate::decide::Plan;
use crate::node::{always, group};
use crate::object::Object;

pub(super) fn namespace(plan: &Plan<'_>) -> Object {
    let why = "pods that could harm others are refused";
    let mut labels = marks(plan);
    for mode in ["enforce", "audit", "warn"] {
        labels = labels
            .and(&format!("pod-security.kubernetes.io/{mode}"), always(why, "restricted"))
            .and(&format!("pod-security.kubernetes.io/{mode}-version"), always(why, "latest"));
    }
    let name = plan.namespace();
    let metadata = group([("name", named().of(name.as_str())), ("labels", labels)]);
    whole(("v1", "Namespace"), &name, metadata, [])
}
