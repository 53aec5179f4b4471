//! Whose turn it is: a bounded queue before each engine, fair by tenant, then by person.
//!
//! An engine runs few jobs at once, so the rest wait here, where waiting costs nothing and can
//! still be ordered. Turns go round the tenants, and inside a tenant round its people, so a flood
//! from one of them only makes that one wait. While several tenants are about, none has all places
//! in the engine. Who leaves while waiting is never started.

mod queue;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use web::token::Caller;

use queue::{Queue, TicketId};

/// How many may run and wait. How many run at once, all together, is the engine's to say.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// Jobs of one person running: who asks much leaves room for the others.
    pub running_per_person: usize,
    /// Jobs waiting, all together.
    pub waiting: usize,
    /// Jobs of one tenant waiting.
    pub waiting_per_tenant: usize,
    /// Jobs of one person waiting.
    pub waiting_per_person: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self { running_per_person: 2, waiting: 256, waiting_per_tenant: 64, waiting_per_person: 4 }
    }
}

/// The queue before one engine. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct Admission {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    places: Places,
    at_once: usize,
    queue: Queue,
    running: Vec<Running>,
    /// The last two tenants that came, and when they did last.
    recent: [Option<(String, Instant)>; 2],
    pace: Pace,
    next_id: TicketId,
}

#[derive(Debug)]
struct Running {
    id: TicketId,
    caller: Caller,
    since: Instant,
}

/// No place left; `retry_after` says when one should be free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("every place in the queue is taken")]
pub struct Full {
    /// An estimate from how long jobs took lately; between 1 second and 10 minutes.
    pub retry_after: Duration,
}

/// How busy an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Jobs in the engine.
    pub running: usize,
    /// Jobs waiting.
    pub waiting: usize,
}

/// A place in the queue that becomes a place in the engine. Dropping it gives it back, whichever
/// it is, and lets the next one in.
#[derive(Debug)]
pub struct Place {
    id: TicketId,
    position: watch::Receiver<usize>,
    shared: Arc<Mutex<Shared>>,
}

impl Admission {
    /// An empty queue before an engine that runs `at_once` jobs.
    pub fn new(places: Places, at_once: usize) -> Self {
        let shared = Shared {
            places,
            at_once,
            queue: Queue::default(),
            running: Vec::new(),
            recent: [None, None],
            pace: Pace::default(),
            next_id: 0,
        };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// From now on so many run at once. What runs goes on.
    pub fn set_at_once(&self, at_once: usize) {
        let mut shared = lock(&self.shared);
        shared.at_once = at_once;
        shared.advance();
    }

    /// Takes a place for `caller`, at once: in the engine if one is free, else in the queue.
    pub fn enter(&self, caller: &Caller) -> Result<Place, Full> {
        let mut shared = lock(&self.shared);
        shared.note(&caller.tenant);
        if shared.running.len() >= shared.at_once || shared.queue.len() > 0 {
            shared.check_room(caller)?;
        }
        let id = shared.next_id;
        shared.next_id += 1;
        let (tell, mut position) = watch::channel(usize::MAX);
        shared.queue.push(id, caller, tell);
        shared.advance();
        drop(shared);
        // Where it begins is no move.
        position.mark_unchanged();
        Ok(Place { id, position, shared: Arc::clone(&self.shared) })
    }

    /// How busy it is now.
    pub fn load(&self) -> Load {
        let shared = lock(&self.shared);
        Load { running: shared.running.len(), waiting: shared.queue.len() }
    }
}

impl Place {
    /// How many jobs start before this one, itself included; 0 once it may run.
    pub fn position(&self) -> usize {
        *self.position.borrow()
    }

    /// Waits until the position changes, and says the new one.
    pub async fn moved(&mut self) -> usize {
        // The sender lives in the queue or has sent 0 as its last word.
        if self.position.changed().await.is_err() {
            return 0;
        }
        *self.position.borrow_and_update()
    }

