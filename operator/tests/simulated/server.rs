//! What the API server does with a call.

use operator::cluster::{At, CallError, FINALIZER, Found};
use operator::kind::Kind;
use operator::seen::{ChildId, News};
use serde_json::{Value, json};

use crate::fields;
use crate::world::{Key, Thing, World, home_of};

fn conflict<T>(what: &str) -> Result<T, CallError> {
    Err(CallError::Conflict(what.to_owned()))
}

fn refused<T>(what: &str, why: &str) -> Result<T, CallError> {
    Err(CallError::Refused { what: what.to_owned(), why: why.to_owned() })
}

/// Whose the namespace is is not said in it.
fn is_a_note(wish: &Value) -> bool {
    wish["metadata"]["labels"][plan::OWNER].is_null()
}

impl World {
    pub(crate) fn home(&self, tenant: &str) -> Found {
        let key = home_of(tenant);
        match (self.things.contains_key(&key), self.news_of(&key)) {
            (false, _) => Found::Nothing,
            (true, Some(_)) => Found::Ours,
            (true, None) => Found::OfOthers,
        }
    }

    pub(crate) fn apply(
        &mut self,
        tenant: &str,
        id: &ChildId,
        wish: &Value,
        manager: &'static str,
        at: Option<At>,
    ) -> Result<News, CallError> {
        let what = format!("{id} of {tenant}");
        self.asked(tenant);
        let home = home_of(tenant);
        let key: Key = (home.0.clone(), id.clone());
        self.stays_at_home(tenant, id, wish);
        if id.kind != Kind::Namespace {
            match self.things.get(&home) {
                None => return Err(CallError::Missing(what)),
                Some(home) if home.going && !self.things.contains_key(&key) => {
                    return refused(&what, "the namespace is being terminated");
                }
                Some(_) => {}
            }
        }
        let found = self.things.get(&key);
        match (found, at) {
            (None, Some(_)) => return conflict(&what),
            // It is there already.
            (Some(_), None) if id.kind == Kind::Namespace => return conflict(&what),
            // Only a note was to be made on it.
            (None, None) if id.kind == Kind::Namespace && is_a_note(wish) => {
                return Err(CallError::Missing(what));
            }
            (Some(found), Some(at)) if found.uid != at.uid || found.version != at.version => {
                return conflict(&what);
            }
            _ => {}
        }
        let mut thing = match found {
            Some(found) => found.clone(),
            None => Thing::new(self.chance.uuid()),
        };
        let is_new = found.is_none();
        let spec = thing.value["spec"].clone();
        let changed = fields::apply(&mut thing.value, &mut thing.owned, manager, wish);
        if is_new || changed {
            thing.generation += i64::from(!is_new && spec != thing.value["spec"]);
            self.note(|| format!("{what}: applied by {manager}, at {at:?}"));
            self.commit(&key, thing);
        }
        let strange =
            CallError::Unavailable { why: "it returned something else".into(), after: None };
        self.news_of(&key).ok_or(strange)
    }

    /// Nothing is written that is not in the platform's own namespace.
    fn stays_at_home(&mut self, tenant: &str, id: &ChildId, wish: &Value) {
        let namespace = format!("tenant-{tenant}");
        let place = if id.kind == Kind::Namespace {
            &wish["metadata"]["name"]
        } else {
            &wish["metadata"]["namespace"]
        };
        if *place != *namespace || wish["metadata"]["name"] != *id.name {
            self.violated(format!("{id} of {tenant} is written in {place}"));
        }
    }

