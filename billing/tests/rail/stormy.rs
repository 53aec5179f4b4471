//! Test money behind a bad line: requests and answers are lost, it is busy, it repeats its own mistakes, and it
//! forgets keys after a day.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use billing::rail::test_money::TestMoney;
use billing::rail::{
    LinkTo, Object, ObjectRef, Order, Page, PaymentRail, PayoutId, Search, Trouble,
};
use blueprint::Slug;
use jiff::{SignedDuration, Timestamp};
use work::Clock;

/// So long Stripe keeps a key.
const KEYS: SignedDuration = SignedDuration::from_hours(24);

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done and answered.
    Good,
    /// It never arrives.
    Lost,
    /// It is done, and the answer never arrives.
    AnswerLost,
    /// Too many requests.
    Busy,
    /// The same key is being worked on.
    InFlight,
    /// An error that is repeated for as long as the key is kept. What was asked for is done all the same.
    StuckDone,
    /// The same, and it is not.
    Stuck,
    /// No, for good.
    Refused,
}

pub(crate) struct Stormy {
    pub(crate) money: TestMoney,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What becomes of the next ones, the last first; then of all others.
    fates: Vec<Fate>,
    seed: Option<u64>,
    /// Since when each key is known, and whether it is stuck.
    keys: HashMap<String, (Timestamp, bool)>,
    /// When each request came.
    requests: Vec<Timestamp>,
    /// Keys that were sent again after they were forgotten.
    late: u32,
    sent: u32,
    faults: u32,
}

impl Stormy {
    pub(crate) fn new(money: TestMoney, clock: Clock) -> Self {
        Self { money, clock, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What becomes of the next requests.
    pub(crate) fn next(&self, fates: &[Fate]) {
        self.state().fates = fates.iter().rev().copied().collect();
    }

    /// It storms from now on.
    pub(crate) fn storms(&self, seed: u64) {
        self.state().seed = Some(seed);
    }

    /// Calm from now on: nothing is stuck any more.
    pub(crate) fn is_calm(&self) {
        let mut state = self.state();
        state.seed = None;
        state.fates.clear();
        state.keys.values_mut().for_each(|(_, is_stuck)| *is_stuck = false);
    }

    pub(crate) fn sent(&self) -> u32 {
        self.state().sent
    }

    pub(crate) fn faults(&self) -> u32 {
        self.state().faults
    }

    /// How many came, looks among them.
    pub(crate) fn requests(&self) -> usize {
        self.state().requests.len()
    }

    pub(crate) fn late(&self) -> u32 {
        self.state().late
    }

    /// The most requests in any one second.
    pub(crate) fn most_in_a_second(&self) -> usize {
        let mut requests = self.state().requests.clone();
        requests.sort();
        let mut first = 0;
        let within = requests.iter().enumerate().map(|(last, at)| {
            while at.duration_since(requests[first]) >= SignedDuration::from_secs(1) {
                first += 1;
            }
            last + 1 - first
        });
        within.max().unwrap_or_default()
    }

    /// What becomes of this one.
    fn fate(&self) -> Fate {
        let now = self.clock.now();
        let mut state = self.state();
        state.requests.push(now);
        let fate = if let Some(fate) = state.fates.pop() {
            fate
        } else if let Some(seed) = state.seed.as_mut() {
            *seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            match (*seed >> 33) % 16 {
                0 => Fate::Lost,
                1 | 2 => Fate::AnswerLost,
                3 => Fate::Busy,
                4 => Fate::InFlight,
                5 => Fate::StuckDone,
                6 => Fate::Stuck,
                _ => Fate::Good,
            }
        } else {
            Fate::Good
        };
        state.faults += u32::from(fate != Fate::Good);
        fate
    }

    /// Whether the key is known and stuck; from now on it is known.
    fn is_stuck(&self, key: &str, becomes: bool) -> bool {
        let now = self.clock.now();
        let mut state = self.state();
        state.sent += 1;
        let forgotten =
            state.keys.get(key).is_some_and(|(since, _)| now.duration_since(*since) >= KEYS);
        state.late += u32::from(forgotten);
        let known = state.keys.entry(key.to_owned()).or_insert((now, false));
        known.1 |= becomes;
        known.1
    }
}

#[async_trait]
impl PaymentRail for Stormy {
    fn name(&self) -> &Slug {
        self.money.name()
    }

    fn is_test_money(&self) -> bool {
        true
    }

    async fn send(&self, order: &Order) -> Result<Object, Trouble> {
        let after = Some(SignedDuration::from_secs(2));
        let fate = self.fate();
        if fate == Fate::Lost {
            return Err(Trouble::Unknown("no answer".to_owned()));
        }
        if fate == Fate::Busy {
            return Err(Trouble::Again { why: "429".to_owned(), after });
        }
        if fate == Fate::InFlight {
            return Err(Trouble::Again { why: "409".to_owned(), after: None });
        }
        let is_stuck = self.is_stuck(&order.key, matches!(fate, Fate::Stuck | Fate::StuckDone));
        match fate {
            Fate::Refused => Err(Trouble::Refused("the card was declined".to_owned())),
            Fate::AnswerLost | Fate::StuckDone => {
                self.money.send(order).await?;
                Err(Trouble::Unknown("no answer".to_owned()))
            }
            _ if is_stuck => Err(Trouble::Unknown("500".to_owned())),
            _ => self.money.send(order).await,
        }
    }

    async fn find(&self, search: &Search) -> Result<Option<Object>, Trouble> {
        match self.fate() {
            Fate::Good => self.money.find(search).await,
            _ => Err(Trouble::Unknown("no answer".to_owned())),
        }
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Object, Trouble> {
        match self.fate() {
            Fate::Good => self.money.fetch(object).await,
            Fate::Busy => Err(Trouble::Again { why: "429".to_owned(), after: None }),
            _ => Err(Trouble::Unknown("no answer".to_owned())),
        }
    }

    async fn link(&self, to: &LinkTo) -> Result<String, Trouble> {
        self.money.link(to).await
    }

    async fn movements(&self, payout: &PayoutId, after: Option<&str>) -> Result<Page, Trouble> {
        self.money.movements(payout, after).await
    }
}
