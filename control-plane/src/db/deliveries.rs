//! What endpoints of webhooks are told, one row for each of them.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;
use work::outbox;

use crate::domain::id::{DeliveryId, OrganizationId, WebhookId};
use crate::domain::webhook::Told;

/// Under which the outbox keeps them.
pub const TOPIC: &str = "webhook";
/// So many may wait for one endpoint; what comes then it is not told.
const WAITING: i64 = 10_000;

/// Something that an endpoint is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which the endpoint is told as well.
    pub id: DeliveryId,
    /// Who is told.
    pub endpoint: WebhookId,
    /// What it is about.
    pub kind: String,
    /// As it is sent and signed, to the byte.
    pub payload: String,
    /// When it was.
    pub created_at: Timestamp,
    /// `waiting`, `delivered` or `failed`.
    pub state: String,
    /// Tries so far.
    pub attempts: i32,
    /// What was answered the last time.
    pub status: Option<i32>,
    /// Why nothing was.
    pub why: Option<String>,
    /// When it was tried last.
    pub tried_at: Option<Timestamp>,
}

/// One that is to be tried, and where it goes.
#[derive(Clone, Debug)]
pub struct Due {
    /// What is told.
    pub delivery: Delivery,
    /// Whose endpoint it is.
    pub organization: OrganizationId,
    /// Where.
    pub url: String,
    /// Until then that endpoint is left alone.
    pub waits_until: Option<Timestamp>,
}

/// Has all endpoints of an organization that want to know be told, once the transaction is done.
///
/// # Errors
/// The database.
pub async fn announce(
    conn: &mut PgConnection,
    organization: OrganizationId,
    told: &Told<'_>,
) -> sqlx::Result<()> {
    let endpoints = sqlx::query_scalar!(
        "select id from control.endpoint
         where organization = $1 and gone_at is null and (kinds = '{}' or $2 = any (kinds))
           and (select count(*) from (
                    select from control.delivery
                    where endpoint = control.endpoint.id and state = 'waiting' limit $3
                ) as waiting) < $3",
        organization.0,
        told.r#type,
        WAITING,
    )
    .fetch_all(&mut *conn)
    .await?;
    let payload = serde_json::to_string(told).map_err(|error| sqlx::Error::Encode(error.into()))?;
    for endpoint in endpoints {
        let id = DeliveryId(Uuid::now_v7());
        sqlx::query!(
            "insert into control.delivery (id, endpoint, kind, payload, created_at, state)
             values ($1, $2, $3, $4, $5, 'waiting')",
            id.0,
            endpoint,
            told.r#type,
            payload,
            told.timestamp.to_sqlx(),
        )
        .execute(&mut *conn)
        .await?;
        outbox::push(&mut *conn, TOPIC, &id.to_string(), &json!(null)).await?;
    }
    Ok(())
}

/// One that waits, for an endpoint that is there.
///
/// # Errors
/// The database.
pub async fn due(conn: &mut PgConnection, id: DeliveryId) -> sqlx::Result<Option<Due>> {
    let row = sqlx::query!(
        r#"select delivery.id, endpoint, kind, payload, delivery.created_at, state, attempts, status,
                  why, tried_at as "tried_at: jiff_sqlx::Timestamp", organization, url,
                  waits_until as "waits_until: jiff_sqlx::Timestamp"
           from control.delivery join control.endpoint on control.endpoint.id = endpoint
           where delivery.id = $1 and state = 'waiting' and gone_at is null"#,
        id.0,
    );
    Ok(row.fetch_optional(conn).await?.map(|row| Due {
        delivery: Delivery {
            id: DeliveryId(row.id),
            endpoint: WebhookId(row.endpoint),
            kind: row.kind,
            payload: row.payload,
            created_at: row.created_at.to_jiff(),
            state: row.state,
            attempts: row.attempts,
            status: row.status,
            why: row.why,
            tried_at: row.tried_at.map(jiff_sqlx::Timestamp::to_jiff),
        },
        organization: OrganizationId(row.organization),
        url: row.url,
        waits_until: row.waits_until.map(jiff_sqlx::Timestamp::to_jiff),
    }))
}

/// What became of a try.
///
/// # Errors
/// The database.
pub async fn tried(conn: &mut PgConnection, delivery: &Delivery) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.delivery
         set state = $2, attempts = $3, status = $4, why = $5, tried_at = $6 where id = $1",
        delivery.id.0,
        delivery.state,
        delivery.attempts,
        delivery.status,
        delivery.why,
        delivery.tried_at.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether something is told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It is, from the start, under the same id.
    Yes,
    /// It has not come to an end yet.
    StillTold,
    /// There is none such.
    Nothing,
}

/// Has it be told again.
///
/// # Errors
/// The database.
pub async fn replay(
    conn: &mut PgConnection,
    endpoint: WebhookId,
    id: DeliveryId,
) -> sqlx::Result<Replayed> {
    let state = sqlx::query_scalar!(
        "select state from control.delivery where endpoint = $1 and id = $2 for update",
        endpoint.0,
        id.0,
    );
    match state.fetch_optional(&mut *conn).await?.as_deref() {
        None => return Ok(Replayed::Nothing),
        Some("waiting") => return Ok(Replayed::StillTold),
        Some(_) => {}
    }
    sqlx::query!(
        "update control.delivery set state = 'waiting', attempts = 0 where id = $1",
        id.0,
    )
    .execute(&mut *conn)
    .await?;
    outbox::push(conn, TOPIC, &id.to_string(), &Value::Null).await?;
    Ok(Replayed::Yes)
}

/// What an endpoint was told, the newest first, from before this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    endpoint: WebhookId,
    before: Option<DeliveryId>,
    limit: usize,
) -> sqlx::Result<Vec<Delivery>> {
    let rows = sqlx::query!(
        r#"select id, endpoint, kind, payload, created_at, state, attempts, status, why,
                  tried_at as "tried_at: jiff_sqlx::Timestamp"
           from control.delivery where endpoint = $1 and id < $2 order by id desc limit $3"#,
        endpoint.0,
        before.map_or(Uuid::max(), |id| id.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    Ok(rows
        .map(|row| Delivery {
            id: DeliveryId(row.id),
            endpoint: WebhookId(row.endpoint),
            kind: row.kind,
            payload: row.payload,
            created_at: row.created_at.to_jiff(),
            state: row.state,
            attempts: row.attempts,
            status: row.status,
            why: row.why,
            tried_at: row.tried_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
        .collect())
}

/// What was told before then is forgotten, some of it in a call; how many were.
///
/// # Errors
/// The database.
pub async fn forget(conn: &mut PgConnection, before: Timestamp) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "delete from control.delivery where id in (
             select id from control.delivery where created_at < $1 order by created_at limit 1000
         )",
        before.to_sqlx(),
    );
    Ok(gone.execute(conn).await?.rows_affected())
}
