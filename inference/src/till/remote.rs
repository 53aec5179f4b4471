//! A till of a fleet: money comes from a control plane, and usage goes there.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Keeper, OpenError, Till};
use crate::budget::{Ledger, Local, Remote};
use crate::prices::Prices;
use crate::server::Now;
use crate::spool::{Event, Position, Settings, SinkError, Spool, UsageSink};

impl Till {
    /// Opens what is in `folder`, or begins there: money is leased from the control plane, and usage
    /// told to it. What was not delivered before goes first; nobody waits for that, since the control
    /// plane keeps for each holding what was not told of it. Must be called from within a runtime.
    pub fn open_remote(
        folder: &Path,
        remote: Remote,
        prices: Prices,
        now: Now,
    ) -> Result<(Self, Keeper), OpenError> {
        let locked = Spool::lock(Settings::new(folder))?;
        let path = folder.join("book");
        let here = Local::open(&path, Arc::clone(&now));
        let here = here.map_err(|cause| OpenError::Book { path, cause })?;
        // How far both have it: the book alone may be ahead.
        let (spool, _) = locked.open(None)?;
        let there = Arc::new(remote);
        let ledger = Ledger::new(there.clone(), Arc::clone(&now));
        for (tenant, user, tokens) in here.used_today() {
            ledger.restore(&tenant, &user, tokens);
        }
        let keeper = Keeper::of(&ledger, &spool, Arc::new(Both { here, there }));
        Ok((Self::new(prices, ledger, spool, now), keeper))
    }
}

/// The book of this machine, for what people used today, and the control plane.
struct Both {
    here: Local,
    there: Arc<Remote>,
}

#[async_trait]
impl UsageSink for Both {
    async fn deliver(&self, batch: &[Event], upto: Position) -> Result<(), SinkError> {
        // Each of them counts a record once, so what only one of them took in may come again.
        self.here.deliver(batch, upto).await?;
        self.there.deliver(batch, upto).await
    }
}
