//! Hands records on to whoever counts them, at least once, in order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Event, Position, Spool};

/// Records that come close after each other go in one batch.
const LINGER: Duration = Duration::from_millis(200);
/// Where taking in a batch takes long, so many times longer than that, but not much longer than
/// somebody who looks at the sums would wait.
const REST: u32 = 16;
const LONGEST_LINGER: Duration = Duration::from_secs(5);
/// After a failure, doubled until it works again.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long one batch may take, and the last delivery before the end.
const PATIENCE: Duration = Duration::from_secs(30);
const LAST: Duration = Duration::from_secs(2);

/// Takes usage in.
#[async_trait]
pub trait UsageSink: Send + Sync {
    /// Takes in a batch, oldest first: all of it, durably, or an error. After an error, or when
    /// the answer was lost, the same records come again, maybe with further ones behind them;
    /// each [`Event::id`] counts once.
    ///
    /// `upto` is where the batch ends. A sink that keeps it together with what it took in may give
    /// it to [`Locked::open`](super::Locked::open) at the next start, so that what was taken in
    /// does not come again.
    ///
    /// Dropped when it takes too long; what it began beside must then end by itself before the
    /// next batch is taken in.
    async fn deliver(&self, batch: &[Event], upto: Position) -> Result<(), SinkError>;
}

/// Why a batch was not taken in; for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("usage could not be delivered: {0}")]
pub struct SinkError(pub String);

/// Delivers everything that is there now, without another try. How many records that were.
pub async fn drain(spool: &Spool, sink: &dyn UsageSink) -> Result<usize, SinkError> {
    let mut count = 0;
    loop {
        let batch = step(spool, sink).await?;
        count += batch.0;
        if batch.1 {
            return Ok(count);
        }
    }
}

/// Delivers whatever comes until `stop`, and what is left then if the sink takes it at once.
pub async fn deliver(spool: Spool, sink: Arc<dyn UsageSink>, stop: CancellationToken) {
    let patience = async {
        stop.cancelled().await;
        sleep(LAST).await;
    };
    tokio::select! {
        () = go_on(&spool, sink.as_ref(), &stop) => {}
        () = patience => {}
    }
    let bytes = spool.waiting_bytes();
    if bytes > 0 {
        tracing::info!(bytes, "usage waits for delivery until the next start");
    }
}

/// Only waits end at `stop`: a step that is under way goes on in threads that nobody can end, and
/// the next one must not begin beside it.
async fn go_on(spool: &Spool, sink: &dyn UsageSink, stop: &CancellationToken) {
    let mut pause = PAUSE;
    while !stop.is_cancelled() {
        let began = Instant::now();
        match step(spool, sink).await {
            Ok((_, false)) => pause = PAUSE,
            Ok((_, true)) => {
                pause = PAUSE;
                let linger = (began.elapsed() * REST).clamp(LINGER, LONGEST_LINGER);
                let more = async {
                    spool.shared.log.news.notified().await;
                    sleep(linger).await;
                };
                stop.run_until_cancelled(more).await;
            }
            Err(error) => {
                if pause == PAUSE {
                    tracing::warn!(%error, "usage waits for delivery");
                }
                stop.run_until_cancelled(sleep(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    if let Err(error) = drain(spool, sink).await {
        tracing::warn!(%error, "the last usage was not delivered");
    }
}

/// One batch: how many records it had, and whether that was all.
async fn step(spool: &Spool, sink: &dyn UsageSink) -> Result<(usize, bool), SinkError> {
    let batch = on_disk(spool, Spool::next_batch).await?;
    if !batch.events.is_empty() {
        let taken = timeout(PATIENCE, sink.deliver(&batch.events, batch.upto)).await;
        taken.unwrap_or_else(|_| Err(SinkError("it took too long".to_owned())))?;
    }
    let (count, is_all) = (batch.events.len(), batch.is_all);
    on_disk(spool, move |spool| spool.delivered(&batch)).await?;
    Ok((count, is_all))
}

async fn on_disk<T: Send + 'static>(
    spool: &Spool,
    work: impl FnOnce(&Spool) -> io::Result<T> + Send + 'static,
) -> Result<T, SinkError> {
    let spool = spool.clone();
    let done = spawn_blocking(move || work(&spool)).await;
    let done = done.map_err(|error| SinkError(error.to_string()))?;
    done.map_err(|error| SinkError(format!("the spool cannot be read: {error}")))
}
