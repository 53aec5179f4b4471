//! What is really there: objects, blueprints, databases, the time, and all that ever happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::api::DynamicObject;
use operator::cluster::FINALIZER;
use operator::kind::Kind;
use operator::seen::facts::{DELETED, PURGE};
use operator::seen::watch::{blueprints, news_of_blueprint, news_of_child};
use operator::seen::{ChildId, Listed, News, Tombstone};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::chance::Chance;
use crate::fields::{self, Owned};
use crate::names::{Bed, Register};

/// A namespace and an object in it; a namespace is in itself.
pub(crate) type Key = (String, ChildId);

/// An object.
#[derive(Clone)]
pub(crate) struct Thing {
    pub(crate) uid: Uuid,
    pub(crate) version: u64,
    pub(crate) generation: i64,
    pub(crate) value: Value,
    pub(crate) owned: Owned,
    /// It is to go.
    pub(crate) going: bool,
    news: Option<News>,
}

/// A blueprint.
#[derive(Clone)]
pub(crate) struct Paper {
    pub(crate) uid: Uuid,
    pub(crate) version: u64,
    pub(crate) generation: i64,
    pub(crate) spec: Value,
    pub(crate) notes: BTreeMap<String, String>,
    pub(crate) finalizers: BTreeSet<String>,
    /// What the operator wrote of the status, and what the control plane did.
    pub(crate) status: Value,
    pub(crate) billing: Option<Value>,
    /// What the control plane confirmed.
    pub(crate) account: Option<Value>,
    pub(crate) deleted: bool,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Database {
    /// The blueprint it was made for.
    pub(crate) of: Option<Uuid>,
    /// The number of its passwords.
    pub(crate) number: u32,
}

/// What goes wrong, one call in so many; 0 for never.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) calls: u64,
}

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) faults: Faults,
    start: Instant,
    epoch: Timestamp,
    pub(crate) version: u64,
    pub(crate) things: BTreeMap<Key, Thing>,
    pub(crate) papers: BTreeMap<String, Paper>,
    /// What each sort of watch tells, in order.
    pub(crate) logs: BTreeMap<usize, Vec<(u64, News)>>,
    sorts: Vec<Listed>,
    /// By server and name.
    pub(crate) databases: BTreeMap<(String, String), Database>,
    pub(crate) register: Register,
    pub(crate) beds: BTreeMap<Uuid, Bed>,
    /// Operators that were started.
    pub(crate) operators: u64,
    /// Who may change databases of a server: the newest operator that was there.
    pub(crate) fences: BTreeMap<String, u64>,
    /// Blueprints that somebody deleted, or that went by force, and when.
    pub(crate) ended: BTreeMap<Uuid, Timestamp>,
    /// Blueprints that were to bring a deleted platform back.
    pub(crate) undeleting: BTreeSet<Uuid>,
    /// Namespaces whose name a person typed.
    pub(crate) typed: BTreeSet<Uuid>,
    /// Blueprints that are made as soon as the name is free.
    pub(crate) again: BTreeMap<String, Value>,
    /// What strangers wrote: field and value, as long as the object is the same one.
    pub(crate) foreign: Vec<(Key, Uuid, String, Value)>,
    /// Calls of operators that may write, by platform and minute.
    writes: BTreeMap<(String, u64), u32>,
    /// Any change at all.
    pub(crate) changes: u64,
    pub(crate) recorded: Option<Vec<String>>,
    pub(crate) violations: Vec<String>,
}

/// More than that in a minute is a hot loop: platforms have some 25 objects.
const MOST_WRITES: u32 = 400;

pub(crate) fn home_of(tenant: &str) -> Key {
    let name = format!("tenant-{tenant}");
    (name.clone(), ChildId { kind: Kind::Namespace, name: name.as_str().into() })
}

