//! Watches bring what is known up to date.

use std::sync::Arc;

use blueprint::status::BlueprintStatus;
use futures::StreamExt as _;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use serde::Deserialize as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::owned::digest_of_owned;
use super::{Child, ChildId, Facts, Listed, News, Resource, Seen, Unreadable, Version};
use crate::cluster::{FINALIZER, MANAGER};
use crate::kind::Kind;

/// Objects in one answer while all are listed: what is held at once of what will not be kept.
const PAGE: u32 = 250;

/// How the names of notes begin that mean something to us.
const OURS: &str = "soulfra.io/";
/// The longest text of one, in bytes.
const LONGEST_NOTE: usize = 256;

/// Blueprints, as the API server knows them.
pub fn blueprints() -> ApiResource {
    let kind = GroupVersionKind::gvk(blueprint::GROUP, blueprint::VERSION, blueprint::KIND);
    ApiResource::from_gvk_with_plural(&kind, "platformblueprints")
}

/// What a blueprint, as the API server has it, says; none where it is not one.
pub fn news_of_blueprint(object: &DynamicObject) -> Option<News> {
    let name: Box<str> = object.metadata.name.as_deref()?.into();
    let version = version_of(object)?;
    let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
    if object.metadata.deletion_timestamp.is_some() && finalizers.is_empty() {
        return Some(News::NoBlueprint(name, version));
    }
    let mut object = object.clone();
    // Half of what it takes, and of no use. What others note may be as large as they like.
    let metadata = &mut object.metadata;
    metadata.managed_fields = None;
    metadata.owner_references = None;
    for notes in [&mut metadata.annotations, &mut metadata.labels].into_iter().flatten() {
        notes.retain(|name, text| name.starts_with(OURS) && text.len() <= LONGEST_NOTE);
    }
    if let Some(finalizers) = &mut metadata.finalizers {
        finalizers.retain(|each| each == FINALIZER);
    }
    let resource = Resource { uid: uid_of(&object)?, version, blueprint: understood(object) };
    Some(News::Blueprint(name, Arc::new(resource)))
}

fn understood(object: DynamicObject) -> Result<blueprint::PlatformBlueprint, Box<Unreadable>> {
    let metadata = object.metadata.clone();
    // Where its data is must not be forgotten because of something else that is new.
    let status = BlueprintStatus::deserialize(&object.data["status"]).ok();
    let unreadable = |why| Box::new(Unreadable { why, metadata, status });
    let value = match serde_json::to_value(object) {
        Ok(value) => value,
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let mut track = serde_path_to_error::Track::new();
    let reader = serde_path_to_error::Deserializer::new(value, &mut track);
    blueprint::PlatformBlueprint::deserialize(reader)
        .map_err(|error| unreadable(format!("{}: {error}", track.path())))
}

/// What an object of a platform is; none where it is of no platform.
pub fn news_of_child(kind: Kind, object: &DynamicObject) -> Option<News> {
    let (tenant, id) = whose(kind, object)?;
    let child = Child {
        uid: uid_of(object)?,
        version: version_of(object)?,
        digest: digest_of_owned(object, MANAGER),
        going: object.metadata.deletion_timestamp.is_some(),
        facts: Facts::of(kind, object),
    };
    Some(News::Child(tenant, id, child))
}

/// An object is of a platform where it has its mark and is in its namespace, or is that.
fn whose(kind: Kind, object: &DynamicObject) -> Option<(Box<str>, ChildId)> {
    let tenant = object.metadata.labels.as_ref()?.get(plan::TENANT)?.as_str();
    let name = object.metadata.name.as_deref()?;
    let namespace = if kind.in_namespace() { object.metadata.namespace.as_deref()? } else { name };
    if namespace.strip_prefix("tenant-") != Some(tenant) {
        return None;
    }
    Some((tenant.into(), ChildId { kind, name: name.into() }))
}

fn uid_of(object: &DynamicObject) -> Option<Uuid> {
    object.metadata.uid.as_deref()?.parse().ok()
}

fn version_of(object: &DynamicObject) -> Option<Version> {
    object.metadata.resource_version.as_deref()?.parse().ok()
}

/// Keeps one sort up to date until told to stop; `changed` hears whose news it was, `listed` when
/// all there is was heard of.
pub async fn watch(
    client: Client,
    seen: Arc<Seen>,
    sort: Listed,
    changed: impl Fn(&str) + Send,
    listed: impl Fn(Listed) + Send,
    stop: CancellationToken,
) {
    let mut config = watcher::Config::default().page_size(PAGE).timeout(TURN);
    let resource = match sort {
        Listed::Blueprints => blueprints(),
        Listed::Children(kind, name) => {
            config = config.labels(plan::TENANT);
            if let Some(name) = name {
                config = config.fields(&format!("metadata.name={name}"));
            }
            kind.resource()
        }
    };
    let events = watcher(Api::all_with(client, &resource), config).default_backoff();
    let events = events.take_until(stop.cancelled_owned());
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) if is_unknown(&error, sort) => {
                tracing::debug!(what = %sort, %error, "there is nothing of this kind to see");
                // Of a kind that another program would bring there are none. Of all others, and
                // blueprints above all, it only says that nobody can tell yet: no platform is
                // taken for deleted because of that.
                if matches!(sort, Listed::Children(kind, _) if kind.of_others()) {
                    hear(&seen, sort, Event::InitDone, &changed, &listed);
                }
                seen.note_unknown(sort);
                continue;
            }
            // The watch goes on by itself, later each time.
            Err(error) => {
                tracing::warn!(what = %sort, %error, "a watch was broken off");
                seen.watch_broke();
                continue;
            }
        };
        hear(&seen, sort, event, &changed, &listed);
    }
}

