//! Network policies, tried out: each pod is a network namespace of the kernel, each policy that the
//! plan has for it becomes rules of nftables there, and everybody tries to reach everybody.
//!
//! This proves the policies, and no network plugin. Needs root, `ip` and `nft`, and no API server.

mod compiled;
mod expected;
mod host;
mod wires;

use std::collections::BTreeSet;
use std::time::Instant;

use plan::{Plan, Seen};
use serde_json::{Value, json};

use crate::generate::{installation, small, with};
use expected::{Host, PORTS, Part, Protocol, may};
use host::{Flow, attempts};
use wires::Wires;

/// Four platforms, one of each sort.
const TENANTS: [(&str, &str); 4] = [
    ("shared", "{}"),
    ("models", r#"{"inference": {"placement": "dedicated"}}"#),
    ("data", r#"{"database": {"placement": "dedicated"}}"#),
    ("all", r#"{"inference": {"placement": "dedicated"}, "database": {"placement": "dedicated"}}"#),
];

/// Every policy of the four, each with the namespace that it is in.
fn policies() -> Vec<Value> {
    let installation = installation();
    let mut found = Vec::new();
    for (name, spec) in TENANTS {
        let mut blueprint = with(&small(), &serde_json::from_str(spec).unwrap());
        blueprint.metadata.name = Some(name.to_owned());
        let objects = Plan::new(&blueprint, &installation, Seen::default()).unwrap().objects();
        let ours = objects.iter().filter(|object| object.id().kind == "NetworkPolicy");
        found.extend(ours.map(plan::Object::shown));
    }
    found
}

fn part(tenant: &'static str, part: Part, address: &str) -> Host {
    let name = match part {
        Part::Runtime => "runtime",
        Part::Inference => "inference",
        Part::Database => "database",
    };
    let labels = json!({plan::TENANT: tenant, plan::PART: name});
    Host::pod(&format!("tenant-{tenant}"), labels, address).of(tenant, part)
}

/// Everybody, at addresses as a cluster would give them.
fn everybody() -> Vec<Host> {
    let named = |name: &str| json!({"app.kubernetes.io/name": name});
    vec![
        part("shared", Part::Runtime, "10.244.0.1"),
        part("shared", Part::Runtime, "10.244.0.2"),
        part("models", Part::Runtime, "10.244.1.1"),
        part("models", Part::Inference, "10.244.1.2"),
        part("data", Part::Runtime, "10.244.2.1"),
        part("data", Part::Database, "10.244.2.2"),
        part("data", Part::Database, "10.244.2.3"),
        part("all", Part::Runtime, "10.244.3.1"),
        part("all", Part::Inference, "10.244.3.2"),
        part("all", Part::Database, "10.244.3.3"),
        Host::pod("kube-system", json!({"k8s-app": "kube-dns"}), "10.244.9.1").called("dns"),
        Host::pod("kube-system", named("other"), "10.244.9.2"),
        Host::pod("soulfra-edge", named("edge"), "10.244.9.3").called("edge"),
        Host::pod("soulfra-edge", named("other"), "10.244.9.4"),
        Host::pod("gateways", named("public"), "10.244.9.5").called("gateway"),
        Host::pod("soulfra-system", named("control-plane"), "10.244.9.6").called("control plane"),
        Host::pod("soulfra-system", named("operator"), "10.244.9.7").called("operator"),
        Host::pod("cnpg-system", named("cloudnative-pg"), "10.244.9.8").called("cnpg"),
        Host::pod("models-eu", named("model-server"), "10.244.9.9").called("shared models"),
        // Somebody who looks like a platform's pod, and is in another namespace.
        Host::pod("elsewhere", json!({plan::TENANT: "all", plan::PART: "runtime"}), "10.244.9.10"),
        Host::outside("10.1.0.4").called("shared database"),
        Host::outside("192.0.2.5").called("files"),
        Host::outside("10.0.0.1").called("api server"),
        Host::outside("203.0.113.7").called("internet"),
        Host::outside("172.16.3.4"),
    ]
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
fn nobody_reaches_whom_the_design_does_not_name() {
    let begun = Instant::now();
    let (hosts, policies) = (everybody(), policies());
    let wires = Wires::lay(&hosts);
    let wanted: Vec<Flow> = (0..hosts.len())
        .flat_map(|from| (0..hosts.len()).map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
        .flat_map(|(from, to)| {
            let tcp = PORTS.map(|port| Flow { from, to, protocol: Protocol::Tcp, port });
            let udp = Flow { from, to, protocol: Protocol::Udp, port: 53 };
            tcp.into_iter().chain([udp])
        })
        .collect();

    // Without rules everything is reached: what is not reached later is not because nobody hears.
    let reached = attempts(&wires, &hosts, &wanted);
    assert_eq!(reached.len(), wanted.len(), "the wires are laid");

    for (at, host) in hosts.iter().enumerate() {
        wires.rule(at, &compiled::rules(host, &hosts, &policies));
    }
    let reached = attempts(&wires, &hosts, &wanted);
    let expected: BTreeSet<Flow> = wanted
        .iter()
        .filter(|it| may(&hosts[it.from], &hosts[it.to], it.protocol, it.port))
        .copied()
        .collect();
    let shown = |flows: Vec<&Flow>| {
        let shown = |it: &&Flow| {
            let (from, to) = (&hosts[it.from], &hosts[it.to]);
            format!("{from} -> {to} {:?} {}", it.protocol, it.port)
        };
        flows.iter().map(shown).collect::<Vec<_>>()
    };
    let unexpected = shown(reached.difference(&expected).collect());
    let missing = shown(expected.difference(&reached).collect());
    assert!(unexpected.is_empty(), "{} unexpected flows: {unexpected:#?}", unexpected.len());
    assert!(missing.is_empty(), "{} flows are missing: {missing:#?}", missing.len());
    let of_tenants = |it: &&Flow| hosts[it.from].tenant.is_some() || hosts[it.to].tenant.is_some();
    let ours = expected.iter().filter(of_tenants).count();
    println!(
        "counted: {} flows tried between {} namespaces, {} of them from or to a platform, {ours} of \
         those allowed, 0 unexpected; {:.1} s",
        wanted.len(),
        hosts.len(),
        wanted.iter().filter(of_tenants).count(),
        begun.elapsed().as_secs_f64()
    );
}

/// A test that finds nothing may be blind: without one policy there is what it would find.
#[test]
fn a_policy_that_is_missing_opens_its_pods_in_the_rules() {
    let (hosts, mut all) = (everybody(), policies());
    let runtime = &hosts[0];
    assert!(compiled::rules(runtime, &hosts, &all).contains("reject"));
    all.retain(|policy| policy["metadata"]["namespace"] != "tenant-shared");
    assert_eq!(compiled::rules(runtime, &hosts, &all), "");
}