impl World {
    pub(crate) fn new(seed: u64, is_recorded: bool) -> Self {
        Self {
            chance: Chance::new(seed),
            faults: Faults::default(),
            start: Instant::now(),
            epoch: "2026-03-01T00:00:00Z".parse().unwrap(),
            version: 100,
            things: BTreeMap::new(),
            papers: BTreeMap::new(),
            logs: BTreeMap::new(),
            sorts: Listed::all(),
            databases: BTreeMap::new(),
            register: Register::new(),
            beds: BTreeMap::new(),
            operators: 0,
            fences: BTreeMap::new(),
            ended: BTreeMap::new(),
            undeleting: BTreeSet::new(),
            typed: BTreeSet::new(),
            again: BTreeMap::new(),
            foreign: Vec::new(),
            writes: BTreeMap::new(),
            changes: 0,
            recorded: is_recorded.then(Vec::new),
            violations: Vec::new(),
        }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.epoch + SignedDuration::try_from(self.start.elapsed()).unwrap()
    }

    pub(crate) fn pass(&mut self, time: SignedDuration) {
        self.epoch += time;
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        let at = self.start.elapsed().as_secs_f64();
        if let Some(recorded) = &mut self.recorded {
            recorded.push(format!("{at:>10.3} {}", what()));
        }
    }

    /// From now on calls come to what they should.
    pub(crate) fn end_faults(&mut self) {
        self.faults.calls = 0;
        self.note(|| "the faults stop".to_owned());
    }

    pub(crate) fn violated(&mut self, what: String) {
        self.note(|| format!("VIOLATED: {what}"));
        self.violations.push(what);
    }

    /// An operator asks for a write.
    pub(crate) fn asked(&mut self, tenant: &str) {
        let minute = self.start.elapsed().as_secs() / 60;
        let count = self.writes.entry((tenant.to_owned(), minute)).or_default();
        *count += 1;
        if *count == MOST_WRITES {
            self.violated(format!("{tenant} is in a hot loop"));
        }
    }

    /// Whose a platform is does not change with its coming back.
    fn stays_whose_it_is(&mut self, key: &Key, thing: &Thing) {
        let Some(before) = self.things.get(key).filter(|before| before.uid == thing.uid) else {
            return;
        };
        let label = |thing: &Thing, name| thing.value["metadata"]["labels"][name].clone();
        let is_same = |name| label(before, name) == label(thing, name);
        let of = label(before, plan::ORGANIZATION);
        if !is_same(plan::OWNER) && !of.is_null() && !is_same(plan::ORGANIZATION) {
            let by = label(thing, plan::ORGANIZATION);
            self.violated(format!("{} was of {of}, and came back as one of {by}", key.0));
        }
    }

    /// An object changed, or came.
    pub(crate) fn commit(&mut self, key: &Key, mut thing: Thing) -> Option<News> {
        self.stays_whose_it_is(key, &thing);
        self.version += 1;
        self.changes += 1;
        thing.version = self.version;
        let known = self.things.get(key).and_then(|before| before.news.clone());
        thing.news = news_of_child(key.1.kind, &object_of(key, &thing));
        let news = thing.news.clone();
        match (&news, known) {
            (Some(news), _) => self.tell(key, news.clone()),
            (None, Some(known)) => self.tell_gone(key, &known),
            (None, None) => {}
        }
        // What was typed counts for the deletion that it was typed for.
        let notes = &thing.value["metadata"]["annotations"];
        if self.typed.contains(&thing.uid) && (notes[DELETED].is_null() || notes[PURGE].is_null()) {
            self.typed.remove(&thing.uid);
        }
        self.things.insert(key.clone(), thing);
        news
    }

    /// An object went.
    pub(crate) fn went(&mut self, key: &Key) {
        let Some(thing) = self.things.remove(key) else { return };
        self.version += 1;
        self.changes += 1;
        if let Some(known) = thing.news {
            self.tell_gone(key, &known);
        }
    }

    pub(crate) fn news_of(&self, key: &Key) -> Option<News> {
        self.things.get(key)?.news.clone()
    }

    fn tell_gone(&mut self, key: &Key, known: &News) {
        let gone = News::NoChild(known.tenant().into(), key.1.clone(), self.version);
        self.tell(key, gone);
    }

    fn tell(&mut self, key: &Key, news: News) {
        let sort = self.sorts.iter().position(|sort| match sort {
            Listed::Blueprints => false,
            Listed::Children(kind, name) => {
                *kind == key.1.kind && name.is_none_or(|name| *name == *key.1.name)
            }
        });
        if let Some(sort) = sort {
            self.logs.entry(sort).or_default().push((self.version, news));
        }
    }

