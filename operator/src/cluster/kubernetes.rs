//! The real API server.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
    Preconditions, PropagationPolicy,
};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use plan::decide::GpuNodes;
use plan::{OWNER, TENANT};
use serde_json::{Map, Value, json};

use super::{
    At, CALL_DEADLINE, CallError, Cluster, FINALIZER, Found, MANAGER, OWN_DATABASE_SECRET,
    OwnDatabase, Told, Write,
};
use crate::kind::Kind;
use crate::seen::watch::{blueprints, news_of_blueprint, news_of_child};
use crate::seen::{Child, ChildId, News, Resource};

/// Under this name the API server knows who made a namespace. What it says is said by [`MANAGER`] too
/// from then on.
const BIRTH_MANAGER: &str = "soulfra-operator-birth";

/// The real API server.
pub struct Kubernetes {
    client: Client,
    resources: HashMap<Kind, ApiResource>,
    recorder: Recorder,
    /// What was told last, by blueprint: the same is not told twice in a row.
    told: Mutex<HashMap<String, Told>>,
}

impl Kubernetes {
    /// By this client; `instance` is how this process is called among those that do the same.
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter =
            Reporter { controller: MANAGER.to_owned(), instance: Some(instance.to_owned()) };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            resources: Kind::ALL.map(|kind| (kind, kind.resource())).into(),
            told: Mutex::default(),
        }
    }

    fn api(&self, tenant: &str, kind: Kind) -> Api<DynamicObject> {
        let resource = self.resources.get(&kind).cloned().unwrap_or_else(|| kind.resource());
        if kind.in_namespace() {
            Api::namespaced_with(self.client.clone(), &namespace(tenant), &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        }
    }

    fn blueprints(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &blueprints())
    }

    /// Makes the namespace of a platform, with nothing but whose it is. A patch cannot say that
    /// none may be there: one that came late, for a platform that is no more, would take the
    /// namespace away from the next of its name.
    async fn make_home(&self, tenant: &str, id: &ChildId, object: &Value) -> Result<At, CallError> {
        let what = format!("{id} of {tenant}");
        let labels = &object["metadata"]["labels"];
        let (Some(of), Some(owner)) = (labels[TENANT].as_str(), labels[OWNER].as_str()) else {
            // Only a note was to be made on it.
            return Err(CallError::Missing(what));
        };
        let mut bare = DynamicObject::new(&id.name, &Kind::Namespace.resource());
        let marks = [(TENANT, of), (OWNER, owner)];
        let marks = marks.map(|(name, value)| (name.to_owned(), value.to_owned()));
        bare.metadata.labels = Some(marks.into());
        let by =
            PostParams { field_manager: Some(BIRTH_MANAGER.to_owned()), ..PostParams::default() };
        let made = timed(&what, self.api(tenant, Kind::Namespace).create(&by, &bare)).await?;
        match news_of_child(Kind::Namespace, &made) {
            Some(News::Child(_, _, Child { uid, version, .. })) => Ok(At { uid, version }),
            _ => Err(strange(&what)),
        }
    }
}

/// The namespace of a platform.
pub(crate) fn namespace(tenant: &str) -> String {
    format!("tenant-{tenant}")
}

#[async_trait]
impl Cluster for Kubernetes {
    async fn home(&self, tenant: &str) -> Result<Found, CallError> {
        let (api, name) = (self.api(tenant, Kind::Namespace), namespace(tenant));
        let found = timed("the namespace", api.get_opt(&name)).await?;
        Ok(match found {
            None => Found::Nothing,
            Some(found) if news_of_child(Kind::Namespace, &found).is_some() => Found::Ours,
            Some(_) => Found::OfOthers,
        })
    }

    async fn blueprint(&self, name: &str) -> Result<Option<News>, CallError> {
        let found = timed("the blueprint", self.blueprints().get_opt(name)).await?;
        Ok(found.as_ref().and_then(news_of_blueprint))
    }

