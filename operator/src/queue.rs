//! Whose turn it is: each platform once, those that changed before those that are looked at for
//! good measure, later and later where it fails, and slowly where somebody undoes what we do.

mod pace;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use pace::Pace;

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All is as it should be.
    Still {
        /// Something was written.
        wrote: bool,
        /// To be looked at again after this time, at the latest.
        again: Option<Duration>,
    },
    /// It is to be tried again.
    Failed {
        /// Not before this time.
        after: Option<Duration>,
    },
}

/// Every platform so many turns apart is looked at for good measure, after one that changed.
const CALM_SHARE: u32 = 4;

/// Whose turn it is.
#[derive(Debug, Default)]
pub struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// Those that changed, and those that are looked at for good measure.
    urgent: VecDeque<Box<str>>,
    calm: VecDeque<Box<str>>,
    /// Urgent ones in a row.
    in_a_row: u32,
    later: BTreeSet<(Instant, Box<str>)>,
    known: HashMap<Box<str>, Known>,
}

#[derive(Debug, Default)]
struct Known {
    place: Place,
    pace: Pace,
    /// It changed while it had its turn.
    changed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Nowhere,
    Urgent,
    Calm,
    Later(Instant),
    Running,
}

impl Queue {
    /// A platform changed.
    pub fn push(&self, name: &str) {
        let now = Instant::now();
        let mut inner = self.lock();
        let known = inner.known.entry(name.into()).or_default();
        if known.place == Place::Running {
            known.changed = true;
            return;
        }
        let at = known.pace.not_before(now);
        inner.place(name, at, now);
        drop(inner);
        self.changed.notify_one();
    }

    /// A platform is to be looked at for good measure, when nobody else is in need.
    pub fn push_calm(&self, name: &str) {
        let mut inner = self.lock();
        let known = inner.known.entry(name.into()).or_default();
        if known.place == Place::Nowhere {
            known.place = Place::Calm;
            inner.calm.push_back(name.into());
            drop(inner);
            self.changed.notify_one();
        }
    }

    /// Whose turn it is next; nobody else has the same meanwhile, until [`Queue::ended`].
    pub async fn next(&self) -> Box<str> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let next = self.lock().take(Instant::now());
            match next {
                Next::Now(name, more) => {
                    if more {
                        // Somebody else may wait for the same word.
                        self.changed.notify_one();
                    }
                    return name;
                }
                Next::At(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = changed => {}
                    }
                }
                Next::Nobody => changed.await,
            }
        }
    }

    /// A turn ended.
    pub fn ended(&self, name: &str, ended: Ended) {
        let now = Instant::now();
        let mut inner = self.lock();
        let Some(known) = inner.known.get_mut(name) else { return };
        known.place = Place::Nowhere;
        let changed = std::mem::take(&mut known.changed);
        let again = match ended {
            Ended::Still { wrote, again } => {
                known.pace.went_well(wrote, now);
                let again = again.map(|after| now + after);
                if changed { Some(known.pace.not_before(now)) } else { again }
            }
            Ended::Failed { after } => {
                let again = known.pace.failed(name, after, now);
                Some(if changed { known.pace.not_before(now).min(again) } else { again })
            }
        };
        let at_rest = known.pace.is_at_rest(now);
        match again {
            Some(at) => inner.place(name, at, now),
            None if at_rest => {
                inner.known.remove(name);
            }
            None => {}
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// How many wait for their turn now, and how many for a later time.
    pub fn waiting(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.urgent.len() + inner.calm.len(), inner.later.len())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Next {
    Now(Box<str>, bool),
    At(Instant),
    Nobody,
}

impl Inner {
    /// Puts a platform where it belongs; never later than it is already.
    fn place(&mut self, name: &str, at: Instant, now: Instant) {
        let Some(known) = self.known.get_mut(name) else { return };
        match known.place {
            Place::Running | Place::Urgent => return,
            Place::Later(before) if before <= at && before > now => return,
            Place::Later(before) => {
                self.later.remove(&(before, name.into()));
            }
            Place::Calm if at > now => return,
            Place::Calm => self.calm.retain(|waiting| **waiting != *name),
            Place::Nowhere => {}
        }
        if at <= now {
            known.place = Place::Urgent;
            self.urgent.push_back(name.into());
        } else {
            known.place = Place::Later(at);
            self.later.insert((at, name.into()));
        }
    }

    fn take(&mut self, now: Instant) -> Next {
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, name)) = self.later.pop_first() else { break };
            if let Some(known) = self.known.get_mut(&name) {
                known.place = Place::Urgent;
            }
            self.urgent.push_back(name);
        }
        let calm_first = self.in_a_row >= CALM_SHARE && !self.calm.is_empty();
        let name = if calm_first { None } else { self.urgent.pop_front() };
        self.in_a_row = if name.is_some() { self.in_a_row.saturating_add(1) } else { 0 };
        let name = name.or_else(|| self.calm.pop_front());
        match (name, self.later.first()) {
            (Some(name), _) => {
                if let Some(known) = self.known.get_mut(&name) {
                    known.place = Place::Running;
                }
                Next::Now(name, !self.urgent.is_empty() || !self.calm.is_empty())
            }
            (None, Some((at, _))) => Next::At(*at),
            (None, None) => Next::Nobody,
        }
    }
}

#[cfg(test)]
mod tests;