    /// A blueprint changed, came or went.
    pub(crate) fn publish(&mut self, name: &str, mut paper: Paper) -> News {
        self.version += 1;
        self.changes += 1;
        paper.version = self.version;
        let news = paper.news(name);
        self.logs.entry(0).or_default().push((self.version, news.clone()));
        if matches!(news, News::NoBlueprint(..)) {
            self.note(|| format!("{name}: the blueprint is gone"));
            self.papers.remove(name);
        } else {
            self.papers.insert(name.to_owned(), paper);
        }
        news
    }

    /// What is to become of a platform, as its namespace has it.
    pub(crate) fn stone(&self, tenant: &str) -> Option<Tombstone> {
        let home = self.things.get(&home_of(tenant))?;
        let text = home.value["metadata"]["annotations"][DELETED].as_str()?;
        serde_json::from_str(text).ok()
    }

    /// The blueprint that a namespace was made for.
    pub(crate) fn owner(&self, tenant: &str) -> Option<Uuid> {
        let home = self.things.get(&home_of(tenant))?;
        home.value["metadata"]["labels"][plan::OWNER].as_str()?.parse().ok()
    }

    /// A person types a name on a namespace.
    pub(crate) fn type_name(&mut self, tenant: &str, typed: &str) {
        let key = home_of(tenant);
        let Some(mut home) = self.things.get(&key).cloned() else { return };
        self.note(|| format!("{tenant}: a person types {typed:?} for a purge"));
        let path = fields::path(&["metadata", "annotations", PURGE]);
        fields::overwrite(&mut home.value, &mut home.owned, &path, Some(json!(typed)));
        if typed == tenant && self.stone(tenant).is_some() {
            self.typed.insert(home.uid);
        }
        self.commit(&key, home);
    }

    /// What happens by itself: namespaces go bit by bit, and wishes come true.
    pub(crate) fn tick(&mut self, all: bool) {
        let going: Vec<Key> = self
            .things
            .iter()
            .filter(|(key, thing)| key.1.kind == Kind::Namespace && thing.going)
            .map(|(key, _)| key.clone())
            .collect();
        for home in going {
            let inside: Vec<Key> = self
                .things
                .keys()
                .filter(|key| key.0 == home.0 && key.1.kind != Kind::Namespace)
                .cloned()
                .collect();
            let count = if all { inside.len() } else { self.chance.index(6) };
            for key in inside.iter().take(count) {
                self.went(key);
            }
            if inside.len() <= count && (all || self.chance.one_in(3)) {
                self.note(|| format!("{} is gone", home.0));
                self.went(&home);
            }
        }
        let free: Vec<String> =
            self.again.keys().filter(|name| !self.papers.contains_key(*name)).cloned().collect();
        for name in free {
            if all || self.chance.one_in(2) {
                let spec = self.again.remove(&name).unwrap();
                self.create(&name, spec, None);
            }
        }
    }

    /// Pods start.
    pub(crate) fn serve(&mut self, all: bool) {
        let deployments: Vec<Key> =
            self.things.keys().filter(|key| key.1.kind == Kind::Deployment).cloned().collect();
        for key in deployments {
            let thing = &self.things[&key];
            let copies = thing.value["spec"]["replicas"].as_i64().unwrap_or(1);
            let status = json!({
                "observedGeneration": thing.generation,
                "replicas": copies, "updatedReplicas": copies, "readyReplicas": copies,
            });
            if thing.value["status"] != status && (all || self.chance.one_in(2)) {
                let mut thing = thing.clone();
                thing.value["status"] = status;
                self.commit(&key, thing);
            }
        }
    }

    pub(crate) fn create(&mut self, name: &str, spec: Value, undelete: Option<&str>) {
        let notes: BTreeMap<_, _> = undelete
            .map(|wish| (operator::reconcile::UNDELETE.to_owned(), wish.to_owned()))
            .into_iter()
            .collect();
        self.note(|| format!("{name}: a person creates it: {spec} {notes:?}"));
        let uid = self.chance.uuid();
        if undelete == Some("true") {
            self.undeleting.insert(uid);
        }
        let paper = Paper {
            uid,
            version: 0,
            generation: 1,
            spec,
            notes,
            finalizers: BTreeSet::new(),
            status: json!({}),
            billing: None,
            account: None,
            deleted: false,
        };
        self.publish(name, paper);
    }

