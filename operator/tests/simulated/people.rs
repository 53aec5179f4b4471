//! People and strangers, who do anything.

use blueprint::PlanName;
use operator::cluster::FINALIZER;
use operator::kind::Kind;
use operator::reconcile::UNDELETE;
use operator::seen::ChildId;
use serde_json::{Value, json};

use crate::fields;
use crate::world::{Key, Thing, World, home_of};

pub(crate) const NAMES: [&str; 3] = ["ant", "bee", "cat"];

impl World {
    fn spec(&mut self) -> Value {
        let mut spec = json!({"identity": {"displayName": "First"}});
        if self.chance.one_in(2) {
            spec["database"] = json!({"deletionPolicy": "Delete"});
        }
        self.vary(&mut spec);
        spec
    }

    /// Whose a platform is, or nobody's.
    fn account(&mut self) -> Option<Value> {
        let organization = self.chance.pick(&["acme", "bolt"]).unwrap();
        let plan = self.chance.pick(&[PlanName::Starter, PlanName::Business]).unwrap();
        let entitlements = plan.entitlements();
        let account =
            json!({"organization": organization, "plan": plan, "entitlements": entitlements});
        (!self.chance.one_in(4)).then_some(account)
    }

    /// One wish more, or less.
    fn vary(&mut self, spec: &mut Value) {
        match self.chance.below(17) {
            0 | 1 => spec["suspended"] = json!(true),
            2 | 3 => spec["suspended"] = json!(false),
            4 => spec["paused"] = json!(true),
            5 | 6 => spec["paused"] = json!(false),
            7 => {
                spec["runtime"] = json!({"replicas": {"min": self.chance.between(1, 4)}});
                if self.chance.one_in(2) {
                    spec["runtime"]["scaleToZeroAfter"] = json!("5m");
                }
            }
            8 => spec["identity"]["displayName"] = json!(format!("No {}", self.chance.below(9))),
            9 => spec["governance"] = json!({"dataResidency": "moon"}),
            10 => spec["governance"] = json!({}),
            11 => spec["inference"] = json!({"placement": "dedicated"}),
            12 => spec["inference"] = json!({}),
            13 => spec["domains"] = json!(["shop.example.com"]),
            14 => spec["domains"] = json!(["shop.example.com", "example.org"]),
            15 => spec["domains"] = json!([]),
            // What another version of the operator knows.
            _ => spec["inference"] = json!({"placement": "lunar"}),
        }
    }

    /// A person does something.
    pub(crate) fn person(&mut self, names: &[&str]) {
        let name = self.chance.pick(names).unwrap();
        if self.stone(name).is_some() && self.chance.one_in(6) {
            let typed = if self.chance.one_in(3) { "something else" } else { name };
            return self.type_name(name, typed);
        }
        let Some(paper) = self.papers.get(name) else {
            let spec = self.spec();
            let undelete = self.chance.one_in(2).then_some("true");
            return self.create(name, spec, undelete);
        };
        if paper.deleted {
            if self.chance.one_in(4) {
                self.note(|| format!("{name}: its finalizers are taken away by force"));
                self.change(name, |paper| paper.finalizers.clear());
            } else {
                let spec = self.spec();
                self.again.insert(name.to_owned(), spec);
            }
            return;
        }
        match self.chance.below(18) {
            0..3 => {
                self.note(|| format!("{name}: a person deletes it"));
                self.change(name, |paper| paper.deleted = true);
                if self.chance.one_in(3) {
                    let spec = self.spec();
                    self.again.insert(name.to_owned(), spec);
                }
            }
            3 => {
                self.note(|| format!("{name}: a person deletes it by force"));
                self.change(name, |paper| {
                    paper.deleted = true;
                    paper.finalizers.clear();
                });
            }
            4 => {
                self.note(|| format!("{name}: the finalizer is taken away"));
                self.change(name, |paper| {
                    paper.finalizers.remove(FINALIZER);
                });
            }
            5 | 6 => {
                self.note(|| format!("{name}: a person wants it undeleted"));
                self.change(name, |paper| {
                    paper.notes.insert(UNDELETE.to_owned(), "true".to_owned());
                });
            }
            7 => {
                let is_late = self.chance.one_in(2);
                self.note(|| format!("{name}: the bill is past its grace: {is_late}"));
                let billing = json!({
                    "type": "BillingCurrent", "status": "False", "reason": "PastGrace",
                    "message": "", "lastTransitionTime": "2026-03-01T00:00:00Z",
                });
                self.change(name, |paper| paper.billing = is_late.then_some(billing));
            }
            8 | 9 => {
                let account = self.account();
                self.note(|| format!("{name}: the control plane confirms {account:?}"));
                self.change(name, |paper| paper.account = account);
            }
            _ => {
                let mut spec = paper.spec.clone();
                self.vary(&mut spec);
                self.note(|| format!("{name}: a person changes it: {spec}"));
                self.change(name, |paper| paper.spec = spec);
            }
        }
    }

    /// A stranger does something to what is there.
    pub(crate) fn stranger(&mut self, names: &[&str]) {
        let name = self.chance.pick(names).unwrap();
        let home = home_of(name);
        let Some(found) = self.things.get(&home) else {
            if self.chance.one_in(3) {
                self.note(|| format!("{name}: a stranger makes a namespace of its name"));
                let mut thing = Thing::new(self.chance.uuid());
                thing.value = json!({"metadata": {"labels": {"of": "a stranger"}}});
                self.commit(&home, thing);
            }
            return;
        };
        if self.news_of(&home).is_none() {
            if found.value["metadata"]["labels"]["of"] == "a stranger" {
                self.note(|| format!("{name}: the stranger removes their namespace"));
                self.went(&home);
            }
            return;
        }
        let inside: Vec<Key> = self
            .things
            .keys()
            .filter(|key| key.0 == home.0 && key.1.kind != Kind::Namespace)
            .cloned()
            .collect();
        let Some(key) = self.chance.pick(&inside) else { return };
        let word = self.chance.below(100);
        let added = (home.0, ChildId { kind: key.1.kind, name: format!("x{}", word % 3).into() });
        match self.chance.below(6) {
            0 | 1 => self.alter(&key),
            2 => {
                self.note(|| format!("{name}: a stranger removes {}", key.1));
                self.went(&key);
            }
            3 => self.add(&added, None),
            // Of Secrets only ours are watched.
            4 if key.1.kind != Kind::Secret => self.add(&added, Some(name)),
            _ => {
                let path = fields::path(&["metadata", "annotations", "stranger"]);
                self.note(|| format!("{name}: a stranger writes a note on {}", key.1));
                let mut thing = self.things[&key].clone();
                fields::overwrite(&mut thing.value, &mut thing.owned, &path, Some(json!("here")));
                self.foreign.push((key.clone(), thing.uid, path, json!("here")));
                self.commit(&key, thing);
            }
        }
    }

    /// Changes or removes a field of ours.
    fn alter(&mut self, key: &Key) {
        let mut thing = self.things[key].clone();
        let ours: Vec<String> = thing.owned.values().flatten().cloned().collect();
        let Some(path) = self.chance.pick(&ours) else { return };
        let value = self.chance.one_in(2).then(|| json!("another"));
        self.note(|| format!("{}: a stranger alters {}: {path:?} is {value:?}", key.0, key.1));
        thing.generation += i64::from(path.starts_with("spec"));
        fields::overwrite(&mut thing.value, &mut thing.owned, &path, value);
        self.commit(key, thing);
    }
}
