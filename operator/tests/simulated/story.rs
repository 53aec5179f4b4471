//! One run: anything happens for a while, then all comes to rest, and is looked at.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use operator::cluster::{DELETION_MANAGER, FINALIZER};
use operator::databases::DATABASE_DEADLINE;
use operator::kind::Kind;
use operator::reconcile::{KEPT_FOR, UNDELETE};
use operator::seen::News;
use operator::seen::facts::PURGE;
use plan::Installation;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::people::NAMES;
use crate::ports::WRONG;
use crate::process::{Arrives, Process};
use crate::world::{Paper, Shared, World, home_of};

/// What came of a run.
pub(crate) struct Told {
    pub(crate) violations: Vec<String>,
    pub(crate) history: Vec<String>,
    /// Another one for another run.
    pub(crate) digest: u64,
}

/// Runs it in a runtime of its own, whose time passes by itself.
pub(crate) fn run(seed: u64, installation: &Installation, is_recorded: bool) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::new(seed, is_recorded);
        let mut story = Story {
            world: Arc::new(Mutex::new(world)),
            installation,
            process: None,
            old: None,
            wrong: SignedDuration::ZERO,
        };
        story.go_wrong().await;
        // Whoever waits for a date looks at the clock within an hour.
        story.hear(Arrives::All);
        sleep(LOOKS_AGAIN).await;
        story.come_to_rest("the faults stopped").await;
        story.look().await;
        let mut world = story.world.lock().unwrap();
        let chance = world.chance.next();
        Told {
            violations: std::mem::take(&mut world.violations),
            history: world.recorded.take().unwrap_or_default(),
            digest: chance ^ (world.version << 32) ^ world.changes,
        }
    })
}

/// Every platform is looked at within this time.
const LOOKS_AGAIN: Duration = Duration::from_mins(61);
/// Where nothing changes for that long, and no date comes, nothing will.
const CALM: Duration = Duration::from_mins(15);

fn signed(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap()
}

struct Story<'a> {
    world: Shared,
    installation: &'a Installation,
    process: Option<Process>,
    /// One that is not in charge any more: a turn of it may be under way, and it may not know.
    old: Option<Process>,
    /// How wrong the clock is.
    wrong: SignedDuration,
}

