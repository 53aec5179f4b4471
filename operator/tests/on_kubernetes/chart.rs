//! What the operator is installed with, `charts/operator`: true to the code, and applied here.

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use operator::cluster::OWN_DATABASE_SECRET;
use operator::kind::Kind;
use operator::seen::facts::{PURGE, PURGED};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub(crate) const SPACE: &str = "soulfra-system";
pub(crate) const ACCOUNT: &str = "soulfra-operator";

/// In the order in which `kubectl apply -f charts/operator` takes them.
const FILES: [&str; 5] = [
    include_str!("../../../charts/operator/1-namespace.yaml"),
    include_str!("../../../charts/operator/2-rights.yaml"),
    include_str!("../../../charts/operator/3-operator.yaml"),
    include_str!("../../../charts/operator/4-fairness.yaml"),
    include_str!("../../../charts/operator/5-admission.yaml"),
];

/// The same of an edge.
const EDGE: [&str; 4] = [
    include_str!("../../../charts/edge/1-namespace.yaml"),
    include_str!("../../../charts/edge/2-rights.yaml"),
    include_str!("../../../charts/edge/3-edge.yaml"),
    include_str!("../../../charts/edge/4-admission.yaml"),
];

const BINDING: &str = "ValidatingAdmissionPolicyBinding";

/// The policies that bind everybody, and not the operator alone.
const FOR_ALL: [&str; 2] = ["soulfra-tenant-namespaces", "soulfra-billing"];

pub(crate) fn documents() -> Vec<Value> {
    FILES.iter().flat_map(|file| serde_saphyr::from_multiple::<Value>(file).unwrap()).collect()
}

pub(crate) fn find(kind: &str, name: &str) -> Value {
    let is_it = |it: &Value| it["kind"] == kind && it["metadata"]["name"] == name;
    documents().into_iter().find(is_it).unwrap()
}

fn is_for_all(document: &Value) -> bool {
    let name = document["metadata"]["name"].as_str().unwrap();
    document["kind"] == BINDING && FOR_ALL.contains(&name)
}

/// Applies the chart, once in a run. The policies that bind everybody are bound by
/// [`bind`] for the platforms of one test: others have the same API server.
pub(crate) async fn install(client: &Client) {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED
        .get_or_init(|| async {
            for document in documents() {
                let is_for_all = is_for_all(&document);
                apply(client, &document, is_for_all).await;
            }
        })
        .await;
}

/// Applies the chart of edges, once in a run.
pub(crate) async fn install_edge(client: &Client) {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    install(client).await;
    INSTALLED
        .get_or_init(|| async {
            for file in EDGE {
                for document in serde_saphyr::from_multiple::<Value>(file).unwrap() {
                    apply(client, &document, false).await;
                }
            }
        })
        .await;
}

/// A policy, for these platforms, until [`unbind`].
pub(crate) async fn bind(client: &Client, policy: &str, tenants: &[&str]) {
    let mut binding = find(BINDING, policy);
    binding["metadata"]["name"] = json!(bound(policy, tenants));
    let one_of = json!({"key": plan::TENANT, "operator": "In", "values": tenants});
    binding["spec"]["matchResources"] = json!({"objectSelector": {"matchExpressions": [one_of]}});
    apply(client, &binding, false).await;
}

pub(crate) async fn unbind(client: &Client, policy: &str, tenants: &[&str]) {
    let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", BINDING);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    api.delete(&bound(policy, tenants), &DeleteParams::default()).await.unwrap();
}

fn bound(policy: &str, tenants: &[&str]) -> String {
    format!("{policy}-{}", tenants[0])
}

async fn apply(client: &Client, document: &Value, only_tried: bool) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let version = text(&document["apiVersion"]);
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let kind = GroupVersionKind::gvk(group, version, &text(&document["kind"]));
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = match document["metadata"]["namespace"].as_str() {
        Some(space) => Api::namespaced_with(client.clone(), space, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let parameters = PatchParams { dry_run: only_tried, ..PatchParams::apply("test").force() };
    let parameters = parameters.validation_strict();
    let name = text(&document["metadata"]["name"]);
    let applied = api.patch(&name, &parameters, &Patch::Apply(document)).await;
    applied.unwrap_or_else(|error| panic!("{} {name}: {error}", resource.kind));
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn the_rights_are_for_what_platforms_are_made_of_and_secrets_by_name() {
    let role = find("ClusterRole", ACCOUNT);
    let mut given = BTreeMap::new();
    for rule in role["rules"].as_array().unwrap() {
        if words(&rule["resourceNames"]) == [OWN_DATABASE_SECRET] {
            assert_eq!(
                (words(&rule["resources"]), words(&rule["verbs"])),
                (vec!["secrets"], vec!["get"])
            );
            continue;
        }
        for (group, resource) in words(&rule["apiGroups"])
            .into_iter()
            .flat_map(|group| words(&rule["resources"]).into_iter().map(move |it| (group, it)))
        {
            let what = (words(&rule["verbs"]), words(&rule["resourceNames"]));
            let key = (group.to_owned(), resource.to_owned());
            assert!(given.insert(key, what).is_none(), "{resource} twice");
        }
    }
    let secrets =
        given[&(String::new(), "secrets".to_owned())].1.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(secrets, plan::SecretKey::ALL.map(|key| key.place().0).into());
    let write = ["list", "watch", "create", "patch", "delete"];
    for kind in Kind::ALL {
        let resource = kind.resource();
        let (verbs, names) = given.remove(&(resource.group, resource.plural)).unwrap();
        assert_eq!(names.is_empty(), kind != Kind::Secret, "{kind:?}");
        let verbs = verbs.into_iter().filter(|verb| kind != Kind::Namespace || *verb != "get");
        assert_eq!(verbs.collect::<Vec<_>>(), write, "{kind:?}");
    }
    let left: Vec<_> = given.into_keys().map(|(_, resource)| resource).collect();
    assert_eq!(left, ["nodes", "platformblueprints", "platformblueprints/status"]);
}

#[test]
fn no_right_is_for_everything_or_gives_more_rights() {
    for role in documents().iter().filter(|it| it["rules"].is_array() && it["kind"] != "FlowSchema")
    {
        for rule in role["rules"].as_array().unwrap() {
            for part in ["apiGroups", "resources", "verbs", "resourceNames"] {
                for word in words(&rule[part]) {
                    let strong = ["escalate", "bind", "impersonate"];
                    assert!(!word.contains('*') && !strong.contains(&word), "{word} in {role}");
                }
            }
        }
    }
}

#[test]
fn policies_know_the_marks_by_their_names_and_bind_everywhere() {
    let policy = find("ValidatingAdmissionPolicy", FOR_ALL[0]).to_string();
    for mark in [PURGE, PURGED, plan::TENANT] {
        assert!(policy.contains(mark), "{mark}");
    }
    for binding in documents().iter().filter(|it| it["kind"] == BINDING) {
        assert_eq!(binding["spec"].as_object().unwrap().len(), 2, "{binding}");
        assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]));
    }
}
