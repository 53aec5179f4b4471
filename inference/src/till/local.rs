//! A till on a machine without a control plane: everything in one folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Till;
use crate::budget::{Ledger, Local};
use crate::prices::Prices;
use crate::server::Now;
use crate::spool::{Settings, SinkError, Spool, SpoolError, UsageSink, deliver, drain};

/// What runs beside a till: leases are renewed, usage is delivered. Dropping it ends that; what
/// was not delivered then is at the next start.
#[derive(Debug)]
pub struct Keeper {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Why there is no till.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder of records.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The book of what was used.
    #[error("cannot use the book of usage {path}", path = path.display())]
    Book {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// What was recorded before could not be counted, so nobody knows what may be spent.
    #[error("usage of earlier answers could not be counted")]
    Earlier(#[from] SinkError),
}

impl Till {
    /// Opens what is in `folder`, or begins there: budgets are set at the [`Local`], and what was
    /// used before counts from the first answer on. Must be called from within a runtime.
    pub async fn open_local(
        folder: &Path,
        prices: Prices,
        now: Now,
    ) -> Result<(Self, Local, Keeper), OpenError> {
        // Locked first: while another process has the folder, its book changes.
        let locked = Spool::lock(Settings::new(folder))?;
        let path = folder.join("book");
        let local = Local::open(&path, Arc::clone(&now));
        let local = local.map_err(|cause| OpenError::Book { path, cause })?;
        let (spool, _) = locked.open(local.delivered())?;
        drain(&spool, &local).await?;
        let ledger = Ledger::new(Arc::new(local.clone()), Arc::clone(&now));
        for (tenant, user, tokens) in local.used_today() {
            ledger.restore(&tenant, &user, tokens);
        }
        let keeper = Keeper::of(&ledger, &spool, Arc::new(local.clone()));
        Ok((Self::new(prices, ledger, spool, now), local, keeper))
    }
}

impl Keeper {
    /// Begins to keep these, and to deliver to `sink`.
    pub(super) fn of(ledger: &Ledger, spool: &Spool, sink: Arc<dyn UsageSink>) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(ledger.clone().keep(stop.clone()));
        tasks.spawn(deliver(spool.clone(), sink, stop.clone()));
        Self { stop, tasks }
    }

    /// Delivers what there is and gives leases back; takes a few seconds at most.
    pub async fn close(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