impl Story<'_> {
    /// Anything happens.
    async fn go_wrong(&mut self) {
        let (steps, names, rate, quick) = {
            let mut world = self.world.lock().unwrap();
            let chance = &mut world.chance;
            let steps = chance.between(20, 70);
            let names = &NAMES[..=chance.index(3)];
            let rate = [0, 200, 60, 25, 10][chance.index(5)];
            (steps, names, rate, chance.one_in(2))
        };
        self.world.lock().unwrap().faults.calls = rate;
        for _ in 0..steps {
            if self.process.as_ref().is_none_or(|process| !process.is_alive()) {
                self.process = Some(Process::start(&self.world, self.installation));
            }
            self.something(names);
            let pause = {
                let mut world = self.world.lock().unwrap();
                let most = match world.chance.below(8) {
                    0 => 60_000,
                    1 | 2 => 6_000,
                    _ if quick => 100,
                    _ => 1_000,
                };
                Duration::from_millis(world.chance.below(most))
            };
            self.hear(Arrives::Some);
            sleep(pause).await;
            self.hear(Arrives::Some);
        }
        self.world.lock().unwrap().end_faults();
        // What goes wrong with calls under way has been decided already.
        sleep(DATABASE_DEADLINE).await;
        self.old = None;
        self.wrong = SignedDuration::ZERO;
        if self.process.as_ref().is_none_or(|process| !process.is_alive()) {
            self.process = Some(Process::start(&self.world, self.installation));
        }
    }

    /// One thing happens.
    fn something(&mut self, names: &[&str]) {
        let mut world = self.world.lock().unwrap();
        match world.chance.below(40) {
            0..14 => world.person(names),
            14..19 => world.stranger(names),
            19..26 => world.serve(false),
            26..29 => {
                if let Some(process) = &mut self.process {
                    process.disturb(&mut world);
                }
            }
            29 => {
                world.note(|| "the operator is killed".to_owned());
                self.process = None;
            }
            30 | 31 => {
                world.note(|| "another operator takes over".to_owned());
                if let Some(process) = self.process.take() {
                    // Or it does not know yet, and goes on.
                    if world.chance.one_in(2) {
                        process.give_way();
                    }
                    self.old = Some(process);
                }
            }
            32 => self.old = None,
            33 => {
                let most = WRONG.as_secs();
                let seconds = i64::try_from(world.chance.below(2 * most)).unwrap();
                self.wrong = SignedDuration::from_secs(seconds - i64::try_from(most).unwrap());
                world.note(|| format!("the clock is wrong by {:?}", self.wrong));
            }
            34 => {
                let days = i64::try_from(world.chance.below(40)).unwrap();
                world.note(|| format!("{days} days pass"));
                world.pass(SignedDuration::from_hours(days * 24));
            }
            35 | 36 => {
                let name = world.chance.pick(names).unwrap();
                world.visit(name);
            }
            _ => {}
        }
    }

    fn hear(&mut self, arrives: Arrives) {
        let mut world = self.world.lock().unwrap();
        world.tick(arrives == Arrives::All);
        let now = world.now() + self.wrong;
        for process in [&mut self.process, &mut self.old].into_iter().flatten() {
            process.set_clock(now);
            process.hear(&mut world, arrives);
        }
    }

    /// All is heard of and everything works, until nothing changes any more.
    async fn come_to_rest(&mut self, when: &str) {
        let (mut before, mut calm) = (0, Duration::ZERO);
        let mut left = Duration::from_hours(4);
        let mut pause = Duration::from_millis(200);
        while calm < CALM || self.falls_due() {
            if left.is_zero() {
                self.world.lock().unwrap().violated(format!("no rest after {when}"));
                return;
            }
            self.world.lock().unwrap().serve(true);
            self.hear(Arrives::All);
            sleep(pause).await;
            let changes = self.world.lock().unwrap().changes;
            if changes == before {
                calm += pause;
                pause = (pause * 2).min(Duration::from_mins(2));
            } else {
                (calm, pause) = (Duration::ZERO, Duration::from_millis(200));
            }
            before = changes;
            left = left.saturating_sub(pause);
        }
    }

    /// Whether a platform's time ends about now: it goes when its date is looked at next.
    fn falls_due(&self) -> bool {
        let world = self.world.lock().unwrap();
        let now = world.now();
        let (before, after) = (now - signed(LOOKS_AGAIN + CALM), now + signed(CALM));
        let mut stones = NAMES.iter().filter_map(|name| world.stone(name));
        stones.any(|stone| (before..after).contains(&stone.purge_after))
    }

    /// Whether all is as it should be.
    async fn look(&mut self) {
        self.nothing_is_left_to_write("the faults stopped").await;
        self.nobody_is_harmed();
        self.wish_for_the_best();
        self.come_to_rest("all wishes were good").await;
        self.nothing_is_left_to_write("all wishes were good").await;
        self.nobody_is_harmed();
        self.is_as_without_faults().await;
        // What was kept for its time goes.
        self.world.lock().unwrap().pass(signed(KEPT_FOR + 2 * WRONG));
        self.hear(Arrives::All);
        sleep(LOOKS_AGAIN).await;
        self.come_to_rest("a month passed").await;
        self.nobody_is_harmed();
        let mut world = self.world.lock().unwrap();
        for name in NAMES {
            let Some(stone) = world.stone(name) else { continue };
            let is_over = stone.by_itself && stone.of == world.owner(name);
            let home = &world.things[&home_of(name)];
            let is_typed = home.value["metadata"]["annotations"][PURGE] == *name;
            let paper = world.papers.get(name);
            let is_wanted = paper.is_some_and(|paper| paper.notes.contains_key(UNDELETE));
            if (is_over || is_typed) && !is_wanted {
                world.violated(format!("{name} is kept longer than its time"));
            }
        }
    }

    /// One more turn of each platform writes nothing.
    async fn nothing_is_left_to_write(&mut self, when: &str) {
        let Some(process) = &self.process else { return };
        let before = self.world.lock().unwrap().changes;
        process.driver.memory.forget_all();
        for name in NAMES {
            let done = process.driver.reconcile(name).await;
            let writes = done.as_ref().map(|done| done.writes);
            if !matches!(writes, Ok(0)) {
                let mut world = self.world.lock().unwrap();
                world.violated(format!("a turn of {name} after {when} came to {done:?}"));
            }
        }
        let mut world = self.world.lock().unwrap();
        if world.changes != before {
            world.violated(format!("turns after {when} changed something"));
        }
    }

    /// What holds at any time of rest.
    fn nobody_is_harmed(&mut self) {
        let mut world = self.world.lock().unwrap();
        let mut wrong = Vec::new();
        for name in NAMES {
            let paper = world.papers.get(name);
            if paper.is_some_and(|paper| paper.deleted) {
                wrong.push(format!("{name} was deleted, and its blueprint is still there"));
            }
            let home = world.things.get(&home_of(name));
            let is_ours = home.is_some() && world.news_of(&home_of(name)).is_some();
            let (stone, owner) = (world.stone(name), world.owner(name));
            if is_ours && paper.is_none() && stone.is_none() {
                wrong.push(format!("{name} has a namespace and no blueprint, and is not kept"));
            }
            // One that is on its way back may have its new owner already.
            let ended = |it| world.ended.contains_key(&it) || world.undeleting.contains(&it);
            if stone.is_some() && !owner.is_some_and(ended) {
                wrong.push(format!("{name} is kept as if deleted, and nobody deleted it"));
            }
            if stone.is_some() {
                let runs = world.things.iter().any(|(key, thing)| {
                    let spec = &thing.value["spec"];
                    let stops = match key.1.kind {
                        Kind::Deployment => spec["replicas"] == 0,
                        Kind::ResourceQuota => spec["hard"]["pods"] == "0",
                        _ => true,
                    };
                    // What a stranger added or started since is not stopped again.
                    let is_told = thing.owned.contains_key(DELETION_MANAGER);
                    key.0 == format!("tenant-{name}") && is_told && !stops
                });
                if runs {
                    wrong.push(format!("{name} was deleted, and runs"));
                }
            }
            let ready = paper.and_then(|paper| condition(paper, "Ready")).unwrap_or_default();
            let is_late = paper.is_some_and(|paper| paper.billing.is_some());
            let is_left = LEFT_ALONE.iter().any(|reason| ready["reason"] == **reason);
            if is_late && !is_left && stone.is_none() {
                let serves = world.things.iter().any(|(key, thing)| {
                    key.0 == format!("tenant-{name}")
                        && key.1.kind == Kind::Deployment
                        && *key.1.name == *"runtime"
                        && thing.value["spec"]["replicas"] != 0
                });
                if serves {
                    wrong.push(format!("{name} is past its grace, and runs"));
                }
            }
            let on: Vec<_> = world.databases.iter().filter(|((_, of), _)| of == name).collect();
            for ((server, _), database) in &on {
                let said = paper.and_then(|it| it.status["database"]["server"].as_str());
                let is_kept = stone.is_some();
                if said != Some(server.as_str()) && !is_kept {
                    wrong.push(format!("{name} has a database on {server} that nobody knows of"));
                }
                let of = database.of;
                let is_its_own = paper.is_none_or(|paper| {
                    Some(paper.uid) == of || is_kept || world.undeleting.contains(&paper.uid)
                });
                if !is_its_own {
                    wrong.push(format!("{name} has the data of an earlier platform"));
                }
            }
            let ready = paper.and_then(|paper| condition(paper, "DatabaseReady"));
            if ready.is_some_and(|it| it["status"] == "True") && on.is_empty() {
                wrong.push(format!("{name} is said to have a database, and has none"));
            }
        }
        wrong.extend(world.wrong_names());
        for (key, uid, path, value) in &world.foreign {
            // It may have gone with an earlier namespace.
            let Some(thing) = world.things.get(key).filter(|thing| thing.uid == *uid) else {
                continue;
            };
            if crate::fields::get(&thing.value, path) != Some(value) {
                wrong.push(format!("{} {}: {path:?} of a stranger was changed", key.0, key.1));
            }
        }
        for what in wrong {
            world.violated(what);
        }
    }

    /// Nobody is paused, and all can be understood.
    fn wish_for_the_best(&mut self) {
        let mut world = self.world.lock().unwrap();
        for name in NAMES {
            let Some(paper) = world.papers.get(name) else { continue };
            let mut spec = paper.spec.clone();
            spec["paused"] = json!(false);
            if spec["inference"]["placement"] == "lunar" {
                spec["inference"] = json!({});
            }
            world.change(name, |paper| paper.spec = spec);
        }
    }

    /// The same wishes come to the same where nothing ever went wrong.
    async fn is_as_without_faults(&mut self) {
        let papers = self.world.lock().unwrap().papers.clone();
        let mut fresh = World::new(1, false);
        for (name, paper) in &papers {
            let mut notes = paper.notes.clone();
            notes.remove(UNDELETE);
            let database = &paper.status["database"];
            let lives = self.world.lock().unwrap().stone(name).is_none() && !database.is_null();
            let status = if lives { json!({"database": database}) } else { json!({}) };
            let paper =
                Paper { status, notes, finalizers: [FINALIZER.to_owned()].into(), ..paper.clone() };
            fresh.publish(name, paper);
        }
        let mut other = Story {
            world: Arc::new(Mutex::new(fresh)),
            installation: self.installation,
            process: None,
            old: None,
            wrong: SignedDuration::ZERO,
        };
        other.process = Some(Process::start(&other.world, self.installation));
        other.come_to_rest("a start without faults").await;
        let other = other.world.lock().unwrap();
        let mut world = self.world.lock().unwrap();
        let mut wrong = Vec::new();
        for (name, paper) in &world.papers {
            let ready = condition(paper, "Ready").unwrap_or_default();
            if world.stone(name).is_some() {
                let is_refused = ready["reason"] == "Refused" && paper.notes.contains_key(UNDELETE);
                if ready["reason"] != "NameKept" && !is_refused {
                    wrong.push(format!("{name} is kept, and its blueprint says {ready}"));
                }
                continue;
            }
            if !paper.notes.contains_key(UNDELETE) && ready["reason"] == "NameKept" {
                wrong.push(format!("{name} is not kept, and its blueprint says {ready}"));
            }
            let home = home_of(name);
            if world.things.contains_key(&home) && world.news_of(&home).is_none() {
                if ready["reason"] != "NamespaceTaken" && ready["reason"] != "Refused" {
                    wrong.push(format!("{name} is taken, and its blueprint says {ready}"));
                }
                continue;
            }
            let there = &other.papers[name];
            let same = condition(there, "Ready").unwrap_or_default();
            if same["reason"] == "Refused" {
                if ready["reason"] != "Refused" {
                    wrong.push(format!("{name} is to be refused, and says {ready}"));
                }
                continue;
            }
            for kind in ["phase", "url", "database", "runtime", "observedGeneration"] {
                if paper.status[kind] != there.status[kind] {
                    wrong.push(format!(
                        "{name}: status.{kind} is {} and not {}",
                        paper.status[kind], there.status[kind]
                    ));
                }
            }
            for kind in blueprint::status::CONDITIONS {
                let (is, should) = (condition(paper, kind), condition(there, kind));
                let bare = |it: Option<Value>| {
                    it.map(|it| (it["status"].clone(), it["reason"].clone(), it["message"].clone()))
                };
                if bare(is.clone()) != bare(should.clone()) {
                    wrong.push(format!("{name}: {is:?} and not {should:?}"));
                }
            }
            wrong.extend(other.differences(&world, name));
            let names = world.other_names(&other, paper.uid);
            wrong.extend(names.map(|what| format!("{name}: {what}")));
        }
        for what in wrong {
            world.violated(what);
        }
    }
}

