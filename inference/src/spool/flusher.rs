//! The thread behind the spool: makes segments ahead, tells the disk to keep what was written, and
//! tries again what it refused.

use std::mem;
use std::sync::PoisonError;
use std::time::Duration;

use super::Durability;
use super::log::{Log, State, make};

/// How long to leave a disk alone that refused.
const PAUSE: Duration = Duration::from_secs(1);

/// Works until [`Log::stop`], and then once more.
pub(super) fn run(log: &Log) {
    loop {
        let is_last = wait(log);
        let made = make_spare(log);
        let wrote = write_again(log);
        let synced = sync(log);
        if is_last {
            return;
        }
        if !(made && wrote && synced) {
            pause(log, PAUSE);
        }
    }
}

/// Waits for work; says whether this is the last round.
fn wait(log: &Log) -> bool {
    let idle = |state: &mut State| {
        let is_done = state.unsynced.is_empty() && state.unwritten.is_empty();
        !state.stopping && is_done && !state.wants_spare(&log.settings)
    };
    let waited = log.work.wait_while(log.lock(), idle);
    let state = waited.unwrap_or_else(PoisonError::into_inner);
    let stopping = state.stopping;
    // Nobody waits for the disk, so it is asked for many records at once.
    let may_gather = state.spare.is_some() && state.unwritten.is_empty();
    drop(state);
    if log.settings.durability == Durability::Process && may_gather {
        return pause(log, log.settings.flush_every);
    }
    stopping
}

/// Waits for so long or until it should stop; says whether it should.
fn pause(log: &Log, time: Duration) -> bool {
    let waited = log.work.wait_timeout_while(log.lock(), time, |state| !state.stopping);
    waited.map_or_else(|poisoned| poisoned.into_inner().0.stopping, |(state, _)| state.stopping)
}

fn make_spare(log: &Log) -> bool {
    let mut state = log.lock();
    if state.stopping || !state.wants_spare(&log.settings) {
        return true;
    }
    let number = state.next_number;
    state.next_number += 1;
    drop(state);
    match make(log.disk.as_ref(), &log.settings, number) {
        Ok(spare) => {
            log.lock().spare = Some(spare);
            true
        }
        Err(error) => {
            tracing::error!(%error, "no further file for usage records could be made");
            false
        }
    }
}

fn write_again(log: &Log) -> bool {
    let mut state = log.lock();
    if state.unwritten.is_empty() {
        return true;
    }
    let mut left = mem::take(&mut state.unwritten).into_iter();
    for frame in left.by_ref() {
        if let Err(error) = state.write(log, &frame) {
            state.trouble = Some(error.to_string());
            state.unwritten.push(frame);
            state.unwritten.extend(left);
            return false;
        }
    }
    state.trouble = None;
    drop(state);
    tracing::info!("the disk takes usage records again");
    log.news.notify_one();
    true
}

/// One sync for everybody who wrote until now.
fn sync(log: &Log) -> bool {
    let mut state = log.lock();
    let files = mem::take(&mut state.unsynced);
    let upto = state.written;
    drop(state);
    let failed = files.iter().find_map(|(number, file)| Some((number, log.disk.sync(file).err()?)));
    let Some((number, error)) = failed else {
        log.synced.send_if_modified(|synced| mem::replace(&mut synced.upto, upto) != upto);
        let mut state = log.lock();
        if state.unwritten.is_empty() {
            state.trouble = None;
        }
        return true;
    };
    tracing::error!(%error, "the disk did not keep usage records; a power cut may lose some");
    let mut state = log.lock();
    state.trouble = Some(error.to_string());
    // What the disk failed to keep may have a hole; nothing is written behind it.
    if state.current_number() == *number {
        let _ = state.roll();
    }
    state.unsynced.extend(files);
    drop(state);
    log.synced.send_modify(|synced| synced.failed = upto);
    false
}
