//! Child processes are killed at random moments: one that records usage and delivers it, and one
//! that has a whole till.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use inference::prices::{Micros, Tokens};
use inference::spool::{
    Event, Outcome, Position, Settings, SinkError, Spool, UsageSink, deliver, drain,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What was seen after all kills.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// Records whose writing was acknowledged before a kill.
    pub acknowledged: usize,
    /// Of these, such that the sink never got.
    pub lost: usize,
    /// Of these, such that came under more than one id.
    pub doubled: usize,
    /// Deliveries of an id that the sink had already.
    pub again: usize,
}

/// At least so long does a child live: it has to start.
const SHORTEST: Duration = Duration::from_millis(30);
const LONGEST: u64 = 300;
/// Answers that end at the same time, each with a record that a kill may leave unacknowledged.
pub const WRITERS: usize = 4;

/// Starts children that record usage in one folder, one after the other, and kills each.
pub fn many_times(kills: usize, seed: u64, child: impl Fn(&Path) -> Command) -> Told {
    let place = tempfile::tempdir().unwrap();
    let acknowledged = kill_children(place.path(), kills, seed, child);
    judge(place.path(), &acknowledged)
}

/// Kills each child after a while; gives what they said was acknowledged.
pub fn kill_children(
    place: &Path,
    kills: usize,
    seed: u64,
    child: impl Fn(&Path) -> Command,
) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    let mut chance = seed;
    for _ in 0..kills {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let moment = SHORTEST + Duration::from_millis((chance >> 33) % LONGEST);
        let mut child = child(place).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || {
            let said = lines.map_while(Result::ok);
            said.filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned))
                .collect::<Vec<_>>()
        });
        std::thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(reader.join().unwrap());
    }
    acknowledged
}

fn judge(place: &Path, acknowledged: &BTreeSet<String>) -> Told {
    let (spool, _) = Spool::open(settings(place)).unwrap();
    let sink = Taken(place.join("taken"));
    runtime().block_on(drain(&spool, &sink)).unwrap();
    let taken = fs::read_to_string(&sink.0).unwrap_or_default();
    let (mut ids, mut again) = (BTreeMap::<&str, BTreeSet<&str>>::new(), 0);
    // A line that was half written when the sink was killed is of a batch that came again.
    for line in taken.lines() {
        let mut words = line.split(' ');
        if let (Some(request), Some(id), Some("end")) = (words.next(), words.next(), words.next()) {
            again += usize::from(!ids.entry(request).or_default().insert(id));
        }
    }
    let count = |wrong: fn(Option<&BTreeSet<&str>>) -> bool| {
        acknowledged.iter().filter(|request| wrong(ids.get(request.as_str()))).count()
    };
    Told {
        acknowledged: acknowledged.len(),
        lost: count(|ids| ids.is_none()),
        doubled: count(|ids| ids.is_some_and(|ids| ids.len() > 1)),
        again,
    }
}

/// What a child does: says `acknowledged REQUEST` for each record once it is written.
pub fn append_until_killed(place: &Path) {
    let (spool, _) = Spool::open(settings(place)).unwrap();
    let sink = Arc::new(Taken(place.join("taken")));
    let began = Instant::now();
    runtime().block_on(async {
        tokio::spawn(deliver(spool.clone(), sink, CancellationToken::new()));
        let writers = (0..WRITERS).map(|_| tokio::spawn(append(spool.clone(), began)));
        futures::future::join_all(writers).await;
    });
}

async fn append(spool: Spool, began: Instant) {
    // Nobody killed it: an end of its own.
    while began.elapsed() < Duration::from_secs(20) {
        let Ok(room) = spool.room() else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let event = event();
        spool.append(&event, room).await.unwrap();
        println!("acknowledged {}", event.request);
        tokio::task::yield_now().await;
    }
}

/// Appends to a file, as it comes: `REQUEST ID end`.
struct Taken(PathBuf);

#[async_trait]
impl UsageSink for Taken {
    async fn deliver(&self, batch: &[Event], _: Position) -> Result<(), SinkError> {
        let lines: Vec<_> =
            batch.iter().map(|event| format!("\n{} {} end\n", event.request, event.id)).collect();
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
        file.write_all(lines.concat().as_bytes()).unwrap();
        Ok(())
    }
}

/// Small segments, so that many begin and end.
fn settings(place: &Path) -> Settings {
    let settings = Settings::new(place.join("usage"));
    Settings { segment_bytes: 64 << 10, total_bytes: 64 << 20, ..settings }
}

fn event() -> Event {
    let at = "2026-03-09T10:00:00Z".parse().unwrap();
    Event {
        id: Uuid::now_v7(),
        tenant: "acme".to_owned(),
        user: "ann".to_owned(),
        agent: "tutor".to_owned(),
        model: "small".to_owned(),
        request: Uuid::now_v7().to_string(),
        tokens: Tokens::at_most(7, 5),
        cost: Micros::new(12),
        currency: "USD".parse().unwrap(),
        holding: None,
        outcome: Outcome::Finished,
        started_at: at,
        ended_at: at,
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