/// Reasons for which what was there stays as it was.
const LEFT_ALONE: [&str; 4] = ["Refused", "WriteRefused", "NamespaceTaken", "Unreadable"];

fn condition(paper: &Paper, kind: &str) -> Option<Value> {
    paper.status["conditions"].as_array()?.iter().find(|it| it["type"] == *kind).cloned()
}

impl World {
    /// What another world has of a platform in another way.
    fn differences(&self, other: &Self, name: &str) -> Vec<String> {
        let namespace = format!("tenant-{name}");
        let ours = |world: &Self| {
            let ours = world.things.keys().filter(|key| key.0 == namespace);
            let ours = ours.filter_map(|key| match world.news_of(key)? {
                News::Child(_, id, child) => Some((id, child.digest)),
                _ => None,
            });
            ours.collect::<std::collections::BTreeMap<_, _>>()
        };
        let (should, is) = (ours(self), ours(other));
        let mut wrong = Vec::new();
        for (id, digest) in &should {
            match is.get(id) {
                None => wrong.push(format!("{name} has no {id}")),
                Some(found) if found != digest => {
                    let key = (namespace.clone(), id.clone());
                    wrong.push(format!(
                        "{name}: {id} is {} and not {}",
                        other.things[&key].value, self.things[&key].value
                    ));
                }
                Some(_) => {}
            }
        }
        let more = is.keys().filter(|id| !should.contains_key(id) && !id.kind.holds_data());
        wrong.extend(more.map(|id| format!("{name} has {id}, which nobody wants")));
        wrong
    }
}
