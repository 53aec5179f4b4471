//! A model server of a platform's own: its settings, its cache of models, its pod, its address.

use blueprint::spec::Provider;
use serde_json::{Value, json};

use super::config::SECRETS_FOLDER;
use super::labels::{Part, matching, object, pod_labels, selector};
use super::limits::resources;
use super::network::MODELS;
use super::pod;
use super::runtime::SETTINGS_HASH;
use crate::allowance::gibi;
use crate::decide::{Dedicated, GpuNodes, Models, Plan};
use crate::fleet::RESIDENCY;
use crate::node::{Node, always, group, list};
use crate::object::{Object, reads};
use crate::origin::Origin;
use crate::secrets::SecretKey;

/// Name of the Deployment and its Service.
pub(super) const SERVICE: &str = "inference";
/// Name of the object that holds its settings.
pub(super) const SETTINGS: &str = "inference-settings";
/// The one file in it.
pub(super) const FILE: &str = "model-server.yaml";
const FOLDER: &str = "/etc/soulfra/inference";
const CACHE: &str = "model-cache";
const CACHE_FOLDER: &str = "/var/cache/models";
/// Where it hears operators: probes alone, for no policy lets anybody else in.
const OPERATORS: u16 = 9001;

pub(super) fn server(plan: &Plan<'_>) -> Vec<Object> {
    match &plan.models {
        Models::Shared(_) => Vec::new(),
        Models::Dedicated(own) => vec![cache(plan, own), deployment(plan, own), service(plan)],
    }
}

/// All that the model server is told, in its own words; JSON is YAML.
pub(super) fn settings(plan: &Plan<'_>) -> Node {
    let spec = &plan.blueprint.spec;
    let local = spec.ai.models.iter().filter(|model| model.provider == Provider::Local);
    let mut names: Vec<&str> = local.map(|model| model.id.as_str()).collect();
    // The first one answers who names none.
    names.sort_by_key(|name| Some(*name) != spec.ai.default_model.as_deref());
    let (names, from) = if names.is_empty() {
        let setting = Origin::Installation("its default model");
        (vec![plan.installation.default_model.as_str()], setting)
    } else {
        (names, plan.asked.origin("spec.ai.models"))
    };
    let free = json!({"currency": "USD", "prompt": 0, "cachedPrompt": 0, "completion": 0});
    let price = |name: &&str| {
        let free = always("its own model server is paid for already", free.clone());
        ((*name).to_owned(), free)
    };
    let prices = Node::Group(names.iter().map(price).collect());
    let ports = "the ports that this part listens on";
    let folder = "where its volume is mounted";
    Node::Text(Box::new(group([
        ("admin", always(ports, format!("0.0.0.0:{OPERATORS}"))),
        ("cache", always(folder, CACHE_FOLDER)),
        ("listen", always(ports, format!("0.0.0.0:{MODELS}"))),
        ("models", from.of(names)),
        ("prices", prices),
        ("tenants", list([tenant(plan)])),
        ("usage", always(folder, format!("{CACHE_FOLDER}/usage"))),
    ])))
}

/// The one tenant, with what it is allowed.
fn tenant(plan: &Plan<'_>) -> Node {
    let ai = &plan.blueprint.spec.ai;
    let asked = |field: &str, value: Value| plan.asked.origin(field).of(value);
    let (secret, key) = SecretKey::Inference.place();
    let file = format!("{SECRETS_FOLDER}/{secret}/{key}");
    group([
        ("class", plan.pays.origin.of(plan.pays.value.as_str())),
        ("name", super::labels::named().of(plan.name.as_str())),
        ("safety", asked("spec.ai.safety", json!(ai.safety))),
        ("secretFile", always("where its secret is mounted", file)),
    ])
    .and_some(
        "monthlyBudget",
        ai.monthly_budget.map(|budget| asked("spec.ai.monthlyBudget", json!(budget))),
    )
    .and_some(
        "perUserDailyTokens",
        ai.per_user_daily_tokens.map(|most| asked("spec.ai.perUserDailyTokens", json!(most))),
    )
}

fn cache(plan: &Plan<'_>, own: &Dedicated<'_>) -> Object {
    let size = own.cache.origin.of(gibi(own.cache.value));
    let one = "one model server writes to it";
    let spec = group([
        ("accessModes", always(one, json!(["ReadWriteOnce"]))),
        ("resources", group([("requests", group([("storage", size)]))])),
    ])
    .and_some("storageClassName", storage_class(plan));
    object(plan, ("v1", "PersistentVolumeClaim"), CACHE, [("spec", spec)])
}

/// The class of all volumes, where the installation has one.
pub(super) fn storage_class(plan: &Plan<'_>) -> Option<Node> {
    let class = plan.installation.storage_class.as_deref()?;
    Some(Origin::Installation("its class of volumes").of(class))
}

