//! How long it is until somebody's turn, and until there is room for somebody.

use std::time::Duration;

use super::Room;
use super::hall::Hall;
use super::policy::Places;
use super::queue::{Path, Spot, Tenant, TicketId};

/// So many of those who wait are looked at to know when the next one starts.
const CANDIDATES: usize = 8;

/// Which bounds are passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FullOf {
    all: bool,
    tenant: bool,
    person: bool,
}

impl Hall {
    /// Until a job starts that stands there; nothing if it runs.
    pub(super) fn wait(&self, path: &Path, id: TicketId, spot: Spot) -> Duration {
        if spot.position == 0 {
            return Duration::ZERO;
        }
        let person = self.queue.tenant(path).and_then(|tenant| tenant.person(path));
        let mut of_person = person.into_iter().flat_map(|person| &person.waiting);
        let before = of_person.position(|ticket| ticket.id == id).unwrap_or_default();
        self.until(path, spot, before + 1)
    }

    /// Whether more wait than may, with somebody who just came.
    pub(super) fn full(&self, path: &Path) -> FullOf {
        let Places { waiting, waiting_per_tenant, waiting_per_person, .. } = self.policy.places;
        let tenant = self.queue.tenant(path);
        let person = tenant.and_then(|tenant| tenant.person(path));
        FullOf {
            all: self.queue.waiting() > waiting,
            tenant: tenant.is_some_and(|tenant| tenant.waiting > waiting_per_tenant),
            person: person.is_some_and(|person| person.waiting.len() > waiting_per_person),
        }
    }

    /// Until there is room for somebody for whom there was none: until the first starts of those
    /// who have it. In whole seconds.
    pub(super) fn retry_after(&self, path: &Path, full: FullOf) -> Duration {
        let tenant = self.queue.tenant(path);
        let of_tenant = tenant.filter(|_| full.tenant).and_then(Tenant::first);
        let person = tenant.and_then(|tenant| tenant.person(path));
        let of_person = person.filter(|_| full.person).and_then(|person| person.waiting.front());
        let firsts = [of_tenant, of_person].into_iter().flatten().map(|first| {
            let position = first.tell.borrow().position;
            self.until(&first.path, Spot { position, of_tenant: 1 }, 1)
        });
        let of_all = full.all.then(|| self.next_start());
        let wait = firsts.chain(of_all).max().unwrap_or_default();
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Duration::from_secs(whole.max(1))
    }

    /// How many more jobs of a person may wait, which its tenant and all others have a say in.
    pub(super) fn room(&self, path: &Path) -> Room {
        let Places { waiting, waiting_per_tenant, waiting_per_person, .. } = self.policy.places;
        let tenant = self.queue.tenant(path);
        let of_tenant = tenant.map_or(0, |tenant| tenant.waiting);
        let of_person = tenant.and_then(|tenant| tenant.person(path));
        let of_person = of_person.map_or(0, |person| person.waiting.len());
        let free = waiting_per_person
            .saturating_sub(of_person)
            .min(waiting_per_tenant.saturating_sub(of_tenant))
            .min(waiting.saturating_sub(self.queue.waiting()));
        Room { places: waiting_per_person, free }
    }

    /// Until anybody starts of those who wait.
    fn next_start(&self) -> Duration {
        let spot = Spot { position: 1, of_tenant: 1 };
        let first = self.queue.in_order().take(CANDIDATES);
        let first = first.map(|ticket| self.until(&ticket.path, spot, 1)).min();
        first.unwrap_or_else(|| self.pace.until(1, self.ran(|_| true)))
    }

    /// Until a job starts with so many starts before it, itself included: of everybody, of its
    /// tenant, of its person. A tenant or person with all their places taken waits for one of
    /// these.
    fn until(&self, path: &Path, spot: Spot, of_person: usize) -> Duration {
        let tenant = self.queue.tenant(path);
        let runs = tenant.map_or(0, |tenant| tenant.running);
        // Who runs already does not get the last place while it is kept for somebody.
        let is_full = self.running.len() >= self.at_once;
        let kept = usize::from(runs > 0 && is_full && self.will_keep_last(path));
        let of_all = self.pace.until(spot.position + kept, self.ran(|_| true));

        let most = self.limits().get(path.class).copied().unwrap_or(self.at_once);
        let waiting = tenant.map_or(0, |tenant| tenant.waiting);
        let of_tenant = (runs >= most).then(|| {
            let starts = spot.of_tenant.min(waiting) + runs - most;
            self.pace.until(starts, self.ran(|other| other.tenant == path.tenant))
        });

        let person = tenant.and_then(|tenant| tenant.person(path));
        let runs = person.map_or(0, |person| person.running);
        let of_person = (runs >= self.policy.places.running_per_person).then(|| {
            let is_same = |other: &Path| other.tenant == path.tenant && other.person == path.person;
            self.pace.until(of_person, self.ran(is_same))
        });
        of_all.max(of_tenant.unwrap_or_default()).max(of_person.unwrap_or_default())
    }

    /// Whether the next place that is free will be kept for somebody who is about without work:
    /// now, or once their last job has ended.
    fn will_keep_last(&self, path: &Path) -> bool {
        let has_no_more = |other: &Path| {
            other.tenant != path.tenant
                && self.queue.tenant(other).is_some_and(|tenant| tenant.waiting == 0)
        };
        self.is_last_kept() || self.running.values().any(|running| has_no_more(&running.path))
    }

    /// For how long those have run who are meant.
    fn ran(&self, meant: impl Fn(&Path) -> bool) -> impl Iterator<Item = Duration> {
        let now = self.clock.now();
        let running = self.running.values().filter(move |running| meant(&running.path));
        running.map(move |running| now.saturating_sub(running.since))
    }
}
