//! Policies, read as a network plugin reads them: what is let through, and nothing else.

use plan::{Objects, Plan, Seen};
use serde_json::{Value, json};

use crate::generate::{full, installation, small};

/// Whether a pod with these labels may open a connection to a peer (or a peer to it).
fn allowed(objects: &Objects, direction: &str, pod: &Value, peer: &Value, port: u16) -> bool {
    let (rules, side) = if direction == "Egress" { ("egress", "to") } else { ("ingress", "from") };
    let policies: Vec<_> = objects
        .iter()
        .filter(|object| object.id().kind == "NetworkPolicy")
        .map(|object| object.shown()["spec"].clone())
        .filter(|spec| selects(&spec["podSelector"], pod))
        .filter(|spec| spec["policyTypes"].as_array().unwrap().contains(&json!(direction)))
        .collect();
    assert!(!policies.is_empty(), "a pod that no policy selects may speak with everybody");
    policies.iter().flat_map(|spec| spec[rules].as_array().into_iter().flatten()).any(|rule| {
        let peers = rule[side].as_array().unwrap();
        let ports = rule["ports"].as_array().unwrap();
        ports.iter().any(|open| open["port"] == port) && peers.iter().any(|one| is(one, peer))
    })
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object();
    wanted.into_iter().flatten().all(|(key, value)| labels[key] == *value)
}

/// Peers here are `{"namespace": .., "labels": ..}` or `{"cidr": ..}`.
fn is(rule: &Value, peer: &Value) -> bool {
    if let Some(cidr) = rule["ipBlock"]["cidr"].as_str() {
        return peer["cidr"] == cidr;
    }
    let own = rule.get("namespaceSelector").is_none() && peer["namespace"] == "own";
    let other = rule["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        == peer["namespace"]
        && !peer["namespace"].is_null();
    (own || other) && selects(&rule["podSelector"], &peer["labels"])
}

fn part(tenant: &str, name: &str) -> Value {
    json!({"soulfra.io/tenant": tenant, "app.kubernetes.io/name": name})
}

fn own(tenant: &str, name: &str) -> Value {
    json!({"namespace": "own", "labels": part(tenant, name)})
}

fn pods(namespace: &str, name: &str) -> Value {
    let labels = json!({"app.kubernetes.io/name": name, "k8s-app": name});
    json!({"namespace": namespace, "labels": labels})
}

#[test]
fn a_shared_platform_speaks_with_five_and_hears_three() {
    let (blueprint, mut installation) = (small(), installation());
    installation.fleet.servers.truncate(1);
    let objects = Plan::new(&blueprint, &installation, Seen::default()).unwrap().objects();
    let runtime = part("harbour", "runtime");
    let out = |peer: Value, port| allowed(&objects, "Egress", &runtime, &peer, port);
    let into = |peer: Value, port| allowed(&objects, "Ingress", &runtime, &peer, port);
    assert!(out(pods("kube-system", "kube-dns"), 53));
    assert!(out(json!({"cidr": "10.1.0.4/32"}), 5432));
    assert!(out(pods("models-eu", "anything"), 9000));
    assert!(out(json!({"cidr": "192.0.2.0/28"}), 443));
    assert!(out(pods("soulfra-system", "control-plane"), 8443));
    assert!(into(pods("soulfra-edge", "edge"), 8080));
    assert!(into(pods("gateways", "anything"), 8080));
    assert!(into(pods("soulfra-system", "control-plane"), 8080));

    let strangers = [
        pods("tenant-other", "runtime"),
        pods("soulfra-edge", "stranger"),
        pods("kube-system", "stranger"),
        own("harbour", "inference"),
        own("harbour", "database"),
        own("other", "runtime"),
        json!({"cidr": "0.0.0.0/0"}),
        json!({"cidr": "10.0.0.1/32"}),
    ];
    for peer in strangers {
        for port in [22, 53, 80, 443, 5432, 6443, 8000, 8080, 8443, 9000, 9001, 10250] {
            assert!(!out(peer.clone(), port) && !into(peer.clone(), port), "{peer} {port}");
        }
    }
}

#[test]
fn a_dedicated_platform_keeps_its_data_and_models_to_itself() {
    let (blueprint, installation) = (full(), installation());
    let objects = Plan::new(&blueprint, &installation, Seen::default()).unwrap().objects();
    let name = "lighthouse";
    let speaks = |from: &str, to: &str, port| {
        allowed(&objects, "Egress", &part(name, from), &own(name, to), port)
            && allowed(&objects, "Ingress", &part(name, to), &own(name, from), port)
    };
    assert!(speaks("runtime", "database", 5432));
    assert!(speaks("runtime", "inference", 9000));
    assert!(speaks("database", "database", 5432));
    assert!(!speaks("runtime", "inference", 9001));
    assert!(!speaks("inference", "database", 5432));
    assert!(!speaks("inference", "runtime", 8080));
    assert!(!speaks("database", "runtime", 8080));
    let heard =
        |to: &str, peer: Value, port| allowed(&objects, "Ingress", &part(name, to), &peer, port);
    assert!(heard("database", pods("cnpg-system", "anything"), 8000));
    assert!(heard("database", pods("soulfra-system", "operator"), 5432));
    assert!(!heard("database", pods("soulfra-edge", "edge"), 5432));
    assert!(!heard("inference", pods("soulfra-edge", "edge"), 9000));
    let asks =
        |from: &str, peer: Value, port| allowed(&objects, "Egress", &part(name, from), &peer, port);
    assert!(asks("database", json!({"cidr": "10.0.0.1/32"}), 6443));
    assert!(!asks("runtime", json!({"cidr": "10.0.0.1/32"}), 6443));
    assert!(asks("inference", json!({"cidr": "0.0.0.0/0"}), 443));
    assert!(!asks("runtime", json!({"cidr": "0.0.0.0/0"}), 443));
}
