mod faults;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

use async_trait::async_trait;
use blueprint::Currency;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::prices::{Micros, Tokens};

/// A folder that may be opened again and again, with segments of a few records.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("usage")
    }

    fn settings(&self) -> Settings {
        Settings { segment_bytes: 16 << 10, total_bytes: 64 << 10, ..Settings::new(self.folder()) }
    }

    fn open(&self) -> (Spool, Found) {
        Spool::open(self.settings()).unwrap()
    }

    /// The segments that hold something, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path());
        let holds = |path: &PathBuf| {
            path.display().to_string().contains("usage-") && path.metadata().unwrap().len() > 0
        };
        files.filter(holds).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Takes in what is new, and refuses as often as it is told to.
#[derive(Default)]
struct Sink {
    taken: Mutex<Vec<Event>>,
    refuses: Mutex<usize>,
    batches: Mutex<usize>,
}

#[async_trait]
impl UsageSink for Sink {
    async fn deliver(&self, batch: &[Event], _: Position) -> Result<(), SinkError> {
        *self.batches.lock().unwrap() += 1;
        let mut taken = self.taken.lock().unwrap();
        let known: BTreeSet<Uuid> = taken.iter().map(|event| event.id).collect();
        taken.extend(batch.iter().filter(|event| !known.contains(&event.id)).cloned());
        let mut refuses = self.refuses.lock().unwrap();
        if *refuses > 0 {
            *refuses -= 1;
            return Err(SinkError("the answer was lost".to_owned()));
        }
        Ok(())
    }
}

impl Sink {
    fn requests(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|event| event.request.clone()).collect()
    }
}

fn event(number: usize) -> Event {
    Event {
        id: Uuid::now_v7(),
        tenant: "acme".to_owned(),
        user: "ann".to_owned(),
        agent: "tutor".to_owned(),
        model: "small".to_owned(),
        request: number.to_string(),
        tokens: Tokens { prompt: 7, cached: 2, completion: 5 },
        cost: Micros::new(12),
        currency: Currency::USD,
        holding: Some(Uuid::from_u128(9)),
        outcome: Outcome::Finished,
        started_at: "2026-03-09T10:00:00Z".parse().unwrap(),
        ended_at: "2026-03-09T10:00:01Z".parse().unwrap(),
    }
}

async fn append(spool: &Spool, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let room = wait_for_room(spool).await;
        spool.append(&event(number), room).await.unwrap();
    }
}