    /// A person, or the control plane, changes a blueprint.
    pub(crate) fn change(&mut self, name: &str, change: impl FnOnce(&mut Paper)) {
        let Some(mut paper) = self.papers.get(name).cloned() else { return };
        let before = paper.spec.clone();
        let held = paper.finalizers.contains(FINALIZER);
        change(&mut paper);
        paper.generation += i64::from(before != paper.spec);
        if paper.notes.get(operator::reconcile::UNDELETE).is_some_and(|wish| wish == "true") {
            self.undeleting.insert(paper.uid);
        }
        if paper.deleted || (held && !paper.finalizers.contains(FINALIZER)) {
            let now = self.now();
            self.ended.entry(paper.uid).or_insert(now);
        }
        self.publish(name, paper);
    }

    /// What there was of a sort at some time.
    pub(crate) fn listing(&self, sort: usize, version: u64) -> Vec<News> {
        let mut found: BTreeMap<(Box<str>, Option<ChildId>), News> = BTreeMap::new();
        for (_, news) in self.log(sort).iter().take_while(|(at, _)| *at <= version) {
            let tenant: Box<str> = news.tenant().into();
            match news {
                News::Blueprint(..) => found.insert((tenant, None), news.clone()),
                News::Child(_, id, _) => found.insert((tenant, Some(id.clone())), news.clone()),
                News::NoBlueprint(..) => found.remove(&(tenant, None)),
                News::NoChild(_, id, _) => found.remove(&(tenant, Some(id.clone()))),
            };
        }
        found.into_values().collect()
    }

    pub(crate) fn log(&self, sort: usize) -> &[(u64, News)] {
        self.logs.get(&sort).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Paper {
    /// As the API server has it.
    pub(crate) fn object(&self, name: &str) -> Value {
        let mut status = self.status.clone();
        if let Some(billing) = &self.billing {
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            let all = conditions.into_iter().chain([billing.clone()]);
            status["conditions"] = all.collect();
        }
        if let Some(account) = &self.account {
            status["account"] = account.clone();
        }
        let mut object = json!({
            "apiVersion": blueprints().api_version,
            "kind": blueprints().kind,
            "metadata": {
                "name": name,
                "uid": self.uid.to_string(),
                "resourceVersion": self.version.to_string(),
                "generation": self.generation,
                "annotations": self.notes,
                "finalizers": self.finalizers,
            },
            "spec": self.spec,
        });
        if status.as_object().is_some_and(|status| !status.is_empty()) {
            object["status"] = status;
        }
        if self.deleted {
            object["metadata"]["deletionTimestamp"] = json!("2026-03-01T00:00:00Z");
        }
        object
    }

    pub(crate) fn news(&self, name: &str) -> News {
        let object: DynamicObject = serde_json::from_value(self.object(name)).unwrap();
        news_of_blueprint(&object).unwrap()
    }
}

fn object_of(key: &Key, thing: &Thing) -> DynamicObject {
    let (namespace, id) = key;
    let mut object = DynamicObject::new(&id.name, &id.kind.resource());
    let metadata = &thing.value["metadata"];
    let texts = |value: &Value| serde_json::from_value(value.clone()).ok();
    object.metadata.namespace = id.kind.in_namespace().then(|| namespace.clone());
    object.metadata.labels = texts(&metadata["labels"]);
    object.metadata.annotations = texts(&metadata["annotations"]);
    object.metadata.uid = Some(thing.uid.to_string());
    object.metadata.resource_version = Some(thing.version.to_string());
    object.metadata.generation = Some(thing.generation);
    object.metadata.managed_fields = Some(fields::book(&thing.owned));
    if thing.going {
        let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH);
        object.metadata.deletion_timestamp = Some(time);
    }
    let rest: Map<String, Value> = thing
        .value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind" | "metadata"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    object.data = Value::Object(rest);
    object
}

impl Thing {
    pub(crate) fn new(uid: Uuid) -> Self {
        Self {
            uid,
            version: 0,
            generation: 1,
            value: json!({}),
            owned: Owned::new(),
            going: false,
            news: None,
        }
    }
}

/// Shared by all who take part.
pub(crate) type Shared = Arc<std::sync::Mutex<World>>;
