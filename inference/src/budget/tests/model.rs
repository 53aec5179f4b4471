//! Replicas and a treasury in virtual time, between them a network that loses, doubles, delays and
//! reorders; replicas crash, restart and are cut off. Seeds are printed where one fails.

use std::collections::HashSet;

use blueprint::Currency;
use uuid::Uuid;

use super::super::purse::Purse;
use super::*;
use chance::Chance;

const BUDGET: Micros = Micros::new(100_000);
const REPLICAS: usize = 4;
const STEPS: usize = 2_000;

struct World {
    chance: Chance,
    now: Timestamp,
    vault: Vault,
    recorded: HashSet<u64>,
    replicas: Vec<Replica>,
    mail: Vec<(Timestamp, Mail)>,
    charged: Micros,
    next_record: u64,
    longest_cut: Duration,
}

struct Replica {
    purse: Purse,
    /// Lost at a crash.
    jobs: Vec<Job>,
    /// Survives one.
    spool: Vec<Record>,
    asked: Option<(Timestamp, Claim)>,
    /// Nothing is sent or comes before.
    cut_until: Timestamp,
    is_down: bool,
}

struct Job {
    holding: Uuid,
    amount: Micros,
    ends: Timestamp,
}

#[derive(Clone)]
struct Record {
    id: u64,
    holding: Uuid,
    cost: Micros,
}

enum Mail {
    Claim(usize, Claim),
    Answer(usize, Claim, Result<Lease, TreasuryError>),
    Record(usize, Record),
    Taken(usize, u64),
}

impl World {
    fn new(seed: u64, longest_cut: Duration) -> Self {
        let now = "2026-03-09T10:00:00Z".parse().unwrap();
        let mut vault = Vault::default();
        vault.set_budget(Some(BUDGET));
        let replica = |_| Replica {
            purse: Purse::new(Currency::USD, now),
            jobs: Vec::new(),
            spool: Vec::new(),
            asked: None,
            cut_until: now,
            is_down: false,
        };
        Self {
            chance: Chance(seed),
            now,
            vault,
            recorded: HashSet::new(),
            replicas: (0..REPLICAS).map(replica).collect(),
            mail: Vec::new(),
            charged: Micros::ZERO,
            next_record: 0,
            longest_cut,
        }
    }

    fn step(&mut self, is_busy: bool) {
        let by = if self.chance.once_in(20) { 120 } else { 12 };
        self.now = later(self.now, self.chance.seconds(by));
        self.take_mail();
        let at = usize::try_from(self.chance.below(REPLICAS as u64)).unwrap();
        self.end_jobs(at);
        self.deliver(at);
        self.renew(at);
        if is_busy {
            for _ in 0..self.chance.below(4) {
                self.begin_job(at);
            }
            self.break_something(at);
        }
        let replica = &mut self.replicas[at];
        if replica.is_down && self.now >= replica.cut_until {
            replica.is_down = false;
            replica.purse = Purse::new(Currency::USD, self.now);
        }
    }

    fn begin_job(&mut self, at: usize) {
        let amount = Micros::new(1 + self.chance.below(2_000));
        let ends = later(self.now, self.chance.seconds(300));
        let replica = &mut self.replicas[at];
        if replica.is_down {
            return;
        }
        if let Some(holding) = replica.purse.take(amount, self.now) {
            replica.jobs.push(Job { holding, amount, ends });
        } else if replica.purse.may_ask(self.now) {
            replica.purse.wait(amount);
            let claim = replica.purse.claim("acme", self.now);
            replica.purse.leave(amount);
            self.ask(at, &claim);
        }
    }

    fn end_jobs(&mut self, at: usize) {
        let (now, replica) = (self.now, &mut self.replicas[at]);
        let ended = replica.jobs.extract_if(.., |job| job.ends <= now);
        for Job { holding, amount, .. } in ended.collect::<Vec<_>>() {
            let cost = Micros::new(self.chance.below(amount.get() + 1));
            replica.purse.settle(holding, amount, cost);
            self.charged = self.charged.plus(cost);
            replica.spool.push(Record { id: self.next_record, holding, cost });
            self.next_record += 1;
        }
    }

    fn renew(&mut self, at: usize) {
        let (now, replica) = (self.now, &mut self.replicas[at]);
        if let Some((sent, claim)) = &replica.asked
            && later(*sent, Duration::from_secs(3)) <= now
        {
            let lost = Err(TreasuryError::Unreachable("no answer".to_owned()));
            replica.purse.answered(claim, &lost, now);
            replica.asked = None;
        }
        if !replica.is_down && replica.purse.is_due(now) {
            let claim = replica.purse.claim("acme", now);
            self.ask(at, &claim);
        }
    }

    fn ask(&mut self, at: usize, claim: &Claim) {
        self.replicas[at].asked = Some((self.now, claim.clone()));
        self.send(at, || Mail::Claim(at, claim.clone()));
    }

