//! Those who wait and those who run, and every step from one to the other.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::fair::{Change, WHOLE};
use super::lately::Lately;
use super::pace::Pace;
use super::policy::{Cost, Policy, Requester, TokenWeights};
use super::queue::{Band, Name, Path, Queue, Spot, Ticket, TicketId};
use super::waits::FullOf;
use super::{Full, Load};

/// The time since any fixed moment.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that shows what `now` says.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(super) fn now(&self) -> Duration {
        (self.0)()
    }
}

impl Default for Clock {
    /// The runtime's clock, which tests can move.
    fn default() -> Self {
        let begun = Instant::now();
        Self::new(move || begun.elapsed())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

#[derive(Debug)]
pub(super) struct Hall {
    pub(super) policy: Policy,
    pub(super) at_once: usize,
    pub(super) queue: Queue,
    pub(super) running: HashMap<TicketId, Running>,
    lately: Lately,
    pub(super) pace: Pace,
    pub(super) clock: Clock,
    next_id: TicketId,
    /// When everybody was last told where they stand, and whether something changed since.
    told: Duration,
    is_untold: bool,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) path: Arc<Path>,
    pub(super) since: Duration,
    /// What it is still expected to cost.
    expected: u64,
    made: usize,
}

/// A ticket from outside.
pub(super) struct Entered {
    pub(super) id: TicketId,
    pub(super) path: Arc<Path>,
    pub(super) spot: watch::Receiver<Spot>,
}

/// While so few wait, everybody is told at once where they stand.
const FEW: usize = 32;
/// Else so often at most.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// So many starts are played to know positions; who starts later is told how many wait in all.
const FORETOLD: usize = 1024;

impl Hall {
    pub(super) fn new(policy: Policy, at_once: usize, clock: Clock) -> Self {
        Self {
            queue: Queue::new(&policy),
            at_once,
            running: HashMap::new(),
            lately: Lately::new(policy.classes.iter().count()),
            pace: Pace::default(),
            policy,
            clock,
            next_id: 0,
            told: Duration::ZERO,
            is_untold: false,
        }
    }

    pub(super) fn load(&self) -> Load {
        Load { running: self.running.len(), waiting: self.queue.waiting() }
    }

    pub(super) fn set_at_once(&mut self, at_once: usize) {
        self.at_once = at_once;
        self.advance();
    }

    pub(super) fn enter(&mut self, who: &Requester, cost: Cost) -> Result<Entered, Full> {
        let path = Arc::new(Path {
            class: self.policy.classes.at(who.class),
            tenant: Name::from(who.caller.tenant.as_str()),
            band: if who.paying { Band::Paying } else { Band::Free },
            person: Name::from(who.caller.user.as_str()),
        });
        let id = self.next_id;
        self.next_id += 1;
        let last = Spot { position: self.queue.waiting() + 1, of_tenant: usize::MAX };
        let (tell, mut spot) = watch::channel(last);
        let made = cost.max_tokens.min(self.pace.likely_made());
        self.lately.came(&path.tenant);
        self.queue.push(Ticket {
            id,
            path: Arc::clone(&path),
            likely: self.cost_of(cost.prompt_tokens, made),
            tell,
        });
        self.start();
        if !self.running.contains_key(&id) {
            let full = self.full(&path);
            if full != FullOf::default() {
                self.leave(&path, id);
                let retry_after = self.retry_after(&path, full);
                return Err(Full { retry_after, room: self.room(&path) });
            }
        }
        self.is_untold = true;
        self.tell();
        // Where it begins is no move.
        spot.mark_unchanged();
        Ok(Entered { id, path, spot })
    }

    /// Whoever it is has left, from the queue or from the engine.
    pub(super) fn end(&mut self, path: &Path, id: TicketId) {
        if let Some(Running { since, expected, made, .. }) = self.running.remove(&id) {
            let now = self.clock.now();
            self.pace.learn(now.saturating_sub(since), made);
            self.queue.count(path, Change { settled: expected, ..Change::default() });
            if self.queue.finish(path) {
                self.lately.left(&path.tenant, path.class, now);
            }
        } else {
            self.leave(path, id);
        }
        self.advance();
    }

    /// One that runs makes room for whoever is next and waits for another turn, which costs so much;
    /// as many wait beyond the bounds as run. Nothing if it does not run.
    pub(super) fn again(
        &mut self,
        path: &Arc<Path>,
        id: TicketId,
        cost: Cost,
    ) -> Option<watch::Receiver<Spot>> {
        let Running { since, expected, made, .. } = self.running.remove(&id)?;
        self.pace.learn(self.clock.now().saturating_sub(since), made);
        self.queue.count(path, Change { settled: expected, ..Change::default() });
        let last = Spot { position: self.queue.waiting() + 1, of_tenant: usize::MAX };
        let (tell, spot) = watch::channel(last);
        let likely = self.cost_of(cost.prompt_tokens, cost.max_tokens);
        self.queue.push(Ticket { id, path: Arc::clone(path), likely, tell });
        self.queue.finish(path);
        self.advance();
        Some(spot)
    }

