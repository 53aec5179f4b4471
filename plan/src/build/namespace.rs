//! The namespace, in which the API server refuses pods that could harm others.

use super::labels::{ORGANIZATION, marks, named, whole};
use crate::decide::Plan;
use crate::node::{always, group};
use crate::object::Object;
use crate::origin::Origin;

pub(super) fn namespace(plan: &Plan<'_>) -> Object {
    let why = "pods that could harm others are refused";
    let account = plan.blueprint.status.as_ref().and_then(|status| status.account.as_ref());
    let organization = account.map(|account| account.organization.as_str());
    let mut labels = marks(plan).and_some(
        ORGANIZATION,
        organization.map(|name| Origin::Seen("status.account.organization").of(name)),
    );
    for mode in ["enforce", "audit", "warn"] {
        labels = labels
            .and(&format!("pod-security.kubernetes.io/{mode}"), always(why, "restricted"))
            .and(&format!("pod-security.kubernetes.io/{mode}-version"), always(why, "latest"));
    }
    let name = plan.namespace();
    let metadata = group([("name", named().of(name.as_str())), ("labels", labels)]);
    whole(("v1", "Namespace"), &name, metadata, [])
}
