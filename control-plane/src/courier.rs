//! Tells endpoints of webhooks what they are to be told.
//!
//! ```text
//! outbox -> due -> signed -> sent -> what became of it, in one transaction with the next try
//! ```
//! At least once: who was told and whose answer was lost is told again, under the same id. An endpoint
//! that fails is left alone for a while with all that waits for it, so that it holds up nobody else's.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::Url;
use web::egress::{Answer, CallError, Refused};
use work::outbox::{self, Claimed};

use crate::app::App;
use crate::db::deliveries::{self, Due, TOPIC};
use crate::db::webhooks;
use crate::domain::id::OrganizationId;
use crate::domain::webhook::{Became, Secret, left_alone};
use crate::error::{Error, Result};

/// Where nothing was due, it is looked again after this.
const IDLE: Duration = Duration::from_secs(1);
/// Where something is wrong with the database, after this.
const TROUBLE: Duration = Duration::from_secs(5);
/// Told at once.
const AT_ONCE: usize = 32;
/// Of them for one organization.
const OF_ONE: usize = 4;
/// Who takes one has so long for it; more than a call takes.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Once it is told to stop, it is waited for so long.
const LAST: Duration = Duration::from_secs(16);
/// What was told is kept for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Goes on until told to stop; what is under way then has its time to end.
pub async fn run(app: App, stop: CancellationToken) {
    let busy = Busy::default();
    let mut telling = FuturesUnordered::new();
    loop {
        let pause = match claimed(&app, AT_ONCE - telling.len()).await {
            Ok(claimed) => {
                telling.extend(claimed.into_iter().map(|message| tell(&app, &busy, message)));
                IDLE
            }
            Err(error) => {
                tracing::warn!(%error, "webhooks wait");
                TROUBLE
            }
        };
        // Whoever comes to an end makes room for the next one.
        let next = async {
            tokio::select! {
                Some(()) = telling.next() => {}
                () = tokio::time::sleep(pause) => {}
            }
        };
        if stop.run_until_cancelled(next).await.is_none() {
            break;
        }
    }
    // Who takes longer is told again by somebody else, once the lease has ended.
    let _ = tokio::time::timeout(LAST, telling.collect::<()>()).await;
}

/// Everything that is due, once; how many there were.
///
/// # Errors
/// The database.
pub async fn round(app: &App) -> Result<usize> {
    let (busy, claimed) = (Busy::default(), claimed(app, AT_ONCE).await?);
    let count = claimed.len();
    let telling = claimed.into_iter().map(|message| tell(app, &busy, message));
    telling.collect::<FuturesUnordered<_>>().collect::<()>().await;
    Ok(count)
}

async fn claimed(app: &App, room: usize) -> Result<Vec<Claimed>> {
    let Some(room) = u16::try_from(room).ok().filter(|room| *room > 0) else {
        return Ok(Vec::new());
    };
    let mut conn = app.conn().await?;
    Ok(outbox::claim(&mut conn, &[TOPIC], room, LEASE, app.now()).await?)
}

async fn tell(app: &App, busy: &Busy, message: Claimed) {
    if let Err(error) = deliver(app, busy, &message).await {
        // The lease ends, and it is tried again.
        tracing::warn!(%error, delivery = message.key, "not told");
    }
}

/// Who is being told something: nobody's endpoints take all places.
#[derive(Default)]
struct Busy(Mutex<HashMap<OrganizationId, usize>>);

/// A place, until this is dropped.
struct Place<'a> {
    busy: &'a Busy,
    organization: OrganizationId,
}

impl Busy {
    fn taken(&self) -> MutexGuard<'_, HashMap<OrganizationId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for something of this organization's, where it has one left.
    fn place(&self, organization: OrganizationId) -> Option<Place<'_>> {
        let mut taken = self.taken();
        let own = taken.entry(organization).or_default();
        (*own < OF_ONE).then(|| {
            *own += 1;
            Place { busy: self, organization }
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.busy.taken();
        if let Some(own) = taken.get_mut(&self.organization) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.organization);
            }
        }
    }
}

/// Forgets what was told long ago.
///
/// # Errors
/// The database.
pub async fn tidy(app: &App) -> sqlx::Result<u64> {
    let before = app.now().saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
    deliveries::forget(&mut *app.conn().await?, before).await
}

