//! Everything at once: watches, and workers while this process is in charge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube::Client;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::domains::Whose;
use crate::queue::Queue;
use crate::reconcile::Driver;
use crate::seen::watch::watch;
use crate::seen::{Listed, Seen};
use crate::vitals::Vitals;

/// Every platform is looked at for good measure once in this time.
const RESYNC: Duration = Duration::from_hours(1);

/// After this time all else is listed too, whatever becomes of blueprints.
const ALONE: Duration = Duration::from_secs(5);

/// What is watched, and whose turn it is.
pub struct Fleet {
    seen: Arc<Seen>,
    queue: Arc<Queue>,
    /// All there is was looked at since it was known.
    begun: AtomicBool,
    vitals: Vitals,
    blueprints_known: CancellationToken,
}

impl Fleet {
    /// Of which nothing is known yet.
    pub fn new(seen: Arc<Seen>) -> Arc<Self> {
        let begun = AtomicBool::new(false);
        Arc::new(Self {
            seen,
            queue: Arc::default(),
            begun,
            vitals: Vitals::default(),
            blueprints_known: CancellationToken::new(),
        })
    }

    /// Whose turn it is.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// What is known.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// How the turns go.
    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// Something changed. Before all is known, only platforms have a turn that nothing was done
    /// for yet: of the others it is not known what is there.
    pub fn changed(&self, name: &str) {
        let is_new = || {
            self.seen.look(name, |tenant| {
                let blueprint = tenant.and_then(|it| it.resource.as_ref()?.blueprint.as_ref().ok());
                blueprint.is_some_and(|blueprint| blueprint.status.is_none())
            })
        };
        if self.seen.is_known() || is_new() {
            self.queue.push(name);
        }
    }

    /// Something changed of which no watch tells.
    pub fn look_again(&self, driver: &Driver, whose: Whose<'_>) {
        match whose {
            Whose::Of(name) => {
                driver.memory.forget(name);
                self.changed(name);
            }
            Whose::All => {
                driver.memory.forget_all();
                self.look_at_all();
            }
        }
    }

    /// All there is of a sort was heard of.
    pub fn listed(&self) {
        if self.seen.are_blueprints_known() {
            self.blueprints_known.cancel();
        }
        if self.seen.is_known() && !self.begun.swap(true, Ordering::Relaxed) {
            tracing::info!(platforms = self.seen.names().len(), "all there is was listed");
            self.look_at_all();
        }
    }

    /// Every platform has a turn when nobody else is in need of one.
    fn look_at_all(&self) {
        for name in self.seen.names() {
            self.queue.push_calm(&name);
        }
    }

    /// Watches everything until told to stop.
    pub async fn watch(self: Arc<Self>, client: Client, stop: CancellationToken) {
        let mut watches = JoinSet::new();
        for (place, sort) in Listed::all().into_iter().enumerate() {
            if place == 1 {
                self.until_blueprints_are_known(&stop).await;
            }
            let changed = {
                let fleet = self.clone();
                move |name: &str| fleet.changed(name)
            };
            let listed = {
                let fleet = self.clone();
                move |_| fleet.listed()
            };
            let (client, seen) = (client.clone(), self.seen.clone());
            watches.spawn(watch(client, seen, sort, changed, listed, stop.clone()));
        }
        watches.join_all().await;
    }

    /// All else is listed after them: new platforms have their turns as soon as blueprints are
    /// known, and everything at once takes longer for each.
    async fn until_blueprints_are_known(&self, stop: &CancellationToken) {
        let known = tokio::time::timeout(ALONE, self.blueprints_known.cancelled());
        let _ = stop.run_until_cancelled(known).await;
    }

    /// Gives every platform its turns, `workers` at once, until told to stop; turns under way come
    /// to their end.
    pub async fn work(&self, driver: Arc<Driver>, workers: usize, stop: CancellationToken) {
        let _in_charge = self.vitals.in_charge();
        let mut running = JoinSet::new();
        for _ in 0..workers {
            let (queue, driver, stop) = (self.queue.clone(), driver.clone(), stop.clone());
            let vitals = self.vitals.clone();
            running.spawn(async move {
                while let Some(name) = stop.run_until_cancelled(queue.next()).await {
                    let ended = vitals.turn(driver.turn(&name)).await;
                    queue.ended(&name, ended);
                }
            });
        }
        let mut resync = tokio::time::interval(RESYNC);
        resync.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(resync.tick()).await.is_some() {
            if self.seen.is_known() {
                driver.memory.forget_all();
                self.look_at_all();
                self.vitals.looked_at_all(driver.clock.now());
            }
        }
        running.join_all().await;
    }
}
