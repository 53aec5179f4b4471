//! How a platform that may sleep stands, as far as one edge knows: what it was told is older than
//! what it sees itself, until it is told something new.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::uri::Authority;
use tokio::sync::watch;

use super::{NotAwake, Told, Woke};

/// So long after it woke, a copy is asked where it is: the address that leads to all of them
/// leads there a little later.
const DIRECT: Duration = Duration::from_secs(10);
/// So long after its last answer what this edge saw counts more than what it is told.
const SEEN: Duration = Duration::from_mins(1);
/// After a failure nobody tries for so long.
const RESTS: Duration = Duration::from_secs(5);

/// How a platform that may sleep stands. Clones are the same one's.
#[derive(Clone, Debug, Default)]
pub struct Bed(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    /// As the edge is told.
    #[default]
    AsTold,
    /// Copies are on their way.
    Wakes(Told),
    /// One was ready then, and answered last then.
    Awake { since: Instant, answered: Instant, pod: Option<Authority> },
    /// Nobody answers where it should be.
    Away,
    /// It could not be woken.
    Failed { at: Instant, why: NotAwake },
}

/// Which way leads to a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is where it should be.
    Open,
    /// A copy is there.
    Pod(Authority),
    /// It is to be woken first.
    Sleeps,
}

/// What becomes of one who wants it awake.
pub(super) enum Joined {
    /// There is nothing to wait for.
    Ended(Woke),
    /// Somebody sees to it.
    Waits(Told),
    /// Nobody does: whoever is told so is to.
    Begins(watch::Sender<Option<Woke>>, Told),
}

impl Bed {
    /// Which way leads there, where the edge is told that it is asleep or not.
    pub(crate) fn way(&self, asleep: bool) -> Way {
        let mut state = self.state();
        if let State::Awake { since, answered, pod } = &*state {
            match pod {
                Some(pod) if since.elapsed() < DIRECT => return Way::Pod(pod.clone()),
                _ if answered.elapsed() < SEEN => return Way::Open,
                _ => *state = State::AsTold,
            }
        }
        match &*state {
            State::AsTold if !asleep => Way::Open,
            _ => Way::Sleeps,
        }
    }

    /// It is told that it fell asleep. Where it has been woken since, that is found out when it is
    /// woken again, and costs a question.
    pub(crate) fn fell_asleep(&self) {
        let mut state = self.state();
        if let State::Awake { .. } = &*state {
            *state = State::AsTold;
        }
    }

    /// It has answered.
    pub(crate) fn answered(&self) {
        if let State::Awake { answered, .. } = &mut *self.state() {
            *answered = Instant::now();
        }
    }

    /// Nobody takes a connection there.
    pub(crate) fn missed(&self, at: &Authority) {
        let mut state = self.state();
        match &mut *state {
            State::Awake { pod, .. } if pod.as_ref() == Some(at) => *pod = None,
            State::Awake { .. } | State::AsTold => *state = State::Away,
            State::Wakes(_) | State::Away | State::Failed { .. } => {}
        }
    }

    /// One who wants it awake; it is asked whether they may begin to wake it.
    pub(super) fn join(&self, may: impl FnOnce() -> Result<(), NotAwake>) -> Joined {
        let mut state = self.state();
        match &*state {
            State::Wakes(told) => return Joined::Waits(told.clone()),
            State::Awake { since, pod, .. } if since.elapsed() < DIRECT => {
                return Joined::Ended(Ok(pod.clone()));
            }
            State::Failed { at, why } if at.elapsed() < RESTS => return Joined::Ended(Err(*why)),
            State::AsTold | State::Awake { .. } | State::Away | State::Failed { .. } => {}
        }
        if let Err(why) = may() {
            return Joined::Ended(Err(why));
        }
        let (tell, told) = watch::channel(None);
        *state = State::Wakes(told.clone());
        Joined::Begins(tell, told)
    }

    /// So it ended.
    pub(super) fn ended(&self, woke: Woke) {
        let now = Instant::now();
        *self.state() = match woke {
            Ok(pod) => State::Awake { since: now, answered: now, pod },
            Err(why) => State::Failed { at: now, why },
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(bed: &Bed) -> bool {
        matches!(bed.join(|| Ok(())), Joined::Begins(..))
    }

    #[test]
    fn the_first_visitor_wakes_it_and_the_others_wait() {
        let bed = Bed::default();
        assert_eq!((bed.way(false), bed.way(true)), (Way::Open, Way::Sleeps));
        assert!(begins(&bed));
        assert!(matches!(bed.join(|| Err(NotAwake::TooMany)), Joined::Waits(_)));
        let pod: Authority = "10.0.0.1:8080".parse().unwrap();
        bed.ended(Ok(Some(pod.clone())));
        assert_eq!(bed.way(true), Way::Pod(pod.clone()), "what is told is older");
        bed.missed(&pod);
        assert_eq!(bed.way(true), Way::Open);
        bed.missed(&"runtime.tenant-acme.svc:80".parse().unwrap());
        assert_eq!(bed.way(false), Way::Sleeps, "what is told is older");
        assert!(begins(&bed));
    }

    #[test]
    fn who_is_told_to_have_fallen_asleep_is_not_asked_where_it_was() {
        let bed = Bed::default();
        assert!(begins(&bed));
        bed.fell_asleep();
        assert!(matches!(bed.join(|| Ok(())), Joined::Waits(_)), "it is on its way");
        bed.ended(Ok(None));
        assert_eq!(bed.way(true), Way::Open);
        bed.fell_asleep();
        assert_eq!(bed.way(true), Way::Sleeps);
    }

    #[test]
    fn who_could_not_be_woken_is_left_alone_for_a_while_and_who_may_not_wake_changes_nothing() {
        let bed = Bed::default();
        assert!(matches!(
            bed.join(|| Err(NotAwake::TooMany)),
            Joined::Ended(Err(NotAwake::TooMany))
        ));
        assert!(begins(&bed));
        bed.ended(Err(NotAwake::NotStarted));
        assert_eq!(bed.way(false), Way::Sleeps);
        assert!(matches!(bed.join(|| Ok(())), Joined::Ended(Err(NotAwake::NotStarted))));
    }
}
