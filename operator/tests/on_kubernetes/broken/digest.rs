//! Everything there is of a platform, as a text that is the same for the same.

use blueprint::BlueprintName;
use database::tenant::{self, Steps};
use kube::api::{Api, DynamicObject, ListParams};
use operator::kind::Kind;
use serde_json::Value;

use super::flow::World;
use crate::house::admin;

/// What differs from run to run, or says only how often something was written.
const PASSING: [&str; 9] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "time",
    "clusterIP",
    "clusterIPs",
    // Of passwords: each platform begins with one of its own.
    "number",
];

impl World {
    pub(super) async fn digest(&self, name: &str) -> String {
        let mut all = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| !kind.of_others()) {
            all.extend(self.objects(name, kind).await);
        }
        let blueprint = self.house.blueprints().get_opt(name).await.unwrap();
        let uid = blueprint.as_ref().and_then(|it| it.metadata.uid.clone()).unwrap_or_default();
        let mut blueprint = serde_json::to_value(blueprint).unwrap();
        clean(&mut blueprint);
        all.push(blueprint);
        all.push(self.database(name).await.into());
        let text = serde_json::to_string_pretty(&all).unwrap();
        let text = if uid.is_empty() { text } else { text.replace(&uid, "UID") };
        let text = text.replace(&name.replace('-', "_"), "NAME").replace(name, "NAME");
        // Owners that are gone.
        mask(&text)
    }

    async fn objects(&self, name: &str, kind: Kind) -> Vec<Value> {
        let resource = kind.resource();
        let client = self.house.client.clone();
        let api: Api<DynamicObject> = if kind.in_namespace() {
            Api::namespaced_with(client, &format!("tenant-{name}"), &resource)
        } else {
            Api::all_with(client, &resource)
        };
        let marked = ListParams::default().labels(&format!("{}={name}", plan::TENANT));
        let listed = api.list(&marked).await.unwrap();
        let value = |object| {
            let mut value = serde_json::to_value(object).unwrap();
            if kind == Kind::Secret
                && let Some(data) = value["data"].as_object_mut()
            {
                // Encoded, with the name of the platform and its passwords in it.
                data.values_mut().for_each(|value| *value = "SECRET".into());
            }
            clean(&mut value);
            value
        };
        listed.items.into_iter().map(value).collect()
    }

    /// Whether the database is whole: making it again writes nothing.
    async fn database(&self, name: &str) -> String {
        let name: BlueprintName = name.parse().unwrap();
        let (admin, mut steps) = (admin(), Steps::all());
        if !tenant::exists(&admin, &name).await.unwrap() {
            return "no database".to_owned();
        }
        let key = &self.house.driver.key;
        let schema = &tenant_runtime::SCHEMA;
        tenant::provision_by(&mut steps, &admin, &name, schema, key, 0).await.unwrap();
        format!("a database that lacks {:?}", steps.written())
    }
}

fn clean(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !PASSING.contains(&name.as_str()) && !name.ends_with("Time"));
            fields.values_mut().for_each(clean);
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        _ => {}
    }
}

/// Hashes and ids are other ones for other names.
fn mask(text: &str) -> String {
    let is_hash =
        |word: &str| word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    // Texts in texts have a backslash before the quotation mark.
    let bare = |word| str::trim_end_matches(word, '\\');
    let words = text.split('"').map(|word| if is_hash(bare(word)) { "HASH" } else { word });
    words.collect::<Vec<_>>().join("\"")
}

/// The lines that only one of two has.
pub(super) fn differences(expected: &str, found: &str) -> Vec<String> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected, found) = (lines(expected), lines(found));
    let less = expected.iter().filter(|line| !found.contains(line)).map(|line| format!("- {line}"));
    let more = found.iter().filter(|line| !expected.contains(line)).map(|line| format!("+ {line}"));
    let mut differences: Vec<_> = less.chain(more).collect();
    if differences.is_empty() && expected != found {
        differences.push("the same lines, in another order or number".to_owned());
    }
    differences
}
