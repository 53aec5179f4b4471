//! Routes and listeners for a gateway that is not ours, where the installation asks for them
//! (Gateway API v1.5).

use serde_json::{Value, json};

use super::labels::{marks, named, object, whole};
use super::runtime::NAME;
use crate::decide::Plan;
use crate::installation::Gateway;
use crate::node::{Node, always, group, list};
use crate::object::Object;
use crate::origin::{Origin, Sourced};

/// Group and version of all that is here.
const API: &str = "gateway.networking.k8s.io/v1";
/// Names that one route may have at most.
const NAMES: usize = 16;

/// As many as the names need; none without a gateway.
pub(super) fn objects(plan: &Plan<'_>) -> Vec<Object> {
    let Some(gateway) = &plan.installation.gateway else { return Vec::new() };
    let hosts = plan.hosts();
    let parent = json!([{"name": gateway.name, "namespace": gateway.namespace}]);
    let Some(issuer) = &gateway.issuer else {
        let routes = hosts.chunks(NAMES).enumerate();
        return routes.map(|(at, hosts)| route(plan, at, hosts, &parent)).collect();
    };
    // Its own name is the gateway's, below whose domain all platforms are.
    let (own, domains) = hosts.split_at(1);
    let mut objects = vec![route(plan, 0, own, &parent)];
    if !domains.is_empty() {
        objects.push(listeners(plan, domains, gateway, issuer));
    }
    let (group, _) = API.split_once('/').unwrap_or_default();
    let parent = json!([{"group": group, "kind": "ListenerSet", "name": NAME}]);
    let routes = domains.chunks(NAMES).enumerate();
    objects.extend(routes.map(|(at, hosts)| route(plan, at + 1, hosts, &parent)));
    objects
}

fn route(plan: &Plan<'_>, at: usize, hosts: &[Sourced<String>], parent: &Value) -> Object {
    let setting = Origin::Installation("its gateway");
    let rules = json!([{"backendRefs": [{"name": NAME, "port": 80}]}]);
    let hosts = hosts.iter().map(|host| host.origin.of(host.value.as_str()));
    let spec = group([
        ("hostnames", list(hosts)),
        ("parentRefs", setting.of(parent.clone())),
        ("rules", always("all of a platform's names lead to it", rules)),
    ]);
    let name = if at == 0 { NAME.to_owned() } else { format!("{NAME}-{}", at + 1) };
    object(plan, (API, "HTTPRoute"), &name, [("spec", spec)])
}

/// Listeners for names of a platform's own, each with a certificate that cert-manager keeps in a
/// Secret beside it. A set may have 64, and a platform has 20 names at most.
fn listeners(
    plan: &Plan<'_>,
    hosts: &[Sourced<String>],
    gateway: &Gateway,
    issuer: &str,
) -> Object {
    let setting = Origin::Installation("its gateway");
    let listener = |host: &Sourced<String>| {
        let name: Node = host.origin.of(host.value.as_str());
        let keeps = json!({
            "mode": "Terminate",
            "certificateRefs": [{"name": host.value}],
        });
        group([
            ("name", name.clone()),
            ("hostname", name),
            ("port", always("where HTTPS is met", 443)),
            ("protocol", always("names are met over TLS alone", "HTTPS")),
            ("tls", host.origin.of(keeps)),
        ])
    };
    let parent = json!({"name": gateway.name, "namespace": gateway.namespace});
    let issuer = group([("cert-manager.io/cluster-issuer", setting.of(issuer))]);
    let metadata = group([
        ("name", always("one of each in a platform's namespace", NAME)),
        ("namespace", named().of(plan.namespace())),
        ("labels", marks(plan)),
        ("annotations", issuer),
    ]);
    let spec =
        group([("parentRef", setting.of(parent)), ("listeners", list(hosts.iter().map(listener)))]);
    whole((API, "ListenerSet"), NAME, metadata, [("spec", spec)])
}
