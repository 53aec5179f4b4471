//! Who a platform's pods are to the API server: nobody that may do anything.

use super::labels::{Part, object};
use crate::decide::{Models, Plan};
use crate::node::always;
use crate::object::Object;

pub(super) fn accounts(plan: &Plan<'_>) -> Vec<Object> {
    let mut parts = vec![Part::Runtime];
    if let Models::Dedicated(_) = plan.models {
        parts.push(Part::Inference);
    }
    let account = |part: Part| {
        let none = always("no part of a platform asks the API server", false);
        let kind = ("v1", "ServiceAccount");
        object(plan, kind, part.name(), [("automountServiceAccountToken", none)])
    };
    parts.into_iter().map(account).collect()
}
