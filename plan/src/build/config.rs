//! What a platform's programs read: the blueprint, which they read again when it changes, and
//! settings, which they read at their start.

use blueprint::PlatformBlueprint;
use serde_json::{Value, json};

use super::inference;
use super::labels::object;
use super::network::RUNTIME;
use super::secret::needs;
use crate::decide::{Models, Plan};
use crate::node::{Node, always, group};
use crate::object::Object;
use crate::origin::Origin;
use crate::secrets::SecretKey;

/// Name of the object that holds the blueprint.
pub(super) const BLUEPRINT: &str = "blueprint";
/// Name of the object that holds the runtime's settings.
pub(super) const SETTINGS: &str = "runtime-settings";
/// Where the blueprint is found.
pub(super) const BLUEPRINT_FOLDER: &str = "/etc/soulfra/blueprint";
/// Where secrets are found, in a folder for each object.
pub(super) const SECRETS_FOLDER: &str = "/run/secrets/soulfra";

const KIND: (&str, &str) = ("v1", "ConfigMap");

pub(super) fn configs(plan: &Plan<'_>) -> Vec<Object> {
    let settings = object(plan, KIND, SETTINGS, [("data", settings(plan))]);
    let mut configs = vec![blueprint(plan), settings];
    if let Models::Dedicated(_) = &plan.models {
        let data = group([(inference::FILE, inference::settings(plan))]);
        configs.push(object(plan, KIND, inference::SETTINGS, [("data", data)]));
    }
    configs
}

/// Read again by running pods: a change here restarts nothing.
fn blueprint(plan: &Plan<'_>) -> Object {
    // Without labels and notes of other programs, whose changes would be writes of ours.
    let bare = PlatformBlueprint::new(plan.name.as_str(), plan.blueprint.spec.clone());
    let text = blueprint::write(&bare);
    let pays = &plan.pays.origin;
    let limits = group([
        ("storageGib", pays.of(plan.allowance.storage)),
        ("transferGibPerMonth", pays.of(plan.allowance.transfer)),
        ("streams", pays.of(plan.allowance.streams)),
    ]);
    // Plain values: there is nothing to fail.
    let entitlements = serde_json::to_value(plan.entitlements.value).unwrap_or_default();
    let staff = serde_json::to_value(&plan.staff.value).unwrap_or_default();
    let data = group([
        ("blueprint.yaml", Origin::Written("spec".into()).of(text)),
        ("entitlements.json", Node::Text(Box::new(plan.entitlements.origin.of(entitlements)))),
        ("limits.json", Node::Text(Box::new(limits))),
        ("staff.json", Node::Text(Box::new(plan.staff.origin.of(staff)))),
    ]);
    let data = data.and_some("control-plane.json", control_plane(plan));
    object(plan, KIND, BLUEPRINT, [("data", data)])
}

/// Whose grants the runtime takes, and how they call it: by its uid, so that none is good for another
/// platform that has its name later.
fn control_plane(plan: &Plan<'_>) -> Option<Node> {
    let grants = plan.installation.control_plane.as_ref()?.grants.as_ref()?;
    let uid = plan.blueprint.metadata.uid.as_deref()?;
    let of = Origin::Installation("the grants of its control plane");
    Some(Node::Text(Box::new(group([
        ("issuer", of.of(grants.issuer.as_str())),
        ("keys", of.of(grants.keys.clone())),
        ("platform", Origin::Seen("metadata.uid of the blueprint").of(uid)),
    ]))))
}

/// The runtime's environment: read once, so a change here starts it again.
pub(super) fn settings(plan: &Plan<'_>) -> Node {
    let path = |key: SecretKey| {
        let (object, name) = key.place();
        always("where its secret is mounted", format!("{SECRETS_FOLDER}/{object}/{name}"))
    };
    let (models, models_origin) = match &plan.models {
        Models::Shared(server) => (server.value.url.clone(), server.origin.clone()),
        Models::Dedicated(_) => {
            let url = format!("http://{}:{}/v1", inference::SERVICE, super::network::MODELS);
            (url, plan.asked.origin("spec.inference.placement"))
        }
    };
    let file = format!("{BLUEPRINT_FOLDER}/blueprint.yaml");
    let folder = "where its blueprint is mounted";
    let mut settings = group([
        ("SOULFRA_BLUEPRINT", always(folder, file)),
        ("SOULFRA_DATABASE_URL_FILE", path(SecretKey::DatabaseApp)),
        ("SOULFRA_DATABASE_READ_URL_FILE", path(SecretKey::DatabaseRead)),
        ("SOULFRA_LISTEN", always("every address of the pod", format!("0.0.0.0:{RUNTIME}"))),
        ("SOULFRA_MODELS_CREDENTIAL_FILE", path(SecretKey::Inference)),
        ("SOULFRA_MODELS_URL", models_origin.of(models)),
        (
            "SOULFRA_PLATFORM_DOMAIN",
            Origin::Installation("its domain").of(plan.installation.domain.as_str()),
        ),
    ]);
    if let Some(store) = &plan.store {
        settings = settings
            .and("SOULFRA_FILES_CREDENTIAL_FILE", path(SecretKey::Files))
            .and("SOULFRA_FILES_URL", store.origin.of(store.value.url.as_str()));
    }
    if let Some(found) = &plan.installation.control_plane {
        let origin = Origin::Installation("its control plane");
        settings = settings.and("SOULFRA_CONTROL_PLANE_URL", origin.of(found.url.as_str()));
    }
    settings
}

/// The volume with the secrets that the runtime reads, and reads again when they are changed.
pub(super) fn secret_volume(plan: &Plan<'_>) -> Node {
    let read =
        [SecretKey::DatabaseApp, SecretKey::DatabaseRead, SecretKey::Inference, SecretKey::Files];
    let sources: Vec<Value> = read
        .into_iter()
        .filter(|key| needs(plan, *key))
        .map(|key| {
            let (object, name) = key.place();
            let items = json!([{"key": name, "path": format!("{object}/{name}")}]);
            json!({"secret": {"name": object, "items": items}})
        })
        .collect();
    // Readable by the pod's own group alone.
    let projected = json!({"defaultMode": 0o440, "sources": sources});
    let why = "secrets are files, so that changed ones are read without a new start";
    group([("name", always(why, "secrets")), ("projected", always(why, projected))])
}