fn deployment(plan: &Plan<'_>, own: &Dedicated<'_>) -> Object {
    let one = "its graphics processors and its volume are there once";
    let replicas = match &plan.copies.stopped {
        Some(why) => why.of(0),
        None => always(one, 1),
    };
    let spec = group([
        ("progressDeadlineSeconds", always("files of models take their time", 3_600)),
        ("replicas", replicas),
        ("revisionHistoryLimit", always("earlier versions to go back to", 3)),
        ("selector", matching(plan, Part::Inference)),
        ("strategy", always(one, json!({"type": "Recreate"}))),
        ("template", template(plan, own)),
    ]);
    object(plan, ("apps/v1", "Deployment"), SERVICE, [("spec", spec)])
}

fn template(plan: &Plan<'_>, own: &Dedicated<'_>) -> Node {
    let metadata = group([
        ("annotations", group([(SETTINGS_HASH, reads(&settings(plan)))])),
        ("labels", pod_labels(plan, Part::Inference)),
    ]);
    let (secret, key) = SecretKey::Inference.place();
    let items = json!([{"key": key, "path": format!("{secret}/{key}")}]);
    let volumes = json!([
        {"name": "settings", "configMap": {"name": SETTINGS}},
        {"name": "secrets", "secret": {"secretName": secret, "defaultMode": 0o440, "items": items}},
        {"name": CACHE, "persistentVolumeClaim": {"claimName": CACHE}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
    ]);
    let gpu = own.gpu.map(|_| {
        let taken =
            json!([{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]);
        always("nodes with graphics processors are kept for who needs them", taken)
    });
    let spec = pod::harmless(Part::Inference)
        .and("containers", list([container(plan, own)]))
        .and_some("nodeSelector", nodes(plan, own))
        .and("terminationGracePeriodSeconds", always("answers under way come to their end", 120))
        .and_some("tolerations", gpu)
        .and("volumes", always("where the program looks for it", volumes));
    group([("metadata", metadata), ("spec", spec)])
}

fn container(plan: &Plan<'_>, own: &Dedicated<'_>) -> Node {
    let image = format!("{}:{}", plan.installation.images.model_server, plan.version.value);
    let ports = json!([
        {"name": "tenants", "containerPort": MODELS, "protocol": "TCP"},
        {"name": "operators", "containerPort": OPERATORS, "protocol": "TCP"},
    ]);
    let mounts = [
        pod::reads("settings", FOLDER),
        pod::reads("secrets", SECRETS_FOLDER),
        pod::writes(CACHE, CACHE_FOLDER),
        pod::writes("tmp", "/tmp"),
    ];
    let gpus =
        own.gpu.map(|gpu| plan.asked.origin("spec.inference.gpu.count").of(gpu.count.to_string()));
    let arguments = json!(["--config", format!("{FOLDER}/{FILE}")]);
    let container = group([
        ("args", always("where its settings are mounted", arguments)),
        ("image", plan.version.origin.of(image)),
        ("name", always("the one container", SERVICE)),
        ("ports", always("the ports that this part listens on", ports)),
        ("resources", resources(plan.allowance.inference, &plan.pays.origin, gpus)),
        ("securityContext", pod::harmless_container()),
        ("volumeMounts", list(mounts)),
    ]);
    pod::probes(container, "/health", "/ready", "operators")
}

/// Nodes with the graphics processor asked for, whether there are any yet or not.
fn nodes(plan: &Plan<'_>, own: &Dedicated<'_>) -> Option<Node> {
    let Some(gpu) = own.gpu else { return pod::nodes(plan.pool.as_ref()) };
    let product = plan.asked.origin("spec.inference.gpu.product").of(gpu.product.as_str());
    // Without such nodes it waits for one, and for one where its data may be.
    let region = plan.blueprint.spec.governance.data_residency.as_deref();
    let region = region.map(|region| plan.asked.origin("spec.governance.dataResidency").of(region));
    let nodes = pod::nodes(own.pool.as_ref());
    let nodes = nodes.unwrap_or_else(|| group([]).and_some(RESIDENCY, region));
    Some(nodes.and("nvidia.com/gpu.product", product))
}

impl Plan<'_> {
    /// The nodes that can take its own model server; none where any can, or where it has none.
    pub fn gpu_nodes(&self) -> Option<GpuNodes> {
        let Models::Dedicated(own) = &self.models else { return None };
        let gpu = own.gpu?;
        // A group of texts: there is nothing to fail.
        let labels = nodes(self, own).map(|nodes| nodes.shown());
        let labels = labels.and_then(|labels| serde_json::from_value(labels).ok());
        Some(GpuNodes {
            product: gpu.product.clone(),
            count: gpu.count.into(),
            labels: labels.unwrap_or_default(),
        })
    }
}

fn service(plan: &Plan<'_>) -> Object {
    let why = "the address that the runtime asks";
    let ports = json!([
        {"name": "tenants", "port": MODELS, "protocol": "TCP", "targetPort": "tenants"},
    ]);
    let spec = group([
        ("ports", always(why, ports)),
        ("selector", selector(plan, Part::Inference)),
        ("type", always(why, "ClusterIP")),
    ]);
    object(plan, ("v1", "Service"), SERVICE, [("spec", spec)])
}
