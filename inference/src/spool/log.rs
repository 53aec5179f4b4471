//! The segments being written: who may append, what is on its way to the disk, what was delivered.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::disk::Disk;
use super::folder::{Position, Present, segment, write_position};
use super::frame::LONGEST;
use super::{Settings, SpoolError};

#[derive(Debug)]
pub(super) struct Log {
    pub(super) settings: Settings,
    pub(super) disk: Box<dyn Disk>,
    pub(super) state: Mutex<State>,
    /// Wakes the flusher.
    pub(super) work: Condvar,
    /// Wakes who delivers.
    pub(super) news: Notify,
    pub(super) synced: watch::Sender<Synced>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) current: Segment,
    /// Made ahead, as making one takes longer than an answer should wait.
    pub(super) spare: Option<Segment>,
    /// Bytes of each segment that is not delivered, the current one included.
    pub(super) lengths: BTreeMap<u64, u64>,
    pub(super) delivered: Position,
    /// Files with bytes that the disk may not have.
    pub(super) unsynced: BTreeMap<u64, Arc<File>>,
    /// Records that the disk refused.
    pub(super) unwritten: Vec<Vec<u8>>,
    /// Why it refuses, as long as it does.
    pub(super) trouble: Option<String>,
    /// How many records were written.
    pub(super) written: u64,
    /// How many may still come.
    rooms: u64,
    pub(super) next_number: u64,
    pub(super) stopping: bool,
}

#[derive(Debug)]
pub(super) struct Segment {
    number: u64,
    file: Arc<File>,
    length: u64,
}

/// How many records the disk has, and up to which one it failed to keep them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Synced {
    pub(super) upto: u64,
    pub(super) failed: u64,
}

/// Room for one record. Dropping it gives it back.
#[derive(Debug)]
pub struct Room {
    log: Arc<Log>,
}

impl Log {
    /// Begins a new segment after those that are present.
    pub(super) fn begin(
        settings: Settings,
        disk: Box<dyn Disk>,
        present: Present,
    ) -> io::Result<Self> {
        let Present { mut lengths, delivered } = present;
        let last = lengths.last_key_value().map_or(0, |(number, _)| *number);
        let number = last.max(delivered.segment) + 1;
        let current = make(disk.as_ref(), &settings, number)?;
        lengths.insert(number, 0);
        let state = State {
            current,
            spare: None,
            lengths,
            delivered,
            unsynced: BTreeMap::new(),
            unwritten: Vec::new(),
            trouble: None,
            written: 0,
            rooms: 0,
            next_number: number + 1,
            stopping: false,
        };
        Ok(Self {
            settings,
            disk,
            state: Mutex::new(state),
            work: Condvar::new(),
            news: Notify::new(),
            synced: watch::Sender::default(),
        })
    }

    pub(super) fn room(log: &Arc<Self>) -> Result<Room, SpoolError> {
        let mut state = log.lock();
        if let Some(trouble) = &state.trouble {
            return Err(SpoolError::Disk(trouble.clone()));
        }
        let longest = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        // The end of a segment may be too short for the last record that would begin there.
        let usable = |length: u64| log.settings.segment_bytes.saturating_sub(length + longest);
        let spare = state.spare.as_ref().map_or(0, |_| usable(0));
        let ahead = usable(state.current.length) + spare;
        if (state.rooms + 1).saturating_mul(longest) > ahead {
            log.work.notify_one();
            return Err(SpoolError::Full);
        }
        state.rooms += 1;
        drop(state);
        Ok(Room { log: Arc::clone(log) })
    }

