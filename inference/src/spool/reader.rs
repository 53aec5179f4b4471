//! Reads what is to be delivered next, around what is damaged.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::Event;
use super::folder::{Position, segment};
use super::frame::{decode, salvage};
use super::log::Log;

/// So many bytes are read at once; about 10,000 records. A sink that writes much for a batch,
/// however small, keeps up where many come.
const AT_ONCE: u64 = 4 << 20;
/// So many damaged bytes are kept for whoever looks into it.
const QUARANTINE: u64 = 1 << 20;

/// Some records, in order, and where the next ones begin.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    pub(super) upto: Position,
    pub(super) is_all: bool,
}

/// The records after what was delivered.
pub(super) fn next_batch(log: &Log) -> io::Result<Batch> {
    let (from, end, is_all) = {
        let state = log.lock();
        let Position { segment, offset } = state.delivered;
        let rest = state.lengths.range(segment..).find(|(number, length)| {
            let done = if **number == segment { offset } else { 0 };
            **length > done || **number == state.current_number()
        });
        let (number, length) =
            rest.map_or((segment, offset), |(number, length)| (*number, *length));
        let offset = if number == segment { offset } else { 0 };
        let is_last = number >= state.current_number();
        (Position { segment: number, offset }, length, is_last && length - offset <= AT_ONCE)
    };
    let mut batch = Batch { events: Vec::new(), upto: from, is_all };
    if end <= from.offset {
        return Ok(batch);
    }
    let file = File::open(segment(&log.settings.folder, from.segment))?;
    let count = usize::try_from((end - from.offset).min(AT_ONCE)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; count];
    file.read_exact_at(&mut bytes, from.offset)?;
    // Up to the last whole line; where there is none, all of it is damaged.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(count, |end| end + 1);
    bytes.truncate(whole);
    batch.upto.offset += u64::try_from(whole).unwrap_or(u64::MAX);
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for line in lines {
        if let Some(event) = decode(line) {
            batch.events.push(event);
            continue;
        }
        let (lost, events) = salvage(line);
        quarantine(&log.settings.folder, lost)?;
        batch.events.extend(events);
    }
    Ok(batch)
}

fn quarantine(folder: &Path, lost: &[u8]) -> io::Result<()> {
    let bytes = lost.len();
    tracing::error!(bytes, "a usage record is damaged; it is kept in the file `quarantine`");
    let path = folder.join("quarantine");
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    if file.metadata()?.len() < QUARANTINE {
        file.write_all(lost)?;
        file.write_all(b"\n")?;
    }
    Ok(())
}
