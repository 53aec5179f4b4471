//! Numbers for whoever watches the process, in the text format of `OpenMetrics`. None is about one
//! platform.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use blueprint::status::Phase;
use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::cluster::Answers;
use crate::queue::Ended;
use crate::run::Fleet;
use crate::seen::Tenant;

#[derive(Debug)]
pub(super) struct Numbers {
    registry: Registry,
    turns: Family<ByOutcome, Counter>,
    seconds: Histogram,
    queue: Family<ByPlace, Gauge>,
    answers: Answers,
    platforms: Family<ByPhase, Gauge>,
    watches: Counter,
    in_charge: Gauge,
    looked_at_all: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPlace {
    place: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPhase {
    phase: &'static str,
}

impl Default for Numbers {
    fn default() -> Self {
        let mut numbers = Self {
            registry: Registry::with_prefix("operator"),
            turns: Family::default(),
            // From one that has nothing to do to one that is cut off.
            seconds: Histogram::new([0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0]),
            queue: Family::default(),
            answers: Family::default(),
            platforms: Family::default(),
            watches: Counter::default(),
            in_charge: Gauge::default(),
            looked_at_all: Gauge::default(),
        };
        numbers.register();
        numbers
    }
}

impl Numbers {
    fn register(&mut self) {
        let Self { registry: all, .. } = self;
        all.register("turns", "Turns that have ended", self.turns.clone());
        let help = "From a turn's begin to its end";
        all.register_with_unit("turn", help, Unit::Seconds, self.seconds.clone());
        all.register("queue", "Platforms that wait for a turn", self.queue.clone());
        all.register("writes", "Writes to the API server", self.answers.clone());
        all.register("platforms", "Platforms, by how they are", self.platforms.clone());
        all.register("watches_broken", "Watches that were broken off", self.watches.clone());
        all.register("in_charge", "1 where this process is in charge", self.in_charge.clone());
        let help = "When all platforms were put into the queue last, since 1970";
        let when = self.looked_at_all.clone();
        all.register_with_unit("looked_at_all", help, Unit::Seconds, when);
    }

    pub(super) fn turn(&self, ended: Ended, time: Duration) {
        let outcome = match ended {
            Ended::Still { wrote: true, .. } => "wrote",
            Ended::Still { wrote: false, .. } => "still",
            Ended::Failed { .. } => "failed",
        };
        self.turns.get_or_create(&ByOutcome { outcome }).inc();
        self.seconds.observe(time.as_secs_f64());
    }

    pub(super) fn looked_at_all(&self, now: Timestamp) {
        self.looked_at_all.set(now.as_second());
    }

    pub(super) fn answers(&self) -> Answers {
        self.answers.clone()
    }

    pub(super) fn render(&self, fleet: &Fleet, is_in_charge: bool) -> String {
        let (now, later) = fleet.queue().waiting();
        for (place, count) in [("now", now), ("later", later)] {
            self.queue.get_or_create(&ByPlace { place }).set(gauge(count));
        }
        let mut platforms: BTreeMap<_, _> = PHASES.map(|phase| (phase, 0)).into();
        fleet.seen().look_at_all(|_, tenant| {
            *platforms.entry(phase_of(tenant)).or_default() += 1;
        });
        for (phase, count) in platforms {
            self.platforms.get_or_create(&ByPhase { phase }).set(gauge(count));
        }
        self.watches.inner().store(fleet.seen().watches_broken(), Ordering::Relaxed);
        self.in_charge.set(i64::from(is_in_charge));
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

/// Without a blueprint: only remains are there.
const KEPT: &str = "kept";
/// Nothing was said of it yet.
const NEW: &str = "new";

const PHASES: [&str; 10] = [
    KEPT,
    NEW,
    "pending",
    "provisioning",
    "ready",
    "sleeping",
    "upgrading",
    "degraded",
    "suspended",
    "deleting",
];

fn phase_of(tenant: &Tenant) -> &'static str {
    let Some(resource) = &tenant.resource else { return KEPT };
    let status = resource.blueprint.as_ref().ok().and_then(|it| it.status.as_ref());
    match status.and_then(|status| status.phase) {
        None => NEW,
        Some(Phase::Pending) => "pending",
        Some(Phase::Provisioning) => "provisioning",
        Some(Phase::Ready) => "ready",
        Some(Phase::Sleeping) => "sleeping",
        Some(Phase::Upgrading) => "upgrading",
        Some(Phase::Degraded) => "degraded",
        Some(Phase::Suspended) => "suspended",
        Some(Phase::Deleting) => "deleting",
    }
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