    /// Waits until it may run.
    pub async fn turn(&mut self) {
        while self.position() > 0 {
            self.moved().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        if let Some(at) = shared.running.iter().position(|running| running.id == self.id) {
            let took = shared.running.swap_remove(at).since.elapsed();
            shared.pace.learn(took);
        } else {
            shared.queue.remove(self.id);
        }
        shared.advance();
    }
}

impl Shared {
    /// Fills free places in the engine and tells everybody who waits where they stand.
    fn advance(&mut self) {
        while self.running.len() < self.at_once {
            let Self { running, places, recent, at_once, queue, .. } = self;
            let may_run = |caller: &Caller| {
                let of = |same: fn(&Caller, &Caller) -> bool| {
                    running.iter().filter(|job| same(&job.caller, caller)).count()
                };
                let is_alone = recent.iter().flatten().all(|(tenant, at)| {
                    *tenant == caller.tenant || at.elapsed() > Self::REMEMBERED
                });
                let of_tenant = if is_alone { *at_once } else { at_once.saturating_sub(1).max(1) };
                of(is_same_person) < places.running_per_person && of(is_same_tenant) < of_tenant
            };
            let Some(next) = queue.pop(may_run) else { break };
            next.tell.send_replace(0);
            self.running.push(Running { id: next.id, caller: next.caller, since: Instant::now() });
        }
        self.queue.tell_positions();
    }

    /// How long one place is kept free of the other tenants for who came lately.
    const REMEMBERED: Duration = Duration::from_mins(10);

    fn note(&mut self, tenant: &str) {
        let now = Instant::now();
        let [last, before] = &mut self.recent;
        if last.as_ref().is_none_or(|(name, _)| name != tenant) {
            std::mem::swap(last, before);
            if last.as_ref().is_none_or(|(name, _)| name != tenant) {
                *last = None;
            }
        }
        *last = Some((tenant.to_owned(), now));
    }

    fn check_room(&self, caller: &Caller) -> Result<(), Full> {
        let Places { waiting, waiting_per_tenant, waiting_per_person, .. } = self.places;
        let of_tenant = |c: &Caller| is_same_tenant(c, caller);
        let of_person = |c: &Caller| is_same_person(c, caller);
        // How many jobs must start until a place that this caller may take is free.
        let starts = [
            (self.queue.len() >= waiting).then_some(1),
            self.queue.first_of_if_full(of_tenant, waiting_per_tenant),
            self.queue.first_of_if_full(of_person, waiting_per_person),
        ];
        match starts.into_iter().flatten().max() {
            None => Ok(()),
            Some(starts) => Err(Full { retry_after: self.pace.until(starts, &self.running) }),
        }
    }
}

/// How long a job takes, learned from those that ended.
#[derive(Debug, Default)]
struct Pace {
    mean: Option<Duration>,
}

impl Pace {
    /// Before anything was learned; about one answer of a small model on two cores.
    const GUESS: Duration = Duration::from_secs(10);
    const SHORTEST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_mins(10);

    fn learn(&mut self, took: Duration) {
        self.mean = Some(match self.mean {
            None => took,
            // Recent jobs weigh a quarter.
            Some(mean) => (mean * 3 + took) / 4,
        });
    }

    /// Until `starts` further jobs have been let in, rounded up to whole seconds.
    fn until(&self, starts: usize, running: &[Running]) -> Duration {
        // A job that runs longer than the mean says more than the mean does.
        let oldest = running.iter().map(|job| job.since.elapsed()).max().unwrap_or_default();
        let job = self.mean.unwrap_or(Self::GUESS).max(oldest);
        let starts = u32::try_from(starts).unwrap_or(u32::MAX);
        let lanes = u32::try_from(running.len().max(1)).unwrap_or(u32::MAX);
        let wait = job.saturating_mul(starts) / lanes;
        let whole = Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        whole.clamp(Self::SHORTEST, Self::LONGEST)
    }
}

fn is_same_tenant(one: &Caller, other: &Caller) -> bool {
    one.tenant == other.tenant
}

fn is_same_person(one: &Caller, other: &Caller) -> bool {
    one.tenant == other.tenant && one.user == other.user
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // Nothing panics while it is held; if something did, the queue is still whole.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
