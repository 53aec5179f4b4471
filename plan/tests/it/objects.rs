//! Rules that hold for every object of every plan.

use std::collections::BTreeSet;

use plan::{HIDDEN, Installation, MAX_NAME, Object, Plan, SecretKey, Secrets, Seen, TENANT};
use serde_json::Value;

use crate::generate::{Generated, full, installation, planned, small};

/// Looks at every object of 500 generated plans.
fn every(seed: u64, look: impl Fn(&Plan<'_>, &Object, &Value)) {
    for generated in planned(500, seed) {
        let plan = generated.plan().unwrap();
        for object in &plan.objects() {
            look(&plan, object, &object.shown());
        }
    }
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let mut texts = BTreeSet::new();
    for Generated { blueprint, installation, seen } in planned(500, 0x5eed_0102) {
        // From its text once more, so that nothing hangs on how it was put together.
        let mut again = blueprint::read(&blueprint::write(&blueprint)).unwrap();
        again.metadata.uid.clone_from(&blueprint.metadata.uid);
        again.status.clone_from(&blueprint.status);
        let one = Plan::new(&blueprint, &installation, seen).unwrap().objects();
        let other = Plan::new(&again, &installation, seen).unwrap().objects();
        assert_eq!(one.text(), other.text());
        assert_eq!(one.hash(), other.hash());
        texts.insert(one.hash());
    }
    assert!(texts.len() > 400, "generated plans are too much alike");
}

#[test]
fn every_object_is_marked_and_in_the_namespace() {
    every(0x5eed_0103, |plan, object, shown| {
        let metadata = &shown["metadata"];
        assert_eq!(metadata["labels"][TENANT], plan.name.as_str(), "{}", object.id());
        assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "soulfra-operator");
        let uid = plan.blueprint.metadata.uid.clone();
        assert_eq!(metadata["labels"].get(plan::OWNER).cloned(), uid.map(Value::from));
        let namespace = plan.namespace();
        if object.id().kind == "Namespace" {
            assert_eq!(metadata["name"], namespace);
        } else {
            assert_eq!(metadata["namespace"], namespace, "{}", object.id());
        }
        assert_eq!(shown["kind"], object.id().kind);
        assert_eq!(metadata["name"], object.id().name);
    });
}

#[test]
fn names_and_labels_are_what_kubernetes_takes() {
    every(0x5eed_0104, |_, object, shown| {
        let name = shown["metadata"]["name"].as_str().unwrap();
        let is_label = |text: &str| {
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            !text.is_empty()
                && text.len() <= MAX_NAME
                && text.bytes().all(inner)
                && !text.starts_with('-')
                && !text.ends_with('-')
        };
        assert!(is_label(name), "{}: {name}", object.id());
        for (key, value) in shown["metadata"]["labels"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            assert!(value.len() <= 63 && key.len() <= 253, "{key}: {value}");
            assert!(value.starts_with(|c: char| c.is_ascii_alphanumeric()), "{key}: {value}");
            assert!(value.ends_with(|c: char| c.is_ascii_alphanumeric()), "{key}: {value}");
        }
    });
}

#[test]
fn no_object_is_there_twice_and_what_limits_comes_before_what_runs() {
    for generated in planned(500, 0x5eed_0105) {
        let objects = generated.plan().unwrap().objects();
        let ids: Vec<_> = objects.iter().map(|object| object.id().clone()).collect();
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
        let first = |kind: &str| ids.iter().position(|id| id.kind == kind).unwrap();
        let pods = first("Deployment");
        assert_eq!(first("Namespace"), 0);
        for kind in [
            "ResourceQuota",
            "LimitRange",
            "NetworkPolicy",
            "ServiceAccount",
            "Secret",
            "ConfigMap",
        ] {
            assert!(first(kind) < pods, "{kind}");
        }
    }
}

