//! Who may speak with a platform's pods, and whom they may speak with: nobody, but for these.

use serde_json::json;

use super::labels::{Part, matching, object};
use crate::decide::{Models, Plan};
use crate::fleet::Peer;
use crate::installation::DedicatedDatabases;
use crate::node::{Node, always, group, list};
use crate::object::Object;
use crate::origin::Origin;

/// Where the runtime hears people.
pub(super) const RUNTIME: u16 = 8080;
/// Where a model server hears tenants.
pub(super) const MODELS: u16 = 9000;
const POSTGRES: u16 = 5432;
/// Where pods of cert-manager that prove a name listen.
const SOLVER: u16 = 8089;
/// Where `CloudNativePG` asks an instance how it is.
const INSTANCE: u16 = 8000;

pub(super) fn policies(plan: &Plan<'_>) -> Vec<Object> {
    let mut policies = vec![nothing(plan), names(plan), visitors(plan), data(plan), models(plan)];
    policies.extend(files(plan));
    policies.extend(control_plane(plan));
    policies.extend(solvers(plan));
    if let Models::Dedicated(_) = plan.models {
        policies.push(own_model_server(plan));
    }
    if let (Some(_), Some(needs)) = (&plan.database.cluster, &plan.installation.dedicated_databases)
    {
        policies.push(own_database_server(plan, needs));
    }
    policies
}

fn nothing(plan: &Plan<'_>) -> Object {
    let spec = group([
        ("podSelector", everyone()),
        ("policyTypes", always(DENIED, json!(["Ingress", "Egress"]))),
    ]);
    object(plan, KIND, "default-deny", [("spec", spec)])
}

fn names(plan: &Plan<'_>) -> Object {
    let why = Origin::Always("names are asked for over UDP, and long answers over TCP");
    let ports = ["UDP", "TCP"].map(|protocol| port_of(&why, protocol, 53));
    let dns = peer(&plan.installation.dns, &Origin::Installation("its DNS"));
    policy(plan, "allow-dns", everyone(), vec![], vec![to([dns], ports)])
}

fn visitors(plan: &Plan<'_>) -> Object {
    let edge = peer(&plan.installation.edge, &Origin::Installation("its edge"));
    let gateway = plan.installation.gateway.as_ref();
    let gateway = gateway.map(|found| peer(&found.at, &Origin::Installation("its gateway")));
    let visitors = from(std::iter::once(edge).chain(gateway), [tcp(&HEARS, RUNTIME)]);
    policy(plan, "allow-edge", matching(plan, Part::Runtime), vec![visitors], vec![])
}

/// Pods by which cert-manager proves that a name leads here.
fn solvers(plan: &Plan<'_>) -> Option<Object> {
    let gateway = plan.installation.gateway.as_ref()?;
    gateway.issuer.as_ref()?;
    let gateway = peer(&gateway.at, &Origin::Installation("its gateway"));
    let why = "what cert-manager calls its pods, and where they listen";
    let pods = json!({"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}});
    let seen = from([gateway], [tcp(&Origin::Always(why), SOLVER)]);
    Some(policy(plan, "allow-solvers", always(why, pods), vec![seen], vec![]))
}

fn data(plan: &Plan<'_>) -> Object {
    let shared = plan.database.server.as_ref().map(|server| {
        let (found, origin) = (server.value, &server.origin);
        to([peer(&found.at, origin)], [tcp(origin, found.port)])
    });
    let own = plan.database.cluster.as_ref();
    let own = own.map(|_| to([pods(plan, Part::Database)], [tcp(&HEARS, POSTGRES)]));
    let data = shared.into_iter().chain(own).collect();
    policy(plan, "allow-database", matching(plan, Part::Runtime), vec![], data)
}

fn models(plan: &Plan<'_>) -> Object {
    let models = match &plan.models {
        Models::Shared(server) => {
            let (found, origin) = (server.value, &server.origin);
            to([peer(&found.at, origin)], [tcp(origin, found.port)])
        }
        Models::Dedicated(_) => to([pods(plan, Part::Inference)], [tcp(&HEARS, MODELS)]),
    };
    policy(plan, "allow-models", matching(plan, Part::Runtime), vec![], vec![models])
}

fn files(plan: &Plan<'_>) -> Option<Object> {
    let store = plan.store.as_ref()?;
    let files = to([peer(&store.value.at, &store.origin)], [tcp(&store.origin, store.value.port)]);
    Some(policy(plan, "allow-files", matching(plan, Part::Runtime), vec![], vec![files]))
}

fn control_plane(plan: &Plan<'_>) -> Option<Object> {
    let found = plan.installation.control_plane.as_ref()?;
    let origin = Origin::Installation("its control plane");
    let there = peer(&found.at, &origin);
    let asked = from([there.clone()], [tcp(&HEARS, RUNTIME)]);
    let asks = to([there], [tcp(&origin, found.port)]);
    let runtime = matching(plan, Part::Runtime);
    Some(policy(plan, "allow-control-plane", runtime, vec![asked], vec![asks]))
}

fn own_model_server(plan: &Plan<'_>) -> Object {
    let asked = from([pods(plan, Part::Runtime)], [tcp(&HEARS, MODELS)]);
    let why = "files of models are fetched over HTTPS, and nothing inside the cluster";
    let inside = json!([
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": [
            "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.168.0.0/16",
        ]}},
        {"ipBlock": {"cidr": "::/0", "except": ["::1/128", "fc00::/7", "fe80::/10"]}},
    ]);
    let fetches =
        group([("to", always(why, inside)), ("ports", list([tcp(&Origin::Always(why), 443)]))]);
    let server = matching(plan, Part::Inference);
    policy(plan, "allow-inference", server, vec![asked], vec![fetches])
}

