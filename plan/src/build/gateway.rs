//! Routes for a gateway that is not ours, where the installation asks for them.

use serde_json::json;

use super::labels::object;
use super::runtime::NAME;
use crate::decide::Plan;
use crate::node::{always, group, list};
use crate::object::Object;
use crate::origin::{Origin, Sourced};

/// Names that one route may have at most.
const NAMES: usize = 16;

/// As many routes as the names need; none without a gateway.
pub(super) fn routes(plan: &Plan<'_>) -> Vec<Object> {
    let Some(gateway) = &plan.installation.gateway else { return Vec::new() };
    let setting = Origin::Installation("its gateway");
    let parent = setting.of(json!([{"name": gateway.name, "namespace": gateway.namespace}]));
    let rules = json!([{"backendRefs": [{"name": NAME, "port": 80}]}]);
    let hosts = plan.hosts();
    let route = |(at, hosts): (usize, &[Sourced<String>])| {
        let name = if at == 0 { NAME.to_owned() } else { format!("{NAME}-{}", at + 1) };
        let hosts = hosts.iter().map(|host| host.origin.of(host.value.as_str()));
        let spec = group([
            ("hostnames", list(hosts)),
            ("parentRefs", parent.clone()),
            ("rules", always("all of a platform's names lead to it", rules.clone())),
        ]);
        object(plan, ("gateway.networking.k8s.io/v1", "HTTPRoute"), &name, [("spec", spec)])
    };
    hosts.chunks(NAMES).enumerate().map(route).collect()
}
