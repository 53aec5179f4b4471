//! What is kept in Postgres is what a vault in memory would be, whatever is claimed and told, in any order
//! and however often.

use std::collections::HashSet;

use blueprint::Currency;
use control_plane::domain::treasury::{Chest, Terms};
use faults::chance::Chance;
use jiff::SignedDuration;
use sqlx::PgPool;
use usage::{Claim, Event, Lease, Micros};
use uuid::Uuid;

use crate::Rig;
use crate::rig::Caller;
use crate::world::{event, has_budget, lease, model_server, taken, tell, vault};

const HISTORIES: u64 = 12;
const STEPS: u64 = 120;
const REPLICAS: u64 = 3;

/// A replica, and all that it ever sent.
struct Replica {
    holding: Uuid,
    number: u64,
    spent: u64,
    sent: Vec<Claim>,
}

struct History<'a> {
    rig: &'a Rig,
    server: Caller<'a>,
    tenant: String,
    chance: Chance,
    terms: Terms,
    chest: Chest,
    replicas: Vec<Replica>,
    told: Vec<Event>,
    counted: HashSet<Uuid>,
}

#[expect(clippy::disallowed_methods, reason = "whoever repeats a failure")]
#[sqlx::test(migrations = false)]
async fn the_treasury_is_a_vault_in_memory_in_every_history(db: PgPool) {
    let seed = std::env::var("SOULFRA_SEED").map_or(44, |seed| seed.parse().unwrap());
    println!("SOULFRA_SEED={seed}");
    let rig = Rig::new(db).await;
    let server = model_server(&rig, "gpu-1").await;
    for number in 0..HISTORIES {
        let mut history = History::new(&rig, server.clone(), seed, number);
        for _ in 0..STEPS {
            history.step().await;
        }
        assert_eq!(vault(&rig, &history.tenant).await, history.chest.vault, "history {number}");
    }
}

impl<'a> History<'a> {
    fn new(rig: &'a Rig, server: Caller<'a>, seed: u64, number: u64) -> Self {
        let tenant = format!("tenant-{number}");
        let replica = |at: u64| Replica {
            holding: Uuid::from_u128(u128::from(number) << 64 | u128::from(at)),
            number: 0,
            spent: 0,
            sent: Vec::new(),
        };
        let budget = has_budget(rig, &tenant, Some("1.00 USD"));
        Self {
            rig,
            server,
            chance: Chance::new(seed ^ number << 32),
            terms: Terms::of(Some(&budget)),
            chest: Chest::new(tenant.clone(), None, Currency::USD, rig.clock.now()),
            tenant,
            replicas: (0..REPLICAS).map(replica).collect(),
            told: Vec::new(),
            counted: HashSet::new(),
        }
    }

    async fn step(&mut self) {
        match self.chance.number() % 16 {
            0..=5 => self.claims().await,
            6..=10 => self.tells().await,
            11 | 12 => self.waits(),
            13 => self.is_given_another_budget(),
            14 => self.restarts(),
            _ => self.says_again().await,
        }
    }

    fn one(&mut self) -> usize {
        usize::try_from(self.chance.number() % REPLICAS).unwrap()
    }

    /// The next claim, now and then lost on its way.
    async fn claims(&mut self) {
        let (at, want) = (self.one(), self.chance.number() % 800_000);
        let replica = &mut self.replicas[at];
        replica.number += 1;
        let claim = Claim {
            holding: replica.holding,
            number: replica.number,
            tenant: self.tenant.clone(),
            currency: Currency::USD,
            spent: Micros::new(replica.spent),
            want: Micros::new(want),
        };
        replica.sent.push(claim.clone());
        if !self.chance.once_in(5) {
            self.arrives(&claim).await;
        }
    }

    /// One that was sent before, late or once more.
    async fn says_again(&mut self) {
        let at = self.one();
        let count = self.replicas[at].sent.len() as u64;
        if let Some(which) = self.chance.number().checked_rem(count) {
            let claim = self.replicas[at].sent[usize::try_from(which).unwrap()].clone();
            self.arrives(&claim).await;
        }
    }

    async fn arrives(&mut self, claim: &Claim) {
        let wanted = self.chest.clone().claim(claim, self.terms, self.rig.clock.now());
        let answer = lease(&self.server, claim).await;
        match wanted {
            Ok(lease) => {
                let told: Lease = serde_json::from_value(answer.body).unwrap();
                assert_eq!(told, lease, "{claim:?}");
                self.chest.claim(claim, self.terms, self.rig.clock.now()).unwrap();
            }
            // What is refused leaves everything as it was.
            Err(refused) => assert_eq!(answer.code(), (409, refused.code().unwrap()), "{claim:?}"),
        }
    }

    /// Some answers: of a holding, beyond it, or of none; some of them told before.
    async fn tells(&mut self) {
        let mut batch = Vec::new();
        for _ in 0..=self.chance.number() % 4 {
            let (at, cost) = (self.one(), self.chance.number() % 90_000);
            let id = u128::from(self.chance.number()) << 64 | u128::from(self.chance.number());
            let mut new = event(id, &self.tenant, cost, self.rig.clock.now());
            new.holding = (!self.chance.once_in(8)).then(|| self.replicas[at].holding);
            if !self.chance.once_in(3) {
                self.replicas[at].spent += cost;
            }
            self.told.push(new.clone());
            batch.push(new);
        }
        if self.chance.once_in(3) {
            let which = self.chance.number() % self.told.len() as u64;
            batch.push(self.told[usize::try_from(which).unwrap()].clone());
        }
        // Lost on its way.
        if self.chance.once_in(6) {
            return;
        }
        let now = self.rig.clock.now();
        // In the order of their ids, as they are taken in.
        let mut new: Vec<_> =
            batch.iter().filter(|event| !self.counted.contains(&event.id)).collect();
        new.sort_by_key(|event| event.id);
        new.dedup_by_key(|event| event.id);
        for event in &new {
            self.counted.insert(event.id);
            if event.cost > Micros::ZERO {
                self.chest.record(event.holding, event.cost, self.terms, now);
            }
        }
        let [told_new, ..] = taken(&tell(&self.server, &batch).await);
        assert_eq!(told_new, new.len() as u64);
    }

    fn waits(&mut self) {
        let seconds = [20, 400, 4_000, 300_000];
        let most = seconds[usize::try_from(self.chance.number() % 4).unwrap()];
        let by = i64::try_from(self.chance.number() % most).unwrap();
        self.rig.clock.advance(SignedDuration::from_secs(by));
    }

    fn is_given_another_budget(&mut self) {
        let budgets = [Some("1.00 USD"), Some("0.30 USD"), Some("2.00 USD"), None];
        let budget = budgets[usize::try_from(self.chance.number() % 4).unwrap()];
        let mut seen = has_budget(self.rig, &self.tenant, budget);
        if self.chance.once_in(4) {
            seen.spec.suspended = true;
            self.rig.cluster.by_kubectl(seen.clone());
        }
        self.terms = Terms::of(Some(&seen));
    }

    fn restarts(&mut self) {
        let (at, id) = (self.one(), self.chance.number());
        let replica = &mut self.replicas[at];
        replica.holding = Uuid::from_u128(u128::from(id) << 64 | at as u128);
        (replica.number, replica.spent) = (0, 0);
    }
}