fn own_database_server(plan: &Plan<'_>, needs: &DedicatedDatabases) -> Object {
    let origin = Origin::Installation("its dedicated databases");
    let instances = || pods(plan, Part::Database);
    let postgres = || tcp(&HEARS, POSTGRES);
    let state = || tcp(&HEARS, INSTANCE);
    let asked = vec![
        from([pods(plan, Part::Runtime), peer(&needs.administrator, &origin)], [postgres()]),
        from([instances(), peer(&needs.operator, &origin)], [postgres(), state()]),
    ];
    let asks = vec![
        to([instances()], [postgres(), state()]),
        to([peer(&needs.api_server, &origin)], [tcp(&origin, needs.api_port)]),
    ];
    policy(plan, "allow-database-server", matching(plan, Part::Database), asked, asks)
}

const KIND: (&str, &str) = ("networking.k8s.io/v1", "NetworkPolicy");
const DENIED: &str = "what no policy allows is denied";
const HEARS: Origin = Origin::Always("the port that this part listens on");

fn policy(
    plan: &Plan<'_>,
    name: &str,
    pods: Node,
    ingress: Vec<Node>,
    egress: Vec<Node>,
) -> Object {
    let types: Vec<_> = [("Ingress", &ingress), ("Egress", &egress)]
        .into_iter()
        .filter(|(_, rules)| !rules.is_empty())
        .map(|(direction, _)| direction)
        .collect();
    let some = |rules: Vec<Node>| (!rules.is_empty()).then(|| list(rules));
    let types = always("the directions it speaks of", types);
    let spec = group([("podSelector", pods), ("policyTypes", types)])
        .and_some("ingress", some(ingress))
        .and_some("egress", some(egress));
    object(plan, KIND, name, [("spec", spec)])
}

fn from(peers: impl IntoIterator<Item = Node>, ports: impl IntoIterator<Item = Node>) -> Node {
    group([("from", list(peers)), ("ports", list(ports))])
}

fn to(peers: impl IntoIterator<Item = Node>, ports: impl IntoIterator<Item = Node>) -> Node {
    group([("to", list(peers)), ("ports", list(ports))])
}

fn everyone() -> Node {
    always("every pod of the namespace", json!({}))
}

fn pods(plan: &Plan<'_>, part: Part) -> Node {
    group([("podSelector", matching(plan, part))])
}

fn peer(peer: &Peer, origin: &Origin) -> Node {
    origin.of(match peer {
        Peer::Pods { namespace, labels } => {
            let namespace = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
            let pods = if labels.is_empty() { json!({}) } else { json!({"matchLabels": labels}) };
            json!({"namespaceSelector": namespace, "podSelector": pods})
        }
        Peer::Network { cidr } => json!({"ipBlock": {"cidr": cidr}}),
    })
}

fn tcp(origin: &Origin, number: u16) -> Node {
    port_of(origin, "TCP", number)
}

fn port_of(origin: &Origin, protocol: &str, number: u16) -> Node {
    origin.of(json!({"protocol": protocol, "port": number}))
}
