//! Those who wait and those who run, and every step from one to the other.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::fair::WHOLE;
use super::lately::Lately;
use super::pace::Pace;
use super::policy::{Cost, Places, Policy, Requester, TokenWeights};
use super::queue::{Band, Name, Path, Queue, Spot, Tenant, Ticket, TicketId};
use super::{Full, Load};

/// The time since any fixed moment.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that shows what `now` says.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    fn now(&self) -> Duration {
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
    policy: Policy,
    at_once: usize,
    queue: Queue,
    running: HashMap<TicketId, Running>,
    lately: Lately,
    pace: Pace,
    clock: Clock,
    next_id: TicketId,
    /// When everybody was last told where they stand, and whether something changed since.
    told: Duration,
    is_untold: bool,
}

#[derive(Debug)]
struct Running {
    path: Arc<Path>,
    since: Duration,
    /// Tokens of the prompt that were counted at the start and not yet read.
    unread: usize,
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
            policy,
            at_once,
            running: HashMap::new(),
            lately: Lately::default(),
            pace: Pace::default(),
            clock,
            next_id: 0,
            told: Duration::ZERO,
            is_untold: false,
        }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
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
            prompt_tokens: cost.prompt_tokens,
            tell,
        });
        self.start();
        if !self.running.contains_key(&id) {
            self.keep_or_refuse(&path, id)?;
        }
        self.is_untold = true;
        self.tell();
        // Where it begins is no move.
        spot.mark_unchanged();
        Ok(Entered { id, path, spot })
    }

    /// Whoever it is has left, from the queue or from the engine.
    pub(super) fn end(&mut self, path: &Path, id: TicketId) {
        if let Some(Running { since, unread, made, .. }) = self.running.remove(&id) {
            let now = self.clock.now();
            self.pace.learn(now.saturating_sub(since), made);
            self.refund(path, self.cost_of(unread, 0));
            if self.queue.finish(path) {
                self.lately.left(&path.tenant, now);
            }
        } else {
            self.leave(path, id);
        }
        self.advance();
    }

    /// A running job has read so many tokens of its prompt.
    pub(super) fn read(&mut self, path: &Path, id: TicketId, tokens: usize) {
        let Some(running) = self.running.get_mut(&id) else { return };
        let more = tokens.saturating_sub(running.unread);
        running.unread = running.unread.saturating_sub(tokens);
        self.count(path, more, 0);
    }

    /// A running job needs not read so many tokens of its prompt.
    pub(super) fn reused(&mut self, path: &Path, id: TicketId, tokens: usize) {
        let Some(running) = self.running.get_mut(&id) else { return };
        let less = tokens.min(running.unread);
        running.unread -= less;
        self.refund(path, self.cost_of(less, 0));
    }

    /// A running job has made so many tokens.
    pub(super) fn made(&mut self, path: &Path, id: TicketId, tokens: usize) {
        let Some(running) = self.running.get_mut(&id) else { return };
        running.made = running.made.saturating_add(tokens);
        self.count(path, 0, tokens);
    }

    pub(super) fn rank(&self, path: &Path) -> u64 {
        self.queue.rank(path)
    }

    /// Until a job starts that stands there; nothing if it runs.
    pub(super) fn wait(&mut self, path: &Path, id: TicketId, spot: Spot) -> Duration {
        if spot.position == 0 {
            return Duration::ZERO;
        }
        let person = self.queue.tenant(path).and_then(|tenant| tenant.person(path));
        let mut of_person = person.into_iter().flat_map(|person| &person.waiting);
        let before = of_person.position(|ticket| ticket.id == id).unwrap_or_default();
        self.until(path, spot, before + 1)
    }

    /// Until a job starts with so many starts before it: of everybody, of its tenant, of its
    /// person. A tenant or person with all their places taken waits for one of these.
    fn until(&mut self, path: &Path, spot: Spot, of_person: usize) -> Duration {
        let now = self.clock.now();
        let most = self.limit(now).of(self.queue.share_of(path));
        let ran = |of: fn(&Path, &Path) -> bool| {
            let running = self.running.values().filter(move |running| of(&running.path, path));
            running.map(|running| now.saturating_sub(running.since))
        };
        let all = self.pace.until(spot.position, ran(|_, _| true));
        let Some(tenant) = self.queue.tenant(path) else { return all };
        let of_tenant = spot.of_tenant.min(tenant.waiting);
        let of_tenant = (tenant.running >= most)
            .then(|| self.pace.until(of_tenant, ran(|one, other| one.tenant == other.tenant)));
        let person = tenant.person(path).map_or(0, |person| person.running);
        let of_person = (person >= self.policy.places.running_per_person).then(|| {
            let is_same =
                |one: &Path, other: &Path| one.tenant == other.tenant && one.person == other.person;
            self.pace.until(of_person, ran(is_same))
        });
        all.max(of_tenant.unwrap_or_default()).max(of_person.unwrap_or_default())
    }

    /// One that just came may stay if there is room; if not, it leaves at once.
    fn keep_or_refuse(&mut self, path: &Path, id: TicketId) -> Result<(), Full> {
        let Places { waiting, waiting_per_tenant, waiting_per_person, .. } = self.policy.places;
        let tenant = self.queue.tenant(path);
        let of_tenant = tenant.map_or(0, |tenant| tenant.waiting);
        let person = tenant.and_then(|tenant| tenant.person(path));
        let of_person = person.map_or(0, |person| person.waiting.len());
        let is_full = self.queue.waiting() > waiting;
        let is_tenant_full = of_tenant > waiting_per_tenant;
        let is_person_full = of_person > waiting_per_person;
        if !is_full && !is_tenant_full && !is_person_full {
            return Ok(());
        }
        self.leave(path, id);
        // When a place is free that this one may take: when the first starts of those who have it.
        let mut wait = self.until(path, Spot { position: 1, of_tenant: 0 }, 0);
        let tenant = self.queue.tenant(path);
        let of_tenant = tenant.filter(|_| is_tenant_full).and_then(Tenant::first);
        let person = tenant.and_then(|tenant| tenant.person(path));
        let of_person = person.filter(|_| is_person_full).and_then(|p| p.waiting.front());
        let firsts: Vec<(Arc<Path>, usize)> = [of_tenant, of_person]
            .into_iter()
            .flatten()
            .map(|first| (Arc::clone(&first.path), first.tell.borrow().position))
            .collect();
        for (path, position) in firsts {
            wait = wait.max(self.until(&path, Spot { position, of_tenant: 1 }, 1));
        }
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Err(Full { retry_after: Duration::from_secs(whole.max(1)) })
    }

    /// One who never started has left.
    fn leave(&mut self, path: &Path, id: TicketId) {
        if self.queue.remove(path, id) {
            self.lately.left(&path.tenant, self.clock.now());
        }
    }

    /// Fills free places in the engine and tells everybody who waits where they stand.
    fn advance(&mut self) {
        self.start();
        self.is_untold = true;
        self.tell();
    }

    fn start(&mut self) {
        while self.running.len() < self.at_once && self.queue.waiting() > 0 {
            let now = self.clock.now();
            let limit = self.limit(now);
            let is_last = self.at_once - self.running.len() == 1;
            // The last place is for who is about and has none.
            let is_kept = is_last && self.lately.is_somebody(now);
            let may_start = |running: usize, share: u64| {
                running == 0 || (!is_kept && running < limit.of(share))
            };
            let per_person = self.policy.places.running_per_person;
            let Some(ticket) = self.queue.pop(may_start, per_person) else { break };
            let Ticket { id, path, prompt_tokens: unread, tell, .. } = ticket;
            self.count(&path, unread, 0);
            tell.send_replace(Spot { position: 0, of_tenant: 0 });
            self.running.insert(id, Running { path, since: now, unread, made: 0 });
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

    /// How many places a tenant may have now.
    fn limit(&mut self, now: Duration) -> Limit {
        Limit {
            places: self.at_once,
            percent: self.policy.places.running_per_tenant_percent,
            is_alone: self.queue.busy_tenants() <= 1 && !self.lately.is_somebody(now),
        }
    }

    fn count(&mut self, path: &Path, read: usize, made: usize) {
        let cost = i64::try_from(self.cost_of(read, made)).unwrap_or(i64::MAX);
        self.queue.charge(path, cost);
        self.tell();
    }

    fn refund(&mut self, path: &Path, cost: u64) {
        self.queue.charge(path, -i64::try_from(cost).unwrap_or(i64::MAX));
    }

    fn cost_of(&self, read: usize, made: usize) -> u64 {
        let TokenWeights { read: of_read, made: of_made } = self.policy.tokens;
        let cost = |tokens: usize, weight: u32| (tokens as u64).saturating_mul(weight.into());
        cost(read, of_read).saturating_add(cost(made, of_made))
    }
}

/// How many of the engine's places one tenant may have.
#[derive(Debug, Clone, Copy)]
struct Limit {
    places: usize,
    percent: u8,
    is_alone: bool,
}

impl Limit {
    /// Of a tenant with this share of the service, in parts of [`WHOLE`].
    fn of(self, share: u64) -> usize {
        if self.is_alone {
            return self.places;
        }
        let part = share.max(WHOLE * u64::from(self.percent) / 100);
        let most = (self.places as u64).saturating_mul(part).div_ceil(WHOLE);
        usize::try_from(most).unwrap_or(usize::MAX).min(self.places.saturating_sub(1)).max(1)
    }
}