    pub(crate) fn remove(
        &mut self,
        tenant: &str,
        id: &ChildId,
        at: At,
    ) -> Result<Option<News>, CallError> {
        let what = format!("{id} of {tenant}");
        self.asked(tenant);
        let key: Key = (home_of(tenant).0, id.clone());
        let Some(found) = self.things.get(&key).cloned() else {
            return Ok(Some(News::NoChild(tenant.into(), id.clone(), at.version)));
        };
        let is_other = id.kind.in_namespace() && found.version != at.version;
        if found.uid != at.uid || is_other {
            return conflict(&what);
        }
        if self.news_of(&key).is_none() {
            self.violated(format!("{what} is removed, and has not our mark"));
        }
        if id.kind == Kind::Namespace {
            if self.stone(tenant).is_none() {
                self.violated(format!(
                    "the namespace of {tenant}, which nobody deleted, is removed"
                ));
            }
            let mut thing = found;
            if !thing.going {
                thing.going = true;
                self.note(|| format!("{what}: removed, and goes"));
                return Ok(self.commit(&key, thing));
            }
            return Ok(self.news_of(&key));
        }
        self.note(|| format!("{what}: removed"));
        self.went(&key);
        Ok(Some(News::NoChild(tenant.into(), id.clone(), at.version)))
    }

    pub(crate) fn status(&mut self, name: &str, at: At, status: &Value) -> Result<News, CallError> {
        let what = format!("the status of {name}");
        self.asked(name);
        let Some(paper) = self.papers.get(name) else { return Err(CallError::Missing(what)) };
        if paper.uid != at.uid || paper.version != at.version {
            return conflict(&what);
        }
        let (was, is) = (&paper.status["database"]["server"], &status["database"]["server"]);
        if !was.is_null() && was != is {
            self.violated(format!("the database of {name} was on {was} and is to be on {is}"));
        }
        let mut paper = self.papers[name].clone();
        if paper.status != *status {
            paper.status = status.clone();
            let ready = status["conditions"].as_array().and_then(|all| {
                let it = all.iter().find(|it| it["type"] == "Ready")?;
                Some(format!("{} {}", it["status"], it["reason"]))
            });
            self.note(|| {
                format!("{what}: {} Ready {}", status["phase"], ready.unwrap_or_default())
            });
            return Ok(self.publish(name, paper));
        }
        Ok(self.told_again(name))
    }

    pub(crate) fn hold(&mut self, name: &str, at: At, held: bool) -> Result<News, CallError> {
        let what = format!("the blueprint {name}");
        self.asked(name);
        let Some(paper) = self.papers.get(name) else { return conflict(&what) };
        if paper.uid != at.uid || paper.version != at.version {
            return conflict(&what);
        }
        let mut paper = paper.clone();
        let is_held = paper.finalizers.contains(FINALIZER);
        if held && !is_held && paper.deleted {
            return refused(&what, "no new finalizers can be added if the object is being deleted");
        }
        if held == is_held {
            return Ok(self.told_again(name));
        }
        self.note(|| format!("{what}: held is {held}"));
        if held {
            paper.finalizers.insert(FINALIZER.to_owned());
        } else {
            paper.finalizers.remove(FINALIZER);
        }
        Ok(self.publish(name, paper))
    }

    fn told_again(&self, name: &str) -> News {
        let is_it = |(_, news): &&(u64, News)| news.tenant() == name;
        self.log(0).iter().rev().find(is_it).map(|(_, news)| news.clone()).unwrap()
    }

    /// A stranger adds an object; `marked` as if it were ours.
    pub(crate) fn add(&mut self, key: &Key, marked: Option<&str>) {
        if self.things.contains_key(key) {
            return;
        }
        let mut thing = Thing::new(self.chance.uuid());
        thing.value = json!({"data": {"of": "a stranger"}});
        if let Some(tenant) = marked {
            thing.value["metadata"]["labels"] = json!({plan::TENANT: tenant});
        } else {
            let data = json!({"of": "a stranger"});
            self.foreign.push((key.clone(), thing.uid, "data".to_owned(), data));
        }
        self.note(|| format!("{}: a stranger adds {}, marked {marked:?}", key.0, key.1));
        self.commit(key, thing);
    }
}
