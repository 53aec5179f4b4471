//! Wakes platforms that sleep: the first visitor has copies of it started, all who come meanwhile
//! wait, and all are handed on as soon as one copy is ready.

mod bed;
pub(crate) mod comments;
mod look;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Authority;
use certificates::served::{Platform, Sleeps};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use web::serve::as_one;

use crate::cluster::{Cluster, NotStarted};

pub use bed::Bed;
use bed::Joined;
pub(crate) use bed::Way;
use look::{until_any_ready, until_ready};

/// A visitor waits no longer.
const PATIENCE: Duration = Duration::from_secs(45);
/// So long it is seen to that a platform wakes, whoever waits.
const WAKES: Duration = Duration::from_mins(3);
/// So long the API server is asked to start it.
const STARTS: Duration = Duration::from_secs(10);
/// Between two such questions, at first; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Platforms that the API server is asked to start at once. Others wait, in the order of their first
/// visitors; who has been started has no place here any more, however long it takes to be ready.
const AT_ONCE: usize = 64;
/// Once a copy is ready, whoever is asked to start some is waited for so long.
const IS_READY: Duration = Duration::from_secs(1);
/// Copies of one platform that are looked at while it wakes.
const LOOKS_AT: usize = 16;
/// Platforms that one visitor wakes at once, and after which time one more.
const OF_ONE: NonZeroU32 = NonZeroU32::new(20).unwrap();
const ONE_MORE: Duration = Duration::from_secs(30);
/// Platforms that all visitors of one /48 wake at once, and after which time one more.
const OF_A_SITE: NonZeroU32 = NonZeroU32::new(60).unwrap();
const ONE_MORE_OF_A_SITE: Duration = Duration::from_secs(5);
/// Platforms that all visitors wake at once, and how many more in a second.
const OF_ALL: NonZeroU32 = NonZeroU32::new(200).unwrap();
const MORE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Visitors who woke something that are remembered.
const REMEMBERED: usize = 10_000;

/// Why a platform that sleeps is not there for a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAwake {
    /// It takes longer than a visitor waits.
    Slow,
    /// It cannot be started now.
    NotStarted,
    /// This visitor has woken very many.
    TooMany,
}

/// Where copies were ready; `None`: where they are met anyway.
type Woke = Result<Option<Authority>, NotAwake>;

/// Wakes platforms.
#[derive(Clone)]
pub struct Waking(Arc<Inner>);

struct Inner {
    /// `None`: this edge wakes nobody.
    cluster: Option<Arc<dyn Cluster>>,
    at_once: Semaphore,
    by_visitor: DefaultKeyedRateLimiter<IpAddr>,
    /// Of IPv6: whoever has a /48 has very many addresses.
    by_site: DefaultKeyedRateLimiter<Ipv6Addr>,
    by_all: DefaultDirectRateLimiter,
}

impl Waking {
    /// By this cluster; without one, nobody is woken.
    pub fn new(cluster: Option<Arc<dyn Cluster>>) -> Self {
        let quota = Quota::with_period(ONE_MORE).map(|quota| quota.allow_burst(OF_ONE));
        let quota = quota.unwrap_or_else(|| Quota::per_minute(OF_ONE));
        let of_site = Quota::with_period(ONE_MORE_OF_A_SITE).map(|it| it.allow_burst(OF_A_SITE));
        let of_site = of_site.unwrap_or_else(|| Quota::per_minute(OF_A_SITE));
        Self(Arc::new(Inner {
            cluster,
            at_once: Semaphore::new(AT_ONCE),
            by_visitor: DefaultKeyedRateLimiter::keyed(quota),
            by_site: DefaultKeyedRateLimiter::keyed(of_site),
            by_all: DefaultDirectRateLimiter::direct(Quota::per_second(MORE).allow_burst(OF_ALL)),
        }))
    }