/// A segment is made ahead by another thread, which may be slower than this one.
async fn wait_for_room(spool: &Spool) -> Room {
    for _ in 0..10_000 {
        match spool.room() {
            Ok(room) => return room,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    panic!("no room");
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn what_was_appended_is_delivered_once_and_its_files_go() {
    let place = Place::new();
    let (spool, found) = place.open();
    assert_eq!(found, Found::default());
    append(&spool, 0..100).await;
    let sink = Sink::default();
    assert_eq!(drain(&spool, &sink).await, Ok(100));
    assert_eq!(drain(&spool, &sink).await, Ok(0));
    assert_eq!(sink.requests(), numbers(0..100));
    assert_eq!(
        sink.taken.lock().unwrap()[3].tokens,
        Tokens { prompt: 7, cached: 2, completion: 5 }
    );
    assert_eq!(spool.waiting_bytes(), 0);
    drop(spool);
    let (spool, found) = place.open();
    assert_eq!(found, Found::default());
    assert!(place.segments().is_empty());
    append(&spool, 100..101).await;
    assert_eq!(drain(&spool, &sink).await, Ok(1));
}

#[tokio::test]
async fn what_was_not_taken_comes_again_also_after_a_restart() {
    let place = Place::new();
    let (spool, _) = place.open();
    append(&spool, 0..10).await;
    let sink = Sink { refuses: Mutex::new(2), ..Sink::default() };
    drain(&spool, &sink).await.unwrap_err();
    append(&spool, 10..20).await;
    drop(spool);
    let (spool, found) = place.open();
    assert!(found.waiting_bytes > 0 && found.cut_bytes == 0, "{found:?}");
    append(&spool, 20..30).await;
    drain(&spool, &sink).await.unwrap_err();
    assert_eq!(drain(&spool, &sink).await, Ok(30));
    assert_eq!(sink.requests(), numbers(0..30));
}

#[tokio::test]
async fn a_position_that_cannot_be_read_delivers_again_what_is_there() {
    let place = Place::new();
    let (spool, _) = place.open();
    append(&spool, 0..3).await;
    let sink = Sink::default();
    drain(&spool, &sink).await.unwrap();
    append(&spool, 3..5).await;
    drop(spool);
    fs::write(place.folder().join("delivered"), "{").unwrap();
    let (spool, _) = place.open();
    assert_eq!(drain(&spool, &sink).await, Ok(5));
    assert_eq!(sink.requests(), numbers(0..5));
}

#[tokio::test]
async fn wherever_a_file_is_torn_all_records_before_are_there() {
    let place = Place::new();
    let (spool, _) = place.open();
    append(&spool, 0..2).await;
    drop(spool);
    let [segment] = place.segments().try_into().unwrap();
    let whole = fs::read(&segment).unwrap();
    for cut in (0..whole.len()).step_by(3).chain(whole.len() - 3..whole.len()) {
        fs::write(&segment, &whole[..cut]).unwrap();
        let lines = whole[..cut].split(|byte| *byte == b'\n').count() - 1;
        let (spool, found) = place.open();
        let sink = Sink::default();
        assert_eq!(reader::next_batch(&spool.shared.log).unwrap().events.len(), lines, "{cut}");
        let kept = whole[..cut].iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        assert_eq!(found.cut_bytes, (cut - kept) as u64);
        drop((spool, sink));
    }
}

#[tokio::test]
async fn a_damaged_record_is_put_aside_and_those_around_it_are_delivered() {
    let place = Place::new();
    let (spool, _) = place.open();
    append(&spool, 0..3).await;
    drop(spool);
    let [segment] = place.segments().try_into().unwrap();
    let whole = fs::read(&segment).unwrap();
    let ends: Vec<_> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    for at in (ends[0]..ends[1]).step_by(3).chain([ends[1]]) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x15;
        fs::write(&segment, &damaged).unwrap();
        let (spool, _) = place.open();
        let batch = reader::next_batch(&spool.shared.log).unwrap();
        let read: Vec<_> = batch.events.iter().map(|event| event.request.as_str()).collect();
        // The end of a line says nothing that is not known without it.
        let is_lost = |number: &&str| *number == "1" && !ends.contains(&at);
        let kept: Vec<_> = ["0", "1", "2"].into_iter().filter(|number| !is_lost(number)).collect();
        assert_eq!(read, kept, "damaged at {at}");
        drop(spool);
    }
    assert!(place.folder().join("quarantine").metadata().unwrap().len() > 0);
}

#[tokio::test]
async fn only_we_can_read_it_and_only_one_process_has_it() {
    let place = Place::new();
    fs::create_dir(place.folder()).unwrap();
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let (spool, _) = place.open();
    append(&spool, 0..1).await;
    drain(&spool, &Sink::default()).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.folder()), 0o700);
    for entry in fs::read_dir(place.folder()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let other = Spool::open(place.settings()).unwrap_err();
    assert!(matches!(other, SpoolError::InUse(_)), "{other}");
    drop(spool);
    place.open();
}

#[tokio::test]
async fn a_full_spool_refuses_before_an_answer_begins_and_loses_none_that_has() {
    let place = Place::new();
    let (spool, _) = place.open();
    let mut rooms = vec![wait_for_room(&spool).await];
    let mut count = 0;
    // Rooms are kept while others are used, until no answer may begin any more.
    let mut refusals = 0;
    while refusals < 100 {
        match spool.room() {
            Ok(room) if rooms.len() < 3 => rooms.push(room),
            Ok(room) => {
                spool.append(&event(count), room).await.unwrap();
                count += 1;
                refusals = 0;
            }
            Err(SpoolError::Full) => {
                refusals += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Err(other) => panic!("{other}"),
        }
    }
    for room in rooms {
        spool.append(&event(count), room).await.unwrap();
        count += 1;
    }
    assert!(spool.waiting_bytes() <= 64 << 10, "{}", spool.waiting_bytes());
    let sink = Sink::default();
    assert_eq!(drain(&spool, &sink).await, Ok(count));
    append(&spool, count..count + 1).await;
}

#[tokio::test]
async fn records_are_delivered_as_they_come_and_the_last_ones_at_the_end() {
    let place = Place::new();
    let (spool, _) = place.open();
    let (sink, stop) = (Arc::new(Sink::default()), tokio_util::sync::CancellationToken::new());
    let delivery = tokio::spawn(deliver(spool.clone(), sink.clone(), stop.clone()));
    append(&spool, 0..5).await;
    for _ in 0..1_000 {
        if sink.requests().len() == 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(sink.requests(), numbers(0..5));
    append(&spool, 5..9).await;
    stop.cancel();
    delivery.await.unwrap();
    assert_eq!(sink.requests(), numbers(0..9));
}

/// Works where no dropped future stops it, as writing a file does, and waits a moment for another
/// one to come beside.
#[derive(Default)]
struct Slow {
    under_way: Arc<(Mutex<Busy>, Condvar)>,
    begun: tokio::sync::Notify,
}

#[derive(Default)]
struct Busy {
    now: usize,
    most: usize,
    ended: usize,
}

#[async_trait]
impl UsageSink for Slow {
    async fn deliver(&self, _: &[Event], _: Position) -> Result<(), SinkError> {
        let under_way = Arc::clone(&self.under_way);
        self.begun.notify_one();
        let work = tokio::task::spawn_blocking(move || {
            let (busy, came) = &*under_way;
            let mut busy = busy.lock().unwrap();
            busy.now += 1;
            busy.most = busy.most.max(busy.now);
            came.notify_all();
            let moment = Duration::from_millis(300);
            let mut busy = came.wait_timeout_while(busy, moment, |busy| busy.now < 2).unwrap().0;
            busy.now -= 1;
            busy.ended += 1;
        });
        work.await.map_err(|error| SinkError(error.to_string()))
    }
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_delivery_lets_it_end_before_the_last_one() {
    let place = Place::new();
    let (spool, _) = place.open();
    append(&spool, 0..5).await;
    let (sink, stop) = (Arc::new(Slow::default()), tokio_util::sync::CancellationToken::new());
    let delivery = tokio::spawn(deliver(spool.clone(), sink.clone(), stop.clone()));
    sink.begun.notified().await;
    stop.cancel();
    delivery.await.unwrap();
    let busy = sink.under_way.0.lock().unwrap();
    assert_eq!((busy.most, busy.ended), (1, 1), "at the same time, and in all");
    assert_eq!(spool.waiting_bytes(), 0);
}

/// Takes half a second for whatever comes.
#[derive(Default)]
struct Thorough(Mutex<Vec<usize>>);

#[async_trait]
impl UsageSink for Thorough {
    async fn deliver(&self, batch: &[Event], _: Position) -> Result<(), SinkError> {
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.0.lock().unwrap().push(batch.len());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_takes_long_gets_fewer_and_larger_batches() {
    let place = Place::new();
    let (spool, _) = Spool::open(Settings::new(place.folder())).unwrap();
    let (sink, stop) = (Arc::new(Thorough::default()), tokio_util::sync::CancellationToken::new());
    let delivery = tokio::spawn(deliver(spool.clone(), sink.clone(), stop.clone()));
    for number in 0..600 {
        append(&spool, number..number + 1).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    delivery.await.unwrap();
    let batches = sink.0.lock().unwrap();
    assert_eq!(batches.iter().sum::<usize>(), 600);
    assert!(batches.len() <= 30, "in a minute {batches:?}");
}

#[test]
fn a_record_is_never_longer_than_its_room() {
    let name = "\"\\".repeat(64);
    let mut longest = event(0);
    for field in [
        &mut longest.tenant,
        &mut longest.user,
        &mut longest.agent,
        &mut longest.model,
        &mut longest.request,
    ] {
        field.clone_from(&name);
    }
    longest.tokens = Tokens { prompt: u64::MAX, cached: u64::MAX, completion: u64::MAX };
    longest.cost = Micros::MAX;
    longest.outcome = Outcome::Cancelled;
    longest.started_at = "2026-03-09T10:00:00.123456789Z".parse().unwrap();
    longest.ended_at = longest.started_at;
    let frame = frame::encode(&longest).unwrap();
    println!("the longest record has {} bytes", frame.len());
    assert_eq!(frame::decode(&frame[..frame.len() - 1]), Some(longest));
}
