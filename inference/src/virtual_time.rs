//! The real queue before a pretend engine, in virtual time: hours of traffic in a second, the same
//! every time for the same seed. Nothing here sleeps; the queue is told the time.
//!
//! The engine works in steps, as one that batches does: each step makes a token for every answer
//! under way and reads a piece of the most urgent prompts, by the ranks of the queue. How long a
//! step takes was measured on llama.cpp, see [`Machine::default`].

mod dice;
mod figures;
mod machine;
mod scenarios;
mod traffic;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use figures::{Row, jain, percentile};
pub use machine::Machine;
pub use scenarios::{
    Measured, equals, flooded, greedy_person, guaranteed, jain_of_classes, rows, tiny, unexpected,
};
pub use traffic::{Arrivals, Record, Source};

use crate::admission::{Admission, Clock, Cost, Place, Policy};
use dice::Dice;
use machine::Running;

/// How long a window is in which service is compared.
pub const WINDOW: Duration = Duration::from_secs(30);

/// First tokens of who came earlier are left out.
pub const WARM_UP: Duration = Duration::from_mins(2);

/// Lets the sources send for so long, and says what each got.
pub fn run(
    machine: Machine,
    policy: &Policy,
    sources: &[Source],
    long: Duration,
    seed: u64,
) -> Vec<Record> {
    let mut world = World::new(machine, policy, sources, seed);
    world.run(nanos(long));
    world.records
}

struct World<'a> {
    machine: Machine,
    policy: &'a Policy,
    sources: &'a [Source],
    dice: Vec<Dice>,
    now: Arc<AtomicU64>,
    admission: Admission,
    arrivals: BinaryHeap<Reverse<(u64, usize)>>,
    waiting: Vec<Waiting>,
    running: Vec<Running>,
    records: Vec<Record>,
    steps: u64,
}

struct Waiting {
    place: Place,
    source: usize,
    arrived: u64,
    prompt: usize,
    answer: usize,
}

impl<'a> World<'a> {
    fn new(machine: Machine, policy: &'a Policy, sources: &'a [Source], seed: u64) -> Self {
        let now = Arc::new(AtomicU64::new(0));
        let clock = Clock::new({
            let now = Arc::clone(&now);
            move || Duration::from_nanos(now.load(Ordering::Relaxed))
        });
        // Each source throws its own dice: what it sends does not depend on who else is there.
        let dice = (0..sources.len() as u64).map(|at| Dice::new(seed, at)).collect();
        let mut world = Self {
            machine,
            policy,
            sources,
            dice,
            now,
            admission: Admission::with(policy.clone(), machine.slots, clock),
            arrivals: BinaryHeap::new(),
            waiting: Vec::new(),
            running: Vec::new(),
            records: vec![Record::default(); sources.len()],
            steps: 0,
        };
        for (at, source) in sources.iter().enumerate() {
            let first = match source.arrivals {
                Arrivals::PerSecond(rate) => vec![world.dice[at].gap(rate)],
                Arrivals::Kept(jobs) => (0..jobs).map(|_| world.dice[at].gap(1.0)).collect(),
            };
            world.arrivals.extend(first.into_iter().map(|time| Reverse((time, at))));
        }
        world
    }

    fn run(&mut self, until: u64) {
        while self.now() < until {
            if self.running.is_empty() {
                let Some(Reverse((next, _))) = self.arrivals.peek() else { break };
                let next = *next;
                self.arrive(next.max(self.now()));
            } else {
                self.step();
            }
            self.take_started();
        }
    }

    /// One step of the engine. Who comes meanwhile is in the queue when it ends.
    fn step(&mut self) {
        let plan = self.machine.plan(&self.running, self.steps);
        self.steps += 1;
        let end = self.now() + plan.nanos;
        self.arrive(end);
        let window = usize::try_from(end / nanos(WINDOW)).unwrap_or(usize::MAX);
        for (at, work) in plan.work.into_iter().enumerate() {
            let running = &mut self.running[at];
            let record = &mut self.records[running.source];
            let tokens = self.policy.tokens;
            let read = work.read as u64 * u64::from(tokens.read);
            let made = work.made as u64 * u64::from(tokens.made);
            record.serve(window, read + made);
            if running.did(work) && running.arrived > nanos(WARM_UP) {
                record.first_tokens.push(Duration::from_nanos(end - running.arrived));
            }
        }
        let (ended, running): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.running).into_iter().partition(Running::is_done);
        self.running = running;
        for job in ended {
            let Running { place, source, .. } = job;
            drop(place);
            self.records[source].answered += 1;
            self.again(source, end);
        }
    }

    /// Everybody comes who comes until then, each at their time.
    fn arrive(&mut self, until: u64) {
        while let Some(Reverse((time, at))) = self.arrivals.peek().copied() {
            if time > until {
                break;
            }
            self.arrivals.pop();
            self.now.store(time.max(self.now()), Ordering::Relaxed);
            let source = &self.sources[at];
            let dice = &mut self.dice[at];
            if let Arrivals::PerSecond(rate) = source.arrivals {
                self.arrivals.push(Reverse((time + dice.gap(rate), at)));
            }
            let (prompt, answer) = (dice.within(&source.prompt), dice.within(&source.answer));
            let cost = Cost { prompt_tokens: prompt, max_tokens: *source.answer.end() };
            match self.admission.enter(&source.who, cost) {
                Ok(place) => {
                    let arrived = time;
                    self.waiting.push(Waiting { place, source: at, arrived, prompt, answer });
                }
                Err(full) => {
                    self.records[at].refused += 1;
                    self.again(at, time + nanos(full.retry_after));
                }
            }
        }
        self.now.store(until, Ordering::Relaxed);
    }

    /// Who keeps a number of jobs sends the next one then.
    fn again(&mut self, at: usize, time: u64) {
        if matches!(self.sources[at].arrivals, Arrivals::Kept(_)) {
            self.arrivals.push(Reverse((time, at)));
        }
    }

    fn take_started(&mut self) {
        if self.admission.load().running == self.running.len() {
            return;
        }
        let mut at = 0;
        while at < self.waiting.len() {
            if self.waiting[at].place.position() > 0 {
                at += 1;
                continue;
            }
            let Waiting { place, source, arrived, prompt, answer } = self.waiting.swap_remove(at);
            let waited = Duration::from_nanos(self.now() - arrived);
            self.records[source].waited.push(waited);
            self.running.push(Running::new(place, source, arrived, prompt, answer));
        }
    }

    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
