//! Stores what was told before anybody says thank you for it. Those who tell something at once are stored
//! together: one commit for all of them.

use std::collections::BTreeMap;

use blueprint::Slug;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};
use work::Clock;

use super::{Envelope, Forged, Secrets};

/// No event is larger.
pub const LARGEST: usize = 1 << 20;
/// So many are stored together.
const TOGETHER: usize = 500;
/// So many wait to be stored; who comes after them waits outside.
const QUEUE: usize = 2_000;

/// What came, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its outside, or why it has none.
    pub envelope: Result<Envelope, String>,
    /// As it came.
    pub raw: Vec<u8>,
}

/// What became of deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// They were not known.
    pub new: u64,
    /// They were.
    pub again: u64,
}

/// Why an event was not taken: the rail will tell it again, but of the first two.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It is not the rail's.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// It is larger than any event.
    #[error("an event has at most {LARGEST} bytes")]
    TooLarge,
    /// It could not be stored now.
    #[error("it could not be stored now")]
    NotStored,
}

impl Delivery {
    /// What came.
    pub fn new(raw: Vec<u8>) -> Self {
        Self { envelope: Envelope::read(&raw), raw }
    }

    /// What it is called: where it says nothing that can be read, by what it is.
    fn name(&self) -> String {
        match &self.envelope {
            Ok(envelope) => envelope.id.clone(),
            Err(_) => format!("sha256-{}", hex::encode(Sha256::digest(&self.raw))),
        }
    }
}

/// Stores deliveries, each event once, and has their objects looked at. In a transaction of its own; only what
/// is committed may be acknowledged.
///
/// # Errors
/// The database.
pub async fn store(
    conn: &mut PgConnection,
    rail: &Slug,
    deliveries: &[Delivery],
    now: Timestamp,
) -> sqlx::Result<Stored> {
    // One row for each name, all in one order: two who store the same events do not wait in a circle.
    let rows: BTreeMap<String, &Delivery> =
        deliveries.iter().map(|delivery| (delivery.name(), delivery)).collect();
    let outside = |row: &&Delivery| row.envelope.clone().ok();
    let column = |of: fn(Envelope) -> Option<String>| -> Vec<Option<String>> {
        rows.values().map(|row| outside(row).and_then(of)).collect()
    };
    let names: Vec<_> = rows.keys().cloned().collect();
    let created: Vec<_> =
        rows.values().map(|row| outside(row).map(|told| told.created.to_sqlx())).collect();
    let bodies: Vec<_> = rows.values().map(|row| row.raw.clone()).collect();
    let faults: Vec<_> = rows.values().map(|row| row.envelope.clone().err()).collect();
    let new = sqlx::query_scalar!(
        r#"with new as (
             insert into billing.webhook
                 (rail, event, kind, created, account, api_version, object_kind, object, raw, fault, received_at)
             select $1, told.*, $11
             from unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
                         $8::text[], $9::bytea[], $10::text[]) as told
             on conflict (rail, event) do nothing
             returning coalesce(account, '') as account, object_kind as kind, object
           ), asked as (
             insert into billing.told as told (rail, account, kind, object, asked, next_at)
             select $1, account, kind, object, count(*), $11 from new where object is not null
             group by account, kind, object order by account, kind, object
             on conflict (rail, account, kind, object) do update
             set asked = told.asked + excluded.asked, attempts = 0, parked_at = null,
                 -- Somebody who looks now looks again afterwards.
                 next_at = greatest(told.next_at, excluded.next_at)
           )
           select count(*) as "new!" from new"#,
        rail.as_str(),
        &names,
        &column(|told| Some(told.kind)) as _,
        &created as _,
        &column(|told| told.account) as _,
        &column(|told| told.api_version) as _,
        &column(|told| Some(told.object_kind)) as _,
        &column(|told| Some(told.object)) as _,
        &bodies,
        &faults as _,
        now.to_sqlx() as _,
    );
    let new = u64::try_from(new.fetch_one(conn).await?).unwrap_or_default();
    let all = u64::try_from(deliveries.len()).unwrap_or(u64::MAX);
    Ok(Stored { new, again: all.saturating_sub(new) })
}

/// Where deliveries are handed in, one by one.
#[derive(Clone, Debug)]
pub struct Intake {
    clock: Clock,
    queue: mpsc::Sender<(Delivery, oneshot::Sender<()>)>,
}

/// An intake of one rail, and what stores for it: that runs until all intakes are gone.
pub fn intake(
    db: PgPool,
    rail: Slug,
    clock: Clock,
) -> (Intake, impl Future<Output = ()> + Send + 'static) {
    let (queue, waiting) = mpsc::channel(QUEUE);
    (Intake { clock: clock.clone(), queue }, keep_storing(db, rail, clock, waiting))
}

impl Intake {
    /// Takes what came with this signature. Once this says so, it is stored for good, and may be acknowledged.
    ///
    /// # Errors
    /// [`NotTaken`]
    pub async fn take(
        &self,
        secrets: &Secrets,
        signature: &str,
        body: Vec<u8>,
    ) -> Result<(), NotTaken> {
        if body.len() > LARGEST {
            return Err(NotTaken::TooLarge);
        }
        secrets.check(signature, &body, self.clock.now())?;
        let (stored, is_stored) = oneshot::channel();
        let sent = self.queue.send((Delivery::new(body), stored)).await;
        sent.map_err(|_| NotTaken::NotStored)?;
        is_stored.await.map_err(|_| NotTaken::NotStored)
    }
}

async fn keep_storing(
    db: PgPool,
    rail: Slug,
    clock: Clock,
    mut waiting: mpsc::Receiver<(Delivery, oneshot::Sender<()>)>,
) {
    let mut together = Vec::with_capacity(TOGETHER);
    while waiting.recv_many(&mut together, TOGETHER).await > 0 {
        let (deliveries, stored): (Vec<_>, Vec<_>) = together.drain(..).unzip();
        match store_together(&db, &rail, &deliveries, clock.now()).await {
            // Who does not wait any more is told again by the rail.
            Ok(_) => {
                for stored in stored {
                    let _ = stored.send(());
                }
            }
            Err(error) => {
                tracing::error!("could not store {} events of {rail}: {error}", stored.len());
            }
        }
    }
}

async fn store_together(
    db: &PgPool,
    rail: &Slug,
    deliveries: &[Delivery],
    now: Timestamp,
) -> sqlx::Result<Stored> {
    let mut tx = db.begin().await?;
    let stored = store(&mut tx, rail, deliveries, now).await?;
    tx.commit().await?;
    Ok(stored)
}
