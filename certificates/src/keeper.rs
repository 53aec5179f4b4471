//! Keeps names and certificates as they should be: looks at what is due, and orders what is missing.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use work::Clock;
use work::sealed::RootKey;

use crate::claims::{self, Changed, Claim, Tenant, Zones};
use crate::dns::Dns;
use crate::orders::{self, Issuer};

/// Looks at the DNS that are under way at once.
const LOOKS_AT_ONCE: usize = 32;
/// Claims, or orders, that are taken at once.
const TAKEN: i64 = 256;
/// Nobody waits for longer than this, whatever is said about the next look: somebody may have
/// claimed a name meanwhile.
const LONGEST: Duration = Duration::from_secs(2);
/// Authorities are asked about certificates that are due for it so often.
const ASKS: Duration = Duration::from_mins(1);
/// Answers that nobody asks for any more are removed so often.
const TIDIES: Duration = Duration::from_hours(1);

/// Looks at names and orders certificates.
pub struct Keeper {
    db: PgPool,
    dns: Arc<dyn Dns>,
    zones: Zones,
    root: Arc<RootKey>,
    issuer: Arc<Issuer>,
    clock: Clock,
    more: Notify,
    proven: Notify,
    changed: Box<dyn Fn(&Tenant) + Send + Sync>,
}

impl Keeper {
    /// One that has not begun. `changed` hears whose names are served from then on, or not any more.
    pub fn new(
        db: PgPool,
        dns: Arc<dyn Dns>,
        zones: Zones,
        root: Arc<RootKey>,
        issuer: Arc<Issuer>,
        clock: Clock,
        changed: impl Fn(&Tenant) + Send + Sync + 'static,
    ) -> Self {
        let (more, proven, changed) = (Notify::new(), Notify::new(), Box::new(changed));
        Self { db, dns, zones, root, issuer, clock, more, proven, changed }
    }

    /// There is something to be looked at.
    pub fn notice(&self) {
        self.more.notify_one();
        self.proven.notify_one();
    }

    /// Goes on until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let (keep, order) = (Box::pin(self.keep(&stop)), Box::pin(self.order_all(&stop)));
        tokio::join!(keep, order, Box::pin(self.ask(&stop)));
    }

    /// Orders what is missing. Beside the looks: a slow DNS holds no certificate up.
    async fn order_all(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let ordered = self.order().await;
            let ordered = ordered.inspect_err(|error| tracing::warn!(%error, "certificates wait"));
            if ordered.unwrap_or(false) {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.proven.notified() => {}
                () = tokio::time::sleep(LONGEST) => {}
            }
        }
    }

    /// Authorities are asked when to renew. Beside all else: one that is slow holds nothing up.
    async fn ask(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let asked = self.issuer.ask_when(TAKEN).await;
            let asked = asked.inspect_err(|error| tracing::warn!(%error, "nobody is asked"));
            if asked.is_ok_and(|count| i64::try_from(count).is_ok_and(|count| count == TAKEN)) {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(ASKS) => {}
            }
        }
    }

    async fn keep(&self, stop: &CancellationToken) {
        let mut tidy = tokio::time::interval(TIDIES);
        while !stop.is_cancelled() {
            let pause = match self.one_round().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "names wait");
                    LONGEST
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.more.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = tidy.tick() => self.tidy().await,
            }
        }
    }

    /// Looks at what is due by now; returns when there will be more.
    async fn one_round(&self) -> Result<Duration, sqlx::Error> {
        let due = {
            let mut conn = self.db.acquire().await?;
            claims::due(&mut conn, TAKEN, self.clock.now()).await?
        };
        let is_all = i64::try_from(due.len()).is_ok_and(|count| count < TAKEN);
        stream::iter(due).for_each_concurrent(LOOKS_AT_ONCE, |claim| self.look(claim)).await;
        if !is_all {
            return Ok(Duration::ZERO);
        }
        let mut conn = self.db.acquire().await?;
        let next = claims::next_due(&mut conn).await?;
        let left = next.map_or(LONGEST, |at| {
            Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default()
        });
        Ok(left.min(LONGEST))
    }

    async fn look(&self, claim: Claim) {
        let look = claims::look(&*self.dns, &self.zones, &claim).await;
        // Of two that win a name at once one is told so, and is looked at again in a minute.
        match self.record(&claim, &look).await {
            Ok(Changed { tenants }) => {
                for tenant in tenants {
                    tracing::info!(name = %claim.name, tenant = tenant.name, "its names changed");
                    (self.changed)(&tenant);
                    self.proven.notify_one();
                }
            }
            Err(error) => tracing::warn!(name = %claim.name, %error, "cannot be written down"),
        }
    }

    async fn record(&self, claim: &Claim, look: &claims::Look) -> sqlx::Result<Changed> {
        let mut tx = self.db.begin().await?;
        let changed = claims::record(&mut tx, claim.id, look, self.clock.now()).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Orders certificates that are missing or to be renewed; true where there may be more.
    async fn order(&self) -> sqlx::Result<bool> {
        let mut conn = self.db.acquire().await?;
        let now = self.clock.now();
        let mut names = orders::due_for_renewal(&mut conn, TAKEN, now).await?;
        let is_all = i64::try_from(names.len()).is_ok_and(|count| count < TAKEN);
        if let Some(own) = self.issuer.own()
            && orders::is_due(&mut conn, &own, now).await?
        {
            names.push(own);
        }
        let mut is_any = false;
        for name in &names {
            match orders::want(&mut conn, &self.root, name, now).await {
                Ok(is_new) => is_any |= is_new,
                Err(trouble) => tracing::warn!(name, %trouble, "no certificate can be ordered"),
            }
        }
        if is_any {
            self.issuer.notice();
        }
        Ok(is_any && !is_all)
    }

    async fn tidy(&self) {
        let tidy = async {
            let mut conn = self.db.acquire().await?;
            orders::tidy(&mut conn, self.clock.now()).await
        };
        if let Err(error) = tidy.await {
            tracing::warn!(%error, "old answers stay");
        }
    }
}
