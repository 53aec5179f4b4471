//! What was done, line by line.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{deliveries, organizations};
use crate::domain::audit::{BEGINNING, Entry};
use crate::domain::id::OrganizationId;
use crate::domain::webhook::Told;

/// Something that was done.
#[derive(Clone, Debug)]
pub struct Done<'a> {
    /// In this organization.
    pub organization: OrganizationId,
    /// By whom.
    pub actor: &'a str,
    /// Such as `platform.create`.
    pub action: &'a str,
    /// To what.
    pub target: &'a str,
    /// What else there is to say; nothing secret.
    pub detail: Value,
}

/// Writes it down, behind all that was done before in that organization, and has its webhooks be told. In
/// the transaction in which it is done.
///
/// # Errors
/// The database.
pub async fn write(conn: &mut PgConnection, done: Done<'_>, now: Timestamp) -> sqlx::Result<Entry> {
    // One at a time: each is bound to the one before.
    organizations::lock(&mut *conn, done.organization).await?;
    let last = sqlx::query!(
        "select number, hash from control.audit
         where organization = $1 order by number desc limit 1",
        done.organization.0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let (number, before) = match last {
        Some(last) => (last.number + 1, hash_of(&last.hash)?),
        None => (1, BEGINNING),
    };
    let mut entry = Entry {
        organization: done.organization,
        number,
        // As the database keeps it.
        at: Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now),
        actor: done.actor.to_owned(),
        action: done.action.to_owned(),
        target: done.target.to_owned(),
        detail: done.detail,
        hash: BEGINNING,
    };
    entry.hash = entry.bound(&before);
    sqlx::query!(
        "insert into control.audit
             (organization, number, at, actor, action, target, detail, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        entry.organization.0,
        entry.number,
        entry.at.to_sqlx(),
        entry.actor,
        entry.action,
        entry.target,
        entry.detail,
        &entry.hash[..],
    )
    .execute(&mut *conn)
    .await?;
    let data = json!({
        "organization": entry.organization, "number": entry.number, "actor": entry.actor,
        "target": entry.target, "detail": entry.detail,
    });
    let told = Told { r#type: &entry.action, timestamp: entry.at, data };
    deliveries::announce(conn, entry.organization, &told).await?;
    Ok(entry)
}

/// The lines of an organization, from behind this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    organization: OrganizationId,
    after: i64,
    limit: usize,
) -> sqlx::Result<Vec<Entry>> {
    let rows = sqlx::query!(
        "select number, at, actor, action, target, detail, hash from control.audit
         where organization = $1 and number > $2
         order by number limit $3",
        organization.0,
        after,
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        Ok(Entry {
            organization,
            number: row.number,
            at: row.at.to_jiff(),
            actor: row.actor,
            action: row.action,
            target: row.target,
            detail: row.detail,
            hash: hash_of(&row.hash)?,
        })
    })
    .collect()
}

/// The lines of an organization, the last one first, from before this one on.
///
/// # Errors
/// The database.
pub async fn latest(
    conn: &mut PgConnection,
    organization: OrganizationId,
    before: Option<i64>,
    limit: usize,
) -> sqlx::Result<Vec<Entry>> {
    let behind = before.map_or(i64::MAX, |before| before);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let first = sqlx::query_scalar!(
        r#"select min(number) from (
               select number from control.audit where organization = $1 and number < $2
               order by number desc limit $3
           ) as latest"#,
        organization.0,
        behind,
        limit,
    );
    let Some(first) = first.fetch_one(&mut *conn).await? else { return Ok(Vec::new()) };
    let mut some = list(conn, organization, first - 1, usize::try_from(limit).unwrap_or(0)).await?;
    some.retain(|entry| entry.number < behind);
    some.reverse();
    Ok(some)
}

fn hash_of(bytes: &[u8]) -> sqlx::Result<[u8; 32]> {
    bytes.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