    async fn own_database(&self, tenant: &str) -> Result<Option<OwnDatabase>, CallError> {
        let namespace = namespace(tenant);
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &namespace);
        let what = format!("the Secret {OWN_DATABASE_SECRET} of {tenant}");
        let found = timed(&what, api.get_opt(OWN_DATABASE_SECRET)).await?;
        Ok(found.and_then(|secret| OwnDatabase::of(&secret, &namespace)))
    }

    async fn apply(&self, write: Write<'_>) -> Result<News, CallError> {
        let Write { tenant, id, object, manager, at } = write;
        let at = match at {
            None if id.kind == Kind::Namespace => Some(self.make_home(tenant, id, object).await?),
            seen => seen,
        };
        let mut object = object.clone();
        if let (Some(At { uid, version }), Some(metadata)) =
            (at, object["metadata"].as_object_mut())
        {
            metadata.insert("uid".to_owned(), json!(uid.to_string()));
            metadata.insert("resourceVersion".to_owned(), json!(version.to_string()));
        }
        let parameters = PatchParams::apply(manager).force();
        let api = self.api(tenant, id.kind);
        let what = format!("{id} of {tenant}");
        let patch = Patch::Apply(&object);
        let applied = timed(&what, api.patch(&id.name, &parameters, &patch)).await?;
        news_of_child(id.kind, &applied).ok_or_else(|| strange(&what))
    }

    async fn remove(&self, tenant: &str, id: &ChildId, at: At) -> Result<Option<News>, CallError> {
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(at.uid.to_string()),
                // Only the one that was seen; a namespace changes all the time while it goes.
                resource_version: id.kind.in_namespace().then(|| at.version.to_string()),
            }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        let api = self.api(tenant, id.kind);
        let what = format!("{id} of {tenant}");
        match timed(&what, api.delete(&id.name, &parameters)).await {
            // Some kinds are told as they were removed, others by a word; what waits for somebody
            // says since when.
            Ok(either) => Ok(match either.left() {
                Some(object) if object.metadata.deletion_timestamp.is_some() => {
                    news_of_child(id.kind, &object)
                }
                _ => Some(News::NoChild(tenant.into(), id.clone(), at.version)),
            }),
            Err(CallError::Missing(_)) => {
                Ok(Some(News::NoChild(tenant.into(), id.clone(), at.version)))
            }
            Err(error) => Err(error),
        }
    }

    async fn status(&self, name: &str, at: At, status: &Value) -> Result<News, CallError> {
        let mut object = pinned(name, at);
        object.insert("status".to_owned(), status.clone());
        let parameters = PatchParams::apply(MANAGER).force();
        let api = self.blueprints();
        let patch = Patch::Apply(&object);
        let what = format!("the status of {name}");
        let applied = timed(&what, api.patch_status(name, &parameters, &patch)).await?;
        news_of_blueprint(&applied).ok_or_else(|| strange(&what))
    }

    async fn hold(&self, name: &str, at: At, held: bool) -> Result<News, CallError> {
        let mut object = pinned(name, at);
        if let (true, Some(metadata)) = (held, object["metadata"].as_object_mut()) {
            metadata.insert("finalizers".to_owned(), json!([FINALIZER]));
        }
        let parameters = PatchParams::apply(MANAGER).force();
        let api = self.blueprints();
        let patch = Patch::Apply(&object);
        let what = format!("the blueprint {name}");
        let applied = timed(&what, api.patch(name, &parameters, &patch)).await?;
        news_of_blueprint(&applied).ok_or_else(|| strange(&what))
    }

    async fn has_gpus(&self, wanted: &GpuNodes) -> Result<Option<bool>, CallError> {
        let labels = wanted.labels.iter().map(|(name, value)| format!("{name}={value}"));
        let labels = labels.collect::<Vec<_>>().join(",");
        let some = ListParams::default().labels(&labels).limit(NODES);
        let nodes: Api<Node> = Api::all(self.client.clone());
        let found = timed("the nodes", nodes.list(&some)).await?;
        if found.metadata.continue_.as_deref().is_some_and(|more| !more.is_empty()) {
            return Ok(None);
        }
        Ok(Some(found.iter().any(|node| offers(node, wanted.count))))
    }

    async fn tell(&self, name: &str, about: &Resource, told: Told) {
        let is_new = {
            let mut last = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            last.insert(name.to_owned(), told.clone()).as_ref() != Some(&told)
        };
        if !is_new {
            return;
        }
        let kind = blueprints();
        let about = k8s_openapi::api::core::v1::ObjectReference {
            api_version: Some(kind.api_version),
            kind: Some(kind.kind),
            name: Some(name.to_owned()),
            uid: Some(about.uid.to_string()),
            ..Default::default()
        };
        let event = Event {
            type_: if told.is_warning { EventType::Warning } else { EventType::Normal },
            reason: told.reason.to_owned(),
            note: Some(told.message.chars().take(LONGEST_NOTE).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let published = self.recorder.publish(&event, &about);
        if let Ok(Err(error)) = tokio::time::timeout(CALL_DEADLINE, published).await {
            tracing::debug!(tenant = name, %error, "an event was lost");
        }
    }
}

/// More nodes with graphics processors of one sort are not looked at one by one.
const NODES: u32 = 500;

/// Whether a node may take pods and has so many graphics processors for them.
fn offers(node: &Node, count: u32) -> bool {
    let is_open = !node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or_default();
    let offered = node.status.as_ref().and_then(|it| it.allocatable.as_ref()?.get(GPU));
    is_open && offered.and_then(|it| it.0.parse::<u32>().ok()).is_some_and(|it| it >= count)
}

/// As NVIDIA's device plugin offers them.
const GPU: &str = "nvidia.com/gpu";

/// What the API server takes.
const LONGEST_NOTE: usize = 1_000;

/// A blueprint, as it was seen and no other.
fn pinned(name: &str, at: At) -> Map<String, Value> {
    let kind = blueprints();
    let metadata = json!({
        "name": name,
        "uid": at.uid.to_string(),
        "resourceVersion": at.version.to_string(),
    });
    Map::from_iter([
        ("apiVersion".to_owned(), json!(kind.api_version)),
        ("kind".to_owned(), json!(kind.kind)),
        ("metadata".to_owned(), metadata),
    ])
}

/// A call that ends in time.
pub(crate) async fn timed<T>(
    what: &str,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(CALL_DEADLINE, call).await {
        Ok(answer) => answer.map_err(|error| error_of(what, error)),
        Err(_) => Err(CallError::Unavailable {
            why: format!("no answer about {what} within {} s", CALL_DEADLINE.as_secs()),
            after: None,
        }),
    }
}

fn error_of(what: &str, error: kube::Error) -> CallError {
    let kube::Error::Api(status) = error else {
        return CallError::Unavailable { why: chain(&error), after: None };
    };
    match status.code {
        409 => CallError::Conflict(what.to_owned()),
        404 => CallError::Missing(what.to_owned()),
        400..=428 | 430..=499 => {
            CallError::Refused { what: what.to_owned(), why: status.message.clone() }
        }
        _ => {
            let after = status.details.as_ref().map(|details| details.retry_after_seconds);
            let after = after.filter(|seconds| *seconds > 0).map(u64::from);
            CallError::Unavailable {
                why: format!("{} {}", status.code, status.message),
                after: after.map(|seconds| Duration::from_secs(seconds.min(LONGEST_WISH))),
            }
        }
    }
}

/// In seconds; what asks for more is asked again all the same.
const LONGEST_WISH: u64 = 60;

fn strange(what: &str) -> CallError {
    CallError::Unavailable { why: format!("it returned something else for {what}"), after: None }
}

/// An error and what it came from.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