    /// Where the platform is once it is awake.
    pub(crate) async fn wake(
        &self,
        bed: &Bed,
        platform: &Platform,
        sleeps: &Sleeps,
        visitor: IpAddr,
    ) -> Woke {
        let mut told = match bed.join(|| self.may_wake(visitor)) {
            Joined::Ended(woke) => return woke,
            Joined::Waits(told) => told,
            Joined::Begins(tell, told) => {
                let (all, bed) = (self.0.clone(), bed.clone());
                let (platform, sleeps) = (platform.clone(), sleeps.clone());
                // On its own: it goes on when the visitor who began it has left.
                tokio::spawn(async move {
                    let begun = Instant::now();
                    let bringing = async {
                        // Whoever has many addresses has all waked no faster than that.
                        all.by_all.until_ready().await;
                        // Never closed: there is no error.
                        let place = all.at_once.acquire().await.ok();
                        all.bring(&platform, &sleeps, place).await
                    };
                    let woke = timeout(WAKES, bringing).await;
                    let woke = woke.unwrap_or(Err(NotAwake::Slow));
                    let ms = begun.elapsed().as_millis();
                    tracing::info!(platform = platform.name, ms, ?woke, "woken");
                    bed.ended(woke.clone());
                    Self(all).forget();
                    tell.send_replace(Some(woke));
                });
                told
            }
        };
        let ended = timeout(PATIENCE, told.wait_for(Option::is_some)).await;
        match ended {
            Ok(Ok(woke)) => woke.clone().unwrap_or(Err(NotAwake::Slow)),
            // Too late, or whoever saw to it is no more.
            Ok(Err(_)) | Err(_) => Err(NotAwake::Slow),
        }
    }

    fn may_wake(&self, visitor: IpAddr) -> Result<(), NotAwake> {
        let visitor = as_one(visitor);
        self.0.by_visitor.check_key(&visitor).map_err(|_| NotAwake::TooMany)?;
        if let IpAddr::V6(address) = visitor {
            let [a, b, c, ..] = address.segments();
            let site = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0);
            self.0.by_site.check_key(&site).map_err(|_| NotAwake::TooMany)?;
        }
        Ok(())
    }

    /// Who woke something long ago is not remembered any more.
    fn forget(&self) {
        if self.0.by_visitor.len() > REMEMBERED {
            self.0.by_visitor.retain_recent();
            self.0.by_site.retain_recent();
        }
    }
}

impl Inner {
    async fn bring(
        &self,
        platform: &Platform,
        sleeps: &Sleeps,
        mut place: Option<SemaphorePermit<'_>>,
    ) -> Woke {
        let Some(cluster) = &self.cluster else { return Err(NotAwake::NotStarted) };
        let begun = Instant::now();
        let mut pods = cluster.pods(&sleeps.namespace);
        let mut starting = Box::pin(start(&**cluster, platform, sleeps));
        let (mut started, mut ready, mut latest) = (None, None, begun);
        let (mut known, mut looks) = (HashSet::new(), FuturesUnordered::new());
        if let Ok(anyway) = platform.backend.parse::<Authority>() {
            looks.push(until_any_ready(anyway).boxed());
        }
        loop {
            match (&started, &ready) {
                (None, _) | (Some(Ok(())), None) => {}
                // With nobody to start it, it is there all the same.
                (Some(_), Some(at)) => return Ok(is_elsewhere(at, platform)),
                (Some(Err(_)), None) => return Err(NotAwake::NotStarted),
            }
            tokio::select! {
                outcome = &mut starting, if started.is_none() => {
                    let ms = begun.elapsed().as_millis();
                    tracing::debug!(platform = platform.name, ms, "asked to be started");
                    started = Some(outcome);
                    drop(place.take());
                }
                () = sleep_until(latest), if ready.is_some() => started = Some(Ok(())),
                Some(at) = looks.next(), if ready.is_none() => {
                    ready = Some(at);
                    latest = Instant::now() + IS_READY;
                }
                Some(pod) = pods.next(), if ready.is_none() => {
                    if known.len() < LOOKS_AT && known.insert(pod.clone()) {
                        let ms = begun.elapsed().as_millis();
                        tracing::debug!(platform = platform.name, %pod, ms, "has a copy");
                        looks.push(until_ready(pod).boxed());
                    }
                }
            }
        }
    }
}

fn is_elsewhere(at: &Authority, platform: &Platform) -> Option<Authority> {
    (at.as_str() != platform.backend).then(|| at.clone())
}

/// Asks the API server until it has done it.
async fn start(
    cluster: &dyn Cluster,
    platform: &Platform,
    sleeps: &Sleeps,
) -> Result<(), NotStarted> {
    let mut last = None;
    let asking = async {
        let mut pause = FIRST_PAUSE;
        loop {
            match cluster.start(&sleeps.namespace, sleeps.copies).await {
                Ok(()) => return Ok(()),
                Err(missing @ NotStarted::Missing(_)) => return Err(missing),
                Err(error) => last = Some(error),
            }
            sleep(pause).await;
            pause *= 2;
        }
    };
    let started = timeout(STARTS, asking).await;
    let started = started.unwrap_or_else(|_| {
        let late = || NotStarted::Unavailable("no answer in time".to_owned());
        Err(last.unwrap_or_else(late))
    });
    if let Err(error) = &started {
        tracing::warn!(platform = platform.name, %error, "could not be started");
    }
    started
}

/// How the end of it is heard of.
type Told = watch::Receiver<Option<Woke>>;
