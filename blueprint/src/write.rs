//! Blueprint to text, in one form only: the order of the types, nothing that says no more than
//! its absence, no server-side fields. What was written reads back to the same bytes.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{API_VERSION, BlueprintSpec, KIND, PlatformBlueprint};

/// Left by `kubectl apply` in every object; holds the whole file once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The canonical YAML of a blueprint. `status` and server-side metadata are not part of it.
pub fn write(blueprint: &PlatformBlueprint) -> String {
    let metadata = &blueprint.metadata;
    let mut annotations = metadata.annotations.clone().unwrap_or_default();
    annotations.remove(LAST_APPLIED);
    yaml(&Document {
        api_version: API_VERSION,
        kind: KIND,
        metadata: Metadata {
            name: metadata.name.as_deref().unwrap_or_default(),
            labels: metadata.labels.clone().unwrap_or_default(),
            annotations,
        },
        spec: &blueprint.spec,
    })
}

/// [`write()`], with a first line that tells editors where the schema is.
pub fn write_with_schema_line(blueprint: &PlatformBlueprint, schema: &str) -> String {
    format!("# yaml-language-server: $schema={schema}\n{}", write(blueprint))
}

/// SHA-256 of the canonical YAML, in hex: a change request names the state it was made from.
pub fn hash(blueprint: &PlatformBlueprint) -> String {
    format!("{:x}", Sha256::digest(write(blueprint).as_bytes()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    spec: &'a BlueprintSpec,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// YAML without folded texts: one value, one line.
#[expect(clippy::expect_used, reason = "plain structs into a String: there is nothing to fail")]
pub(crate) fn yaml(value: &impl Serialize) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options).expect("plain structs are YAML")
}