    /// A running job has read and made so many tokens.
    pub(super) fn used(&mut self, path: &Path, id: TicketId, read: usize, made: usize) {
        let served = self.cost_of(read, made);
        let Some(running) = self.running.get_mut(&id) else { return };
        running.made = running.made.saturating_add(made);
        let settled = served.min(running.expected);
        running.expected -= settled;
        self.count(path, Change { served, settled, expected: 0 });
    }

    /// A running job needs not read so many tokens of its prompt.
    pub(super) fn reused(&mut self, path: &Path, id: TicketId, tokens: usize) {
        let cost = self.cost_of(tokens, 0);
        let Some(running) = self.running.get_mut(&id) else { return };
        let settled = cost.min(running.expected);
        running.expected -= settled;
        self.count(path, Change { settled, ..Change::default() });
    }

    pub(super) fn rank(&self, path: &Path) -> u64 {
        self.queue.rank(path)
    }

    /// One who never started has left.
    fn leave(&mut self, path: &Path, id: TicketId) {
        if self.queue.remove(path, id) {
            self.lately.left(&path.tenant, path.class, self.clock.now());
        }
    }

    /// Fills free places in the engine and tells everybody who waits where they stand.
    fn advance(&mut self) {
        self.start();
        self.is_untold = true;
        self.tell();
    }

    fn start(&mut self) {
        let now = self.clock.now();
        self.lately.forget_old(now);
        while self.running.len() < self.at_once && self.queue.waiting() > 0 {
            let limits = self.limits();
            let is_last = self.at_once - self.running.len() == 1;
            let is_kept = is_last && self.is_last_kept();
            let may_start =
                |class: usize, running| running == 0 || (!is_kept && running < limits[class]);
            let per_person = self.policy.places.running_per_person;
            let Some(ticket) = self.queue.pop(may_start, per_person) else { break };
            let Ticket { id, path, likely: expected, tell } = ticket;
            self.queue.count(&path, Change { expected, ..Change::default() });
            tell.send_replace(Spot { position: 0, of_tenant: 0 });
            self.running.insert(id, Running { path, since: now, expected, made: 0 });
        }
    }

    /// Tells those who wait where they stand, if that may have changed and they were not told
    /// just now.
    fn tell(&mut self) {
        let now = self.clock.now();
        let is_soon = now.saturating_sub(self.told) < TELL_EVERY;
        if !self.is_untold || (self.queue.waiting() > FEW && is_soon) {
            return;
        }
        self.is_untold = false;
        self.told = now;
        let mut tenants: HashMap<&str, usize> = HashMap::new();
        for (at, ticket) in self.queue.in_order().take(FORETOLD).enumerate() {
            let of_tenant = tenants.entry(&ticket.path.tenant).or_default();
            *of_tenant += 1;
            let spot = Spot { position: at + 1, of_tenant: *of_tenant };
            ticket.tell.send_if_modified(|old| std::mem::replace(old, spot) != spot);
        }
    }

    /// How many of the engine's places a tenant of each class may have: what its plan is worth
    /// among all who are about, and not less than a fixed part. All if nobody else is about.
    pub(super) fn limits(&self) -> Vec<usize> {
        let tenants = self.queue.busy_tenants() + self.lately.len();
        let shares = self.queue.share_of_each(self.lately.of_class());
        let places = self.at_once;
        let fixed = WHOLE * u64::from(self.policy.places.running_per_tenant_percent) / 100;
        let limit = |share: u64| {
            let most = (places as u64).saturating_mul(share.max(fixed)).div_ceil(WHOLE);
            usize::try_from(most).unwrap_or(usize::MAX).min(places.saturating_sub(1)).max(1)
        };
        let limit = |share| if tenants > 1 { limit(share) } else { places };
        shares.into_iter().map(limit).collect()
    }

    /// Whether the last place is only for who has none, because somebody is about who has none.
    pub(super) fn is_last_kept(&self) -> bool {
        self.lately.len() > 0
    }

    fn count(&mut self, path: &Path, change: Change) {
        self.queue.count(path, change);
        self.tell();
    }

    fn cost_of(&self, read: usize, made: usize) -> u64 {
        let TokenWeights { read: of_read, made: of_made } = self.policy.tokens;
        let cost = |tokens: usize, weight: u32| (tokens as u64).saturating_mul(weight.into());
        cost(read, of_read).saturating_add(cost(made, of_made))
    }
}