fn hear(
    seen: &Seen,
    sort: Listed,
    event: Event<DynamicObject>,
    changed: &impl Fn(&str),
    listed: &impl Fn(Listed),
) {
    let news = match event {
        Event::Init => return seen.listing_begins(sort),
        Event::InitDone => {
            for tenant in seen.listing_ends(sort) {
                changed(&tenant);
            }
            return listed(sort);
        }
        Event::Apply(object) | Event::InitApply(object) => is(sort, &object),
        Event::Delete(object) => went(sort, &object),
    };
    let Some(news) = news else { return };
    let tenant: Box<str> = news.tenant().into();
    if seen.hear(news) {
        changed(&tenant);
    }
}

fn is(sort: Listed, object: &DynamicObject) -> Option<News> {
    match sort {
        Listed::Blueprints => news_of_blueprint(object),
        Listed::Children(kind, _) => news_of_child(kind, object),
    }
}

fn went(sort: Listed, object: &DynamicObject) -> Option<News> {
    let version = version_of(object)?;
    match sort {
        Listed::Blueprints => {
            Some(News::NoBlueprint(object.metadata.name.as_deref()?.into(), version))
        }
        Listed::Children(kind, _) => {
            let (tenant, id) = whose(kind, object)?;
            Some(News::NoChild(tenant, id, version))
        }
    }
}

/// The API server does not know this kind; or nobody has allowed us yet to see what only gateways
/// are told: an operator that is newer than its rights goes on.
fn is_unknown(error: &watcher::Error, sort: Listed) -> bool {
    use watcher::Error::{InitialListFailed, WatchStartFailed};
    let (InitialListFailed(kube::Error::Api(status)) | WatchStartFailed(kube::Error::Api(status))) =
        error
    else {
        return false;
    };
    let is_of_gateways =
        matches!(sort, Listed::Children(kind, _) if kind.of_others() && !kind.holds_data());
    status.code == 404 || (status.code == 403 && is_of_gateways)
}

/// A watch is begun anew after so many seconds, wherever it stands: a connection that died
/// unnoticed is found then.
const TURN: u32 = 120;