    fn deliver(&mut self, at: usize) {
        if !self.replicas[at].is_down {
            for record in self.replicas[at].spool.clone() {
                self.send(at, || Mail::Record(at, record.clone()));
            }
        }
    }

    /// Lost, once or twice, now or late.
    fn send(&mut self, at: usize, mail: impl Fn() -> Mail) {
        if self.now < self.replicas[at].cut_until || self.chance.once_in(5) {
            return;
        }
        let copies = if self.chance.once_in(5) { 2 } else { 1 };
        for _ in 0..copies {
            let late = if self.chance.once_in(10) { 600 } else { 3 };
            let arrives = later(self.now, self.chance.seconds(late));
            self.mail.push((arrives, mail()));
        }
    }

    fn take_mail(&mut self) {
        let now = self.now;
        let arrived: Vec<_> = self.mail.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, mail) in arrived {
            match mail {
                Mail::Claim(at, claim) => {
                    let answer = self.vault.claim(&claim, now);
                    self.send(at, || Mail::Answer(at, claim.clone(), answer.clone()));
                }
                Mail::Answer(at, claim, answer) => {
                    let replica = &mut self.replicas[at];
                    // One that timed out has no one to hear it.
                    if replica.asked.as_ref().is_some_and(|(_, asked)| *asked == claim) {
                        replica.asked = None;
                        replica.purse.answered(&claim, &answer, now);
                    }
                }
                Mail::Record(at, record) => {
                    if self.recorded.insert(record.id) {
                        self.vault.record(Some(record.holding), record.cost, now);
                    }
                    self.send(at, || Mail::Taken(at, record.id));
                }
                Mail::Taken(at, id) => self.replicas[at].spool.retain(|record| record.id != id),
            }
        }
    }

    fn break_something(&mut self, at: usize) {
        let cut = self.chance.seconds(self.longest_cut.as_secs());
        let (is_crash, is_cut) = (self.chance.once_in(150), self.chance.once_in(150));
        let replica = &mut self.replicas[at];
        // After a cut there is time to tell what was spent.
        if self.now < later(replica.cut_until, Duration::from_mins(20)) {
            return;
        }
        if is_crash {
            replica.is_down = true;
            replica.jobs.clear();
            replica.asked = None;
        }
        if is_crash || is_cut {
            replica.cut_until = later(self.now, cut);
        }
    }

    /// Nobody asks any more, and everything is told.
    fn quiet_down(&mut self) {
        for _ in 0..STEPS {
            self.step(false);
        }
        assert!(self.replicas.iter().all(|r| r.spool.is_empty() && r.jobs.is_empty()));
        self.now = later(self.now, LIFE + GRACE);
        self.mail.clear();
        self.vault.expire(self.now);
    }
}

#[test]
fn many_replicas_never_spend_more_than_there_is_and_nothing_stays_behind() {
    let (mut most, mut least) = (Micros::ZERO, Micros::MAX);
    for seed in 0..200 {
        let mut world = World::new(seed, Duration::from_mins(30));
        for step in 0..STEPS {
            world.step(true);
            let (charged, vault) = (world.charged, &world.vault);
            assert!(charged <= BUDGET, "seed {seed}, step {step}: {charged:?}");
            let kept = vault.billed().plus(vault.held());
            assert!(kept <= BUDGET, "seed {seed}, step {step}: {kept:?}");
        }
        world.quiet_down();
        let vault = &world.vault;
        assert_eq!(vault.held(), Micros::ZERO, "seed {seed}");
        assert_eq!(vault.billed(), world.charged, "seed {seed}");
        assert_eq!(vault.forgone(), Micros::ZERO, "seed {seed}");
        most = most.max(world.charged);
        least = least.min(world.charged);
    }
    println!("200 seeds: between {least:?} and {most:?} of {BUDGET:?} spent");
    assert!(least > BUDGET.half(), "the budget can be used");
}

#[test]
fn what_is_told_after_grace_is_billed_only_as_far_as_money_is_left() {
    let mut forgone = Micros::ZERO;
    for seed in 0..200 {
        let mut world = World::new(seed, Duration::from_hours(3));
        for step in 0..STEPS {
            world.step(true);
            let vault = &world.vault;
            let kept = vault.billed().plus(vault.held());
            assert!(kept <= BUDGET, "seed {seed}, step {step}: {kept:?}");
        }
        world.quiet_down();
        let vault = &world.vault;
        assert_eq!(vault.held(), Micros::ZERO, "seed {seed}");
        assert_eq!(vault.billed().plus(vault.forgone()), world.charged, "seed {seed}");
        forgone = forgone.plus(vault.forgone());
    }
    println!("200 seeds: {forgone:?} forgone of 200 times {BUDGET:?}");
}
