//! Routes and listeners for a gateway that is not ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::generate::{full, installation, seen, with};

/// The names that each object of a kind has, by its own.
fn of_kind(objects: &plan::Objects, kind: &str, names: fn(&Value) -> Vec<&str>) -> Named {
    let of = objects.iter().filter(|object| object.id().kind == kind);
    of.map(|object| {
        let shown = object.shown();
        let names = names(&shown).into_iter().map(str::to_owned).collect();
        (object.id().name.clone(), (names, shown["spec"].clone()))
    })
    .collect()
}

type Named = BTreeMap<String, (Vec<String>, Value)>;

fn texts<'a>(values: &'a Value, field: Option<&str>) -> Vec<&'a str> {
    let values = values.as_array().unwrap().iter();
    values.map(|value| field.map_or(value, |field| &value[field]).as_str().unwrap()).collect()
}

/// The objects of a platform with so many names of its own.
fn planned(names: usize, issuer: Option<&str>) -> (Named, Named) {
    let names: Vec<_> = (0..names).map(|n| format!("n{n}.example.com")).collect();
    let blueprint = with(&full(), &json!({"domains": names}));
    let states = names.iter().map(|name| json!({"name": name, "state": "Serving"}));
    let blueprint = seen(&blueprint, json!({"domains": states.collect::<Vec<_>>()}));
    let mut installation = installation();
    installation.gateway.as_mut().unwrap().issuer = issuer.map(str::to_owned);
    let plan = plan::Plan::new(&blueprint, &installation, plan::Seen::default()).unwrap();
    let objects = plan.objects();
    let routes = of_kind(&objects, "HTTPRoute", |it| texts(&it["spec"]["hostnames"], None));
    let sets =
        of_kind(&objects, "ListenerSet", |it| texts(&it["spec"]["listeners"], Some("hostname")));
    (routes, sets)
}

#[test]
fn without_an_issuer_all_names_lead_to_the_gateway_itself() {
    let (routes, sets) = planned(20, None);
    assert!(sets.is_empty());
    let (hosts, _): (Vec<_>, Vec<_>) = routes.values().cloned().unzip();
    assert_eq!(hosts.concat().len(), 21);
    for (names, spec) in routes.values() {
        assert!(names.len() <= 16);
        assert_eq!(spec["parentRefs"], json!([{"name": "public", "namespace": "gateways"}]));
    }
}

#[test]
fn with_an_issuer_each_name_of_its_own_has_a_listener_and_a_certificate() {
    let (routes, sets) = planned(20, Some("letsencrypt"));
    let (own, spec) = &routes["runtime"];
    assert_eq!(own.len(), 1, "its name below the domain of the service: {own:?}");
    assert_eq!(spec["parentRefs"], json!([{"name": "public", "namespace": "gateways"}]));
    let mut met = BTreeSet::new();
    for (name, (hosts, spec)) in routes.iter().filter(|(name, _)| *name != "runtime") {
        let parent = &spec["parentRefs"][0];
        assert_eq!((&parent["kind"], hosts.len() <= 16), (&json!("ListenerSet"), true), "{name}");
        let (listened, _) = &sets[parent["name"].as_str().unwrap()];
        for host in hosts {
            assert!(listened.contains(host), "{host}");
            assert!(met.insert(host.clone()), "{host} twice");
        }
    }
    assert_eq!(met.len(), 20);
    for (names, spec) in sets.values() {
        assert!(names.len() <= 64);
        assert_eq!(spec["parentRef"], json!({"name": "public", "namespace": "gateways"}));
        for listener in spec["listeners"].as_array().unwrap() {
            assert_eq!(listener["tls"]["certificateRefs"][0]["name"], listener["hostname"]);
        }
    }
}
