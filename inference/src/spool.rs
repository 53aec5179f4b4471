//! Usage on its way: appended to a file before an answer is acknowledged, delivered at least once.
//!
//! One folder (0700, held by one process at a time) with segments `usage-NUMBER`, each a bounded
//! file of lines: a CRC-32 in eight hexadecimal digits, a space, the [`Event`] as JSON. A line
//! that was half written at a crash is cut off at the next start; one that is damaged is moved to
//! the file `quarantine`, and what follows it is read on. Each start begins a new segment, and a
//! segment is deleted when all of it was delivered.
//!
//! [`Durability`] says when a record counts as written. An answer takes its [`Room`] before it
//! begins, in space that is allocated on the disk already: when there is none, the question is
//! refused, so that the usage of an answer is never lost for want of space.

mod delivery;
mod disk;
mod flusher;
mod folder;
mod frame;
mod log;
mod reader;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use delivery::{SinkError, UsageSink, deliver, drain};
pub use folder::{Found, Position};
pub use log::Room;
pub use usage::{Event, Outcome};

pub(crate) use folder::replace;

use disk::{Disk, Real};
use log::Log;
use reader::Batch;

/// Where usage is kept, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A folder of its own; made when needed.
    pub folder: PathBuf,
    /// When a record counts as written.
    pub durability: Durability,
    /// How often the disk is told to keep what was written, under [`Durability::Process`].
    pub flush_every: Duration,
    /// Bytes of one segment.
    pub segment_bytes: u64,
    /// Bytes of all segments; at least two of them.
    pub total_bytes: u64,
}

/// When a record counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When the operating system has it: it survives the death of the process in any form. A
    /// power cut or a crash of the machine may lose what came in the last
    /// [`Settings::flush_every`].
    Process,
    /// When the disk has it. Everybody who waits at the same time shares one `fdatasync`.
    Disk,
}

impl Settings {
    /// In this folder: survives the process, flushed every 100 ms, at most 256 MiB, which is
    /// about 600,000 answers that nobody took delivery of.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            durability: Durability::Process,
            flush_every: Duration::from_millis(100),
            segment_bytes: 8 << 20,
            total_bytes: 256 << 20,
        }
    }
}

/// Why usage cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process has the folder.
    #[error("the usage folder {0} is in use by another process")]
    InUse(PathBuf),
    /// The folder cannot be used.
    #[error("cannot use the usage folder {folder}: {cause}", folder = folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// So much usage waits for delivery that there is no room for more.
    #[error("the usage records fill all the space they may take; they wait for delivery")]
    Full,
    /// The disk refuses; what it refused is tried again.
    #[error("the disk does not take usage records: {0}")]
    Disk(String),
    /// A name in it is longer than any we give out.
    #[error("the usage record is longer than {} bytes", frame::LONGEST)]
    TooLong,
}

/// A folder that is ours and not read yet, so that what else is kept in it can be read first.
#[derive(Debug)]
pub struct Locked {
    settings: Settings,
    lock: File,
}

/// The spool of one process. Clones are the same one; the last to go flushes it.
#[derive(Clone, Debug)]
pub struct Spool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    log: Arc<Log>,
    durability: Durability,
    flusher: Mutex<Option<JoinHandle<()>>>,
    /// Locked as long as this is open.
    _lock: File,
}

impl Spool {
    /// Takes the folder and tells what was found in it.
    pub fn open(settings: Settings) -> Result<(Self, Found), SpoolError> {
        Self::lock(settings)?.open(None)
    }

    /// Takes the folder, to be opened later.
    pub fn lock(settings: Settings) -> Result<Locked, SpoolError> {
        let folder = &settings.folder;
        match folder::lock(folder) {
            Ok(Some(lock)) => Ok(Locked { settings, lock }),
            Ok(None) => Err(SpoolError::InUse(folder.clone())),
            Err(cause) => Err(SpoolError::Folder { folder: folder.clone(), cause }),
        }
    }

    /// Room for one record, to be taken before the answer begins.
    pub fn room(&self) -> Result<Room, SpoolError> {
        Log::room(&self.shared.log)
    }

    /// Records what an answer used. Once this returns, the record survives as [`Durability`]
    /// says. If the disk refuses, the record is tried again later, and new room is refused until
    /// that succeeded.
    pub async fn append(&self, event: &Event, room: Room) -> Result<(), SpoolError> {
        let frame = frame::encode(event).ok_or(SpoolError::TooLong)?;
        let log = &self.shared.log;
        let mark = log.append(frame)?;
        // What the record takes is not room any more.
        drop(room);
        match self.shared.durability {
            Durability::Process => Ok(()),
            Durability::Disk => log.synced(mark).await,
        }
    }

    /// Bytes that wait for delivery.
    pub fn waiting_bytes(&self) -> u64 {
        self.shared.log.waiting_bytes()
    }

    fn next_batch(&self) -> io::Result<Batch> {
        reader::next_batch(&self.shared.log)
    }

    fn delivered(&self, batch: &Batch) -> io::Result<()> {
        self.shared.log.delivered(batch.upto)
    }
}

impl Locked {
    /// Opens the spool and tells what was found in it. `delivered` is how far whoever takes usage
    /// in has it; without that it is what the folder remembers.
    pub fn open(self, delivered: Option<Position>) -> Result<(Spool, Found), SpoolError> {
        self.open_on(delivered, Box::new(Real))
    }

    fn open_on(
        self,
        delivered: Option<Position>,
        disk: Box<dyn Disk>,
    ) -> Result<(Spool, Found), SpoolError> {
        let Self { settings, lock } = self;
        let folder = settings.folder.clone();
        let failed = |cause| SpoolError::Folder { folder: folder.clone(), cause };
        let (present, found) = folder::look(&folder, delivered).map_err(failed)?;
        let durability = settings.durability;
        let log = Arc::new(Log::begin(settings, disk, present).map_err(failed)?);
        let for_flusher = Arc::clone(&log);
        let flusher = thread::Builder::new()
            .name("usage-spool".to_owned())
            .spawn(move || flusher::run(&for_flusher))
            .map_err(failed)?;
        let flusher = Mutex::new(Some(flusher));
        Ok((Spool { shared: Arc::new(Shared { log, durability, flusher, _lock: lock }) }, found))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.log.stop();
        let flusher = self.flusher.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if flusher.is_some_and(|flusher| flusher.join().is_err()) {
            tracing::error!("the thread that flushes usage records has failed");
        }
    }
}