    /// Writes a record; gives its number.
    pub(super) fn append(&self, frame: Vec<u8>) -> Result<u64, SpoolError> {
        let mut state = self.lock();
        let is_first = state.unsynced.is_empty();
        let written = state.write(self, &frame);
        if let Err(error) = &written {
            tracing::error!(%error, "a usage record could not be written; it is tried again");
            state.trouble = Some(error.to_string());
            state.unwritten.push(frame);
        }
        let mark = state.written;
        drop(state);
        // Otherwise the flusher knows already.
        if is_first || written.is_err() {
            self.work.notify_one();
        }
        written.map_err(|error| SpoolError::Disk(error.to_string()))?;
        self.news.notify_one();
        Ok(mark)
    }

    /// Waits until the disk has the record of this number.
    pub(super) async fn synced(&self, mark: u64) -> Result<(), SpoolError> {
        let mut synced = self.synced.subscribe();
        let known = synced.wait_for(|synced| synced.upto >= mark || synced.failed >= mark).await;
        match known {
            Ok(synced) if synced.upto >= mark => Ok(()),
            _ => Err(SpoolError::Disk("it did not confirm what was written".to_owned())),
        }
    }

    /// Everything before `upto` was delivered: remembers that, and removes whole segments.
    pub(super) fn delivered(&self, mut upto: Position) -> io::Result<()> {
        let state = self.lock();
        if upto <= state.delivered {
            return Ok(());
        }
        let is_over = state.lengths.get(&upto.segment).is_some_and(|length| *length <= upto.offset);
        if is_over && upto.segment != state.current_number() {
            upto = Position { segment: upto.segment + 1, offset: 0 };
        }
        drop(state);
        write_position(&self.settings.folder, upto)?;
        let mut state = self.lock();
        state.delivered = upto;
        let rest = state.lengths.split_off(&upto.segment);
        let done = std::mem::replace(&mut state.lengths, rest);
        drop(state);
        for number in done.keys() {
            fs::remove_file(segment(&self.settings.folder, *number))?;
        }
        // There may be room for a spare now.
        self.work.notify_one();
        Ok(())
    }

    pub(super) fn waiting_bytes(&self) -> u64 {
        let state = self.lock();
        let Position { segment, offset } = state.delivered;
        let done = if state.lengths.contains_key(&segment) { offset } else { 0 };
        state.lengths.values().sum::<u64>().saturating_sub(done)
    }

    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.work.notify_one();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; if something did, what was written is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a segment in the folder.
pub(super) fn make(disk: &dyn Disk, settings: &Settings, number: u64) -> io::Result<Segment> {
    let path = segment(&settings.folder, number);
    let file = Arc::new(disk.create(&path, settings.segment_bytes)?);
    Ok(Segment { number, file, length: 0 })
}

impl State {
    /// Writes a record at the end. What a failed write left behind is written over by the next.
    pub(super) fn write(&mut self, log: &Log, frame: &[u8]) -> io::Result<()> {
        let bytes = u64::try_from(frame.len()).unwrap_or(u64::MAX);
        if self.current.length + bytes > log.settings.segment_bytes {
            self.roll().ok_or(io::ErrorKind::StorageFull)?;
        }
        let Segment { number, file, length } = &mut self.current;
        log.disk.write(file, frame, *length)?;
        *length += bytes;
        self.lengths.insert(*number, *length);
        self.unsynced.entry(*number).or_insert_with(|| Arc::clone(file));
        self.written += 1;
        Ok(())
    }

    /// Goes on in the spare segment; `None` if there is none.
    pub(super) fn roll(&mut self) -> Option<()> {
        self.current = self.spare.take()?;
        self.lengths.insert(self.current.number, 0);
        Some(())
    }

    /// Whether another segment should be made.
    pub(super) fn wants_spare(&self, settings: &Settings) -> bool {
        let most = (settings.total_bytes / settings.segment_bytes.max(1)).max(2);
        let count = u64::try_from(self.lengths.len()).unwrap_or(u64::MAX);
        self.spare.is_none() && count < most
    }

    pub(super) fn current_number(&self) -> u64 {
        self.current.number
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut state = self.log.lock();
        state.rooms = state.rooms.saturating_sub(1);
    }
}
