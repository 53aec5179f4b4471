//! A disk that fills up, writes half, or does not keep what it took.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

#[derive(Debug, Clone, Default)]
struct Bad {
    is_full: Arc<AtomicBool>,
    loses: Arc<AtomicBool>,
    syncs: Arc<AtomicUsize>,
}

impl Disk for Bad {
    fn create(&self, path: &Path, bytes: u64) -> io::Result<File> {
        Real.create(path, bytes)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.is_full.load(Ordering::Relaxed) {
            Real.write(file, &bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Real.write(file, bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        if self.loses.load(Ordering::Relaxed) {
            return Err(io::Error::other("it lost what it had"));
        }
        Real.sync(file)
    }
}

fn open_on(settings: Settings, disk: &Bad) -> (Spool, Found) {
    Spool::lock(settings).unwrap().open_on(None, Box::new(disk.clone())).unwrap()
}

async fn until_room(spool: &Spool) {
    drop(wait_for_room(spool).await);
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_acknowledged_and_nothing_begins_until_it_takes_records_again() {
    let (place, disk) = (Place::new(), Bad::default());
    let (spool, _) = open_on(place.settings(), &disk);
    append(&spool, 0..3).await;
    let rooms = [spool.room().unwrap(), spool.room().unwrap()];
    disk.is_full.store(true, Ordering::Relaxed);
    for (number, room) in (3..).zip(rooms) {
        let refused = spool.append(&event(number), room).await.unwrap_err();
        assert!(matches!(refused, SpoolError::Disk(_)), "{refused}");
    }
    assert!(matches!(spool.room(), Err(SpoolError::Disk(_))));
    assert_eq!(drain(&spool, &Sink::default()).await, Ok(3), "what is half written is not told");
    disk.is_full.store(false, Ordering::Relaxed);
    until_room(&spool).await;
    append(&spool, 5..6).await;
    // What the disk refused was tried again.
    let sink = Sink::default();
    assert_eq!(drain(&spool, &sink).await, Ok(3));
    assert_eq!(sink.requests(), numbers(3..6));
}

#[tokio::test]
async fn what_was_half_written_at_a_crash_is_cut_off() {
    let (place, disk) = (Place::new(), Bad::default());
    let (spool, _) = open_on(place.settings(), &disk);
    append(&spool, 0..3).await;
    let room = spool.room().unwrap();
    disk.is_full.store(true, Ordering::Relaxed);
    spool.append(&event(3), room).await.unwrap_err();
    drop(spool);
    let (spool, found) = place.open();
    assert!(found.cut_bytes > 0, "{found:?}");
    assert_eq!(drain(&spool, &Sink::default()).await, Ok(3));
}

#[tokio::test]
async fn a_disk_that_does_not_keep_records_acknowledges_none() {
    let (place, disk) = (Place::new(), Bad::default());
    let settings = Settings { durability: Durability::Disk, ..place.settings() };
    let (spool, _) = open_on(settings, &disk);
    append(&spool, 0..3).await;
    let room = wait_for_room(&spool).await;
    disk.loses.store(true, Ordering::Relaxed);
    spool.append(&event(3), room).await.unwrap_err();
    assert!(matches!(spool.room(), Err(SpoolError::Disk(_))));
    disk.loses.store(false, Ordering::Relaxed);
    until_room(&spool).await;
    append(&spool, 4..5).await;
    assert_eq!(drain(&spool, &Sink::default()).await, Ok(5));
}

#[tokio::test]
async fn many_who_wait_share_one_sync() {
    let (place, disk) = (Place::new(), Bad::default());
    let settings = Settings {
        durability: Durability::Disk,
        segment_bytes: 8 << 20,
        total_bytes: 32 << 20,
        ..place.settings()
    };
    let (spool, _) = open_on(settings, &disk);
    let all = (0..1_000).map(|number| {
        let spool = spool.clone();
        async move { append(&spool, number..number + 1).await }
    });
    futures::future::join_all(all).await;
    let syncs = disk.syncs.load(Ordering::Relaxed);
    println!("1000 records waited for {syncs} syncs");
    assert!(syncs < 200, "{syncs}");
}