#[test]
fn nothing_is_a_float_and_nothing_is_null() {
    fn walk(value: &Value) {
        match value {
            Value::Null => panic!("null"),
            Value::Number(number) => assert!(!number.is_f64(), "{number}"),
            Value::Array(items) => items.iter().for_each(walk),
            Value::Object(fields) => fields.values().for_each(walk),
            Value::Bool(_) | Value::String(_) => {}
        }
    }
    every(0x5eed_0106, |_, _, shown| walk(shown));
}

#[test]
fn secrets_are_in_no_plan_and_only_in_what_is_applied() {
    let secrets = SecretKey::ALL.into_iter().fold(Secrets::default(), |secrets, key| {
        secrets.with(key, format!("the secret {key:?}").into())
    });
    for generated in planned(200, 0x5eed_0107) {
        let objects = generated.plan().unwrap().objects();
        assert!(!objects.text().contains("the secret"));
        for object in &objects {
            let filled = object.filled(&secrets).unwrap();
            let shown = object.shown();
            if object.id().kind == "Secret" {
                for (key, value) in shown["data"].as_object().unwrap() {
                    assert_eq!(value, HIDDEN, "{key}");
                    assert_ne!(filled["data"][key], HIDDEN);
                }
                assert!(object.filled(&Secrets::default()).is_err());
            } else {
                assert_eq!(filled, shown, "{}", object.id());
            }
        }
    }
}

#[test]
fn an_admin_link_that_may_not_be_used_any_more_is_taken_away() {
    let (blueprint, installation) = (small(), installation());
    let with = |admin_link| {
        let seen = plan::Seen { admin_link, ..plan::Seen::default() };
        let objects = Plan::new(&blueprint, &installation, seen).unwrap().objects();
        objects.find("Secret", "admin-link").is_some()
    };
    assert_eq!([with(true), with(false)], [true, false]);
}

#[test]
fn the_blueprint_goes_to_the_runtime_as_it_is_without_others_notes() {
    let (mut blueprint, installation) = (full(), installation());
    let text = |blueprint: &blueprint::PlatformBlueprint| {
        let plan = Plan::new(blueprint, &installation, plan::Seen::default()).unwrap();
        let shown = plan.objects().find("ConfigMap", "blueprint").unwrap().shown();
        shown["data"]["blueprint.yaml"].as_str().unwrap().to_owned()
    };
    let before = text(&blueprint);
    assert_eq!(blueprint::read(&before).unwrap().spec, blueprint.spec);
    blueprint.metadata.annotations.get_or_insert_default().insert("a/b".into(), "c".into());
    assert_eq!(text(&blueprint), before);
}

#[test]
fn whose_grants_are_taken_lies_beside_the_blueprint_and_changing_it_restarts_nothing() {
    let (mut blueprint, mut installation) = (small(), installation());
    blueprint.metadata.uid = Some("0192f0c8".to_owned());
    let objects = |installation: &Installation| {
        Plan::new(&blueprint, installation, Seen::default()).unwrap().objects()
    };
    let data = |installation: &Installation| {
        objects(installation).find("ConfigMap", "blueprint").unwrap().shown()["data"].clone()
    };
    let runtime = |installation: &Installation| {
        objects(installation).find("Deployment", "runtime").unwrap().hash()
    };
    let text = data(&installation)["control-plane.json"].as_str().unwrap().to_owned();
    let told: Value = serde_json::from_str(&text).unwrap();
    let grants = installation.control_plane.as_ref().unwrap().grants.clone().unwrap();
    let wanted = serde_json::json!({
        "issuer": grants.issuer, "keys": grants.keys, "platform": "0192f0c8",
    });
    assert_eq!(told, wanted);
    let before = runtime(&installation);
    installation.control_plane.as_mut().unwrap().grants = None;
    assert_eq!(data(&installation).get("control-plane.json"), None);
    assert_eq!(runtime(&installation), before);
    // Of one that is nowhere yet it is not known how it will be called.
    let nowhere = small();
    let installation = crate::generate::installation();
    let planned = Plan::new(&nowhere, &installation, Seen::default()).unwrap();
    let shown = planned.objects().find("ConfigMap", "blueprint").unwrap().shown();
    assert_eq!(shown["data"].get("control-plane.json"), None);
}
