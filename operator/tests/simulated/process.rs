//! One operator's process: what it knows, its watches and its workers. It can be killed anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use operator::lease::Epoch;
use operator::reconcile::{Driver, Memory};
use operator::run::Fleet;
use operator::seen::{Listed, Seen};
use plan::Installation;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use work::Clock;
use work::sealed::RootKey;

use crate::ports::Ports;
use crate::world::{Shared, World};

/// One operator's process.
pub(crate) struct Process {
    pub(crate) alive: Arc<AtomicBool>,
    pub(crate) driver: Arc<Driver>,
    pub(crate) seen: Arc<Seen>,
    fleet: Arc<Fleet>,
    clock: Clock,
    streams: Vec<Stream>,
    stop: CancellationToken,
    work: JoinHandle<()>,
}

/// One watch.
struct Stream {
    sort: Listed,
    at: Place,
    /// So many times it brings nothing.
    stalled: u64,
}

#[derive(Clone, Copy)]
enum Place {
    /// All is to be listed.
    Unlisted,
    /// All is being listed, as of a version.
    Listing(u64),
    /// So many news of the log were heard.
    Live(usize),
}

/// How much of the news arrives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrives {
    Some,
    All,
}

impl Process {
    /// Starts one that knows nothing.
    pub(crate) fn start(world: &Shared, installation: &Installation) -> Self {
        let (epoch, now, writes_at_once) = {
            let mut inner = world.lock().unwrap();
            inner.operators += 1;
            let epoch = inner.operators;
            inner.note(|| format!("operator {epoch} starts"));
            let writes_at_once = 1 + inner.chance.index(6);
            (epoch, inner.now(), writes_at_once)
        };
        let (seen, alive) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(true)));
        let ports = Arc::new(Ports {
            world: world.clone(),
            seen: seen.clone(),
            alive: alive.clone(),
            epoch,
            paused: std::sync::Mutex::new(BTreeMap::new()),
        });
        let clock = Clock::fixed(now);
        let driver = Arc::new(Driver {
            cluster: ports.clone(),
            databases: ports.clone(),
            domains: Some(ports.clone()),
            seen: seen.clone(),
            installation: installation.clone(),
            key: Arc::new(RootKey::from_bytes([7; 32])),
            clock: clock.clone(),
            writes_at_once,
            memory: Memory::default(),
        });
        let fleet = Fleet::new(seen.clone());
        let stop = CancellationToken::new();
        let work = tokio::spawn({
            let (fleet, driver, stop) = (fleet.clone(), driver.clone(), stop.clone());
            async move {
                let epoch = Epoch::try_from(epoch).unwrap();
                driver.databases.take_charge(epoch).await;
                if let Some(domains) = &driver.domains {
                    domains.take_charge(epoch).await;
                }
                fleet.work(driver, 2, stop).await;
            }
        });
        let stream = |sort| Stream { sort, at: Place::Unlisted, stalled: 0 };
        let streams = Listed::all().into_iter().map(stream).collect();
        Self { alive, driver, seen, fleet, clock, streams, stop, work }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// It begins no more turns.
    pub(crate) fn give_way(&self) {
        self.stop.cancel();
    }

    /// Its clock shows this.
    pub(crate) fn set_clock(&self, to: Timestamp) {
        self.clock.advance(to.duration_since(self.clock.now()));
    }

    /// One of the watches loses its connection, lags, or begins at an earlier place again.
    pub(crate) fn disturb(&mut self, world: &mut World) {
        let at = world.chance.index(self.streams.len());
        let what = world.chance.below(3);
        let many = world.chance.between(1, 12);
        let stream = &mut self.streams[at];
        world.note(|| format!("the watch of {:?} is disturbed: {what}, {many}", stream.sort));
        match (what, stream.at) {
            (0, Place::Live(_)) => stream.at = Place::Unlisted,
            (1, Place::Live(heard)) => {
                let back = usize::try_from(many).unwrap();
                stream.at = Place::Live(heard.saturating_sub(back));
            }
            _ => stream.stalled = many,
        }
    }

    /// What happened is heard of.
    pub(crate) fn hear(&mut self, world: &mut World, arrives: Arrives) {
        for sort in 0..self.streams.len() {
            self.hear_of(sort, world, arrives);
        }
    }

    fn hear_of(&mut self, sort: usize, world: &mut World, arrives: Arrives) {
        let all = arrives == Arrives::All;
        let stream = &mut self.streams[sort];
        if all {
            stream.stalled = 0;
        }
        if stream.stalled > 0 {
            stream.stalled -= 1;
            return;
        }
        loop {
            match stream.at {
                Place::Unlisted => {
                    let is_stale = !all && world.chance.one_in(4);
                    let ago = if is_stale { world.chance.below(40) } else { 0 };
                    stream.at = Place::Listing(world.version.saturating_sub(ago));
                    self.seen.listing_begins(stream.sort);
                }
                Place::Listing(version) => {
                    for news in world.listing(sort, version) {
                        let tenant: Box<str> = news.tenant().into();
                        if self.seen.hear(news) {
                            self.fleet.changed(&tenant);
                        }
                    }
                    for tenant in self.seen.listing_ends(stream.sort) {
                        self.fleet.changed(&tenant);
                    }
                    self.fleet.listed();
                    let heard = world.log(sort).partition_point(|(at, _)| *at <= version);
                    stream.at = Place::Live(heard);
                }
                Place::Live(heard) => {
                    let left = world.log(sort).len() - heard;
                    if left == 0 {
                        return;
                    }
                    let most = if all { left } else { world.chance.index(left + 1) };
                    for (_, news) in &world.log(sort)[heard..heard + most] {
                        if self.seen.hear(news.clone()) {
                            self.fleet.changed(news.tenant());
                        }
                    }
                    stream.at = Place::Live(heard + most);
                    return;
                }
            }
            if !all && world.chance.one_in(3) {
                return;
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.alive.store(false, Ordering::Relaxed);
        self.work.abort();
    }
}