async fn deliver(app: &App, busy: &Busy, message: &Claimed) -> Result<()> {
    let mut conn = app.conn().await?;
    let due = match message.key.parse() {
        Ok(id) => deliveries::due(&mut conn, id).await?,
        Err(_) => None,
    };
    let sealed = match &due {
        Some(due) => webhooks::secrets(&mut conn, due.delivery.endpoint, app.now()).await?,
        None => None,
    };
    // It was told, or its endpoint is there no more.
    let (Some(due), Some(sealed)) = (due, sealed) else {
        outbox::finish(&mut conn, message).await?;
        return Ok(());
    };
    // Nobody holds one connection and waits for another.
    drop(conn);
    if let Some(until) = due.waits_until.filter(|until| *until > app.now()) {
        return later(app, message, until).await;
    }
    let Some(_place) = busy.place(due.organization) else {
        return later(app, message, app.now() + after(message)).await;
    };
    let secrets: Vec<_> = std::iter::once(&sealed.secret).chain(&sealed.before).collect();
    let secrets = secrets.into_iter().map(|sealed| app.opened(due.delivery.endpoint, sealed));
    let answer = match secrets.collect::<Result<Vec<_>>>() {
        Ok(secrets) => send(app, &due, &secrets).await?,
        Err(error) => {
            tracing::error!(%error, delivery = message.key, "not signed");
            Err("not sent: the control plane cannot open its secret; make a new one".to_owned())
        }
    };
    keep(app, message, due, answer).await
}

/// When it is its turn again, while others of its organization are told: not all of them at once.
fn after(message: &Claimed) -> SignedDuration {
    SignedDuration::from_secs(5 + i64::from(message.id.as_bytes()[15]) % 56)
}

/// Not tried, and not counted.
async fn later(app: &App, message: &Claimed, until: Timestamp) -> Result<()> {
    let mut tx = app.begin().await?;
    outbox::finish(&mut tx, message).await?;
    outbox::push_at(&mut tx, TOPIC, &message.key, &Value::Null, until).await?;
    Ok(tx.commit().await?)
}

/// Signed by every secret that is good; what was answered, or why nothing was.
async fn send(
    app: &App,
    Due { delivery, url, .. }: &Due,
    secrets: &[Secret],
) -> Result<std::result::Result<Answer, String>> {
    let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
    let (id, at) = (delivery.id.to_string(), app.now());
    let body = Bytes::from(delivery.payload.clone());
    let signed = secrets.iter().map(|secret| secret.sign(&id, at, &body));
    let signed = signed.collect::<std::result::Result<Vec<_>, _>>();
    let signed = signed.map_err(|error| internal(&error))?.join(" ");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("soulfra-webhooks/1"));
    let values = [
        ("webhook-id", id),
        ("webhook-timestamp", at.as_second().to_string()),
        ("webhook-signature", signed),
    ];
    for (name, value) in values {
        headers.insert(name, HeaderValue::from_str(&value).map_err(|error| internal(&error))?);
    }
    let url: Url = url.parse().map_err(|error| internal(&error))?;
    Ok(app.egress().post(&url, headers, body).await.map_err(|error| said(&error)))
}

/// Which names there are inside is nobody's business either.
fn said(error: &CallError) -> String {
    match error {
        CallError::Refused(Refused::Inside(_)) => {
            "no connection: the name is unknown, nobody listens, or the certificate is not good"
                .into()
        }
        error => error.to_string(),
    }
}

/// Writes down what became of it, and has it tried again where it did not work.
async fn keep(
    app: &App,
    message: &Claimed,
    Due { mut delivery, .. }: Due,
    answer: std::result::Result<Answer, String>,
) -> Result<()> {
    let (mut tx, now) = (app.begin().await?, app.now());
    let (status, why) = match answer {
        Ok(answer) => (Some(answer.status.as_u16()), None),
        Err(why) => (None, Some(why)),
    };
    delivery.attempts += 1;
    let became = Became::of(status, delivery.attempts, now);
    let state = match became {
        Became::Delivered => "delivered",
        Became::Again(_) => "waiting",
        Became::Failed | Became::Gone => "failed",
    };
    state.clone_into(&mut delivery.state);
    (delivery.status, delivery.why, delivery.tried_at) = (status.map(i32::from), why, Some(now));
    // The endpoint first, as whoever deletes it does.
    let endpoint = delivery.endpoint;
    match became {
        Became::Delivered => webhooks::worked(&mut tx, endpoint).await?,
        Became::Gone => webhooks::gone(&mut tx, endpoint, now).await?,
        Became::Again(_) | Became::Failed => {
            if let Some(failures) = webhooks::failed(&mut tx, endpoint, now).await? {
                webhooks::leave_alone(&mut tx, endpoint, left_alone(failures, now)).await?;
            }
        }
    }
    deliveries::tried(&mut tx, &delivery).await?;
    outbox::finish(&mut tx, message).await?;
    if let Became::Again(at) = became {
        outbox::push_at(&mut tx, TOPIC, &message.key, &Value::Null, at).await?;
    }
    Ok(tx.commit().await?)
}
