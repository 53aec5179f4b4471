//! Being told to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::unexpected;
use crate::failure::Result;

/// The signals that ask for an orderly end, heard from the moment this is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> Result<Self> {
        let begin = |kind| {
            signal(kind).map_err(|error| unexpected(&format!("listen for signals: {error}")))
        };
        Ok(Self {
            interrupt: begin(SignalKind::interrupt())?,
            terminate: begin(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
