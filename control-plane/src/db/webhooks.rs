//! Endpoints of webhooks: addresses that are told what is done.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::id::{OrganizationId, WebhookId};
use crate::domain::scope::Scope;

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Where it is.
    pub url: String,
    /// Kinds of what it is told; none: all.
    pub kinds: Vec<String>,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it said that it is there no more.
    pub gone_at: Option<Timestamp>,
    /// Until then it is left alone.
    pub waits_until: Option<Timestamp>,
}

/// Secrets of an endpoint, sealed.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The one that counts.
    pub secret: Vec<u8>,
    /// The one before, where it still signs.
    pub before: Option<Vec<u8>>,
}

/// Stores a new one.
///
/// # Errors
/// The database.
pub async fn create(conn: &mut PgConnection, new: &Known, secret: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into control.endpoint (id, organization, url, kinds, secret, made_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        new.id.0,
        new.organization.0,
        new.url,
        &new.kinds,
        secret,
        new.made_by,
        new.created_at.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many an organization has.
///
/// # Errors
/// The database.
pub async fn count(conn: &mut PgConnection, organization: OrganizationId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from control.endpoint where organization = $1"#,
        organization.0,
    )
    .fetch_one(conn)
    .await
}

/// One of an organization.
///
/// # Errors
/// The database.
pub async fn get(
    conn: &mut PgConnection,
    organization: OrganizationId,
    id: WebhookId,
) -> sqlx::Result<Option<Known>> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, organization, url, kinds, made_by, created_at,
                  gone_at as "gone_at: _", waits_until as "waits_until: _"
           from control.endpoint where organization = $1 and id = $2"#,
        organization.0,
        id.0,
    );
    Ok(row.fetch_optional(conn).await?.map(Known::from))
}

/// Those of an organization, from behind this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    organization: OrganizationId,
    after: Option<WebhookId>,
    limit: usize,
) -> sqlx::Result<Vec<Known>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, organization, url, kinds, made_by, created_at,
                  gone_at as "gone_at: _", waits_until as "waits_until: _"
           from control.endpoint where organization = $1 and id > $2 order by id limit $3"#,
        organization.0,
        after.map(|id| id.0).unwrap_or_default(),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(Known::from).collect())
}

/// It is told nothing more, and what it was told is forgotten; false where there is none such.
///
/// # Errors
/// The database.
pub async fn delete(
    conn: &mut PgConnection,
    organization: OrganizationId,
    id: WebhookId,
) -> sqlx::Result<bool> {
    let gone = sqlx::query!(
        "delete from control.endpoint where organization = $1 and id = $2",
        organization.0,
        id.0,
    );
    Ok(gone.execute(conn).await?.rows_affected() == 1)
}

/// From now on this secret signs, and the one before until then as well; false where there is none such.
///
/// # Errors
/// The database.
pub async fn set_secret(
    conn: &mut PgConnection,
    (organization, id): (OrganizationId, WebhookId),
    secret: &[u8],
    before_until: Timestamp,
) -> sqlx::Result<bool> {
    let set = sqlx::query!(
        "update control.endpoint set secret = $3, secret_before = secret, before_until = $4
         where organization = $1 and id = $2",
        organization.0,
        id.0,
        secret,
        before_until.to_sqlx(),
    );
    Ok(set.execute(conn).await?.rows_affected() == 1)
}

/// Its secrets that sign.
///
/// # Errors
/// The database.
pub async fn secrets(
    conn: &mut PgConnection,
    id: WebhookId,
    now: Timestamp,
) -> sqlx::Result<Option<Sealed>> {
    sqlx::query_as!(
        Sealed,
        r#"select secret, case when before_until > $2 then secret_before end as "before"
           from control.endpoint where id = $1"#,
        id.0,
        now.to_sqlx(),
    )
    .fetch_optional(conn)
    .await
}

/// It answered as it should: nothing keeps others from it.
///
/// # Errors
/// The database.
pub async fn worked(conn: &mut PgConnection, id: WebhookId) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.endpoint set failures = 0, waits_until = null
         where id = $1 and failures > 0",
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// It failed; how often in a row by now. `None` where it is left alone already: of several that were
/// under way at once, one counts.
///
/// # Errors
/// The database.
pub async fn failed(
    conn: &mut PgConnection,
    id: WebhookId,
    now: Timestamp,
) -> sqlx::Result<Option<i32>> {
    let failures = sqlx::query_scalar!(
        "update control.endpoint set failures = least(failures + 1, 1000)
         where id = $1 and (waits_until is null or waits_until <= $2)
         returning failures",
        id.0,
        now.to_sqlx(),
    );
    failures.fetch_optional(conn).await
}

/// It is left alone until then.
///
/// # Errors
/// The database.
pub async fn leave_alone(
    conn: &mut PgConnection,
    id: WebhookId,
    until: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.endpoint set waits_until = $2 where id = $1",
        id.0,
        until.to_sqlx()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// It is there no more, as it said itself, and is told nothing of what waits.
///
/// # Errors
/// The database.
pub async fn gone(conn: &mut PgConnection, id: WebhookId, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!("update control.endpoint set gone_at = $2 where id = $1", id.0, now.to_sqlx())
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "update control.delivery set state = 'failed', why = 'it answered that it is there no more'
         where endpoint = $1 and state = 'waiting'",
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether somebody of an organization listens.
///
/// # Errors
/// The database.
pub async fn anybody_listens(
    conn: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from control.endpoint where organization = $1 and gone_at is null
           ) as "anybody!""#,
        organization.0,
    )
    .fetch_one(conn)
    .await
}

/// Those that somebody made, and that keys made which they or these keys made, are told nothing more
/// of what the maker may not know; how many these were.
///
/// # Errors
/// The database.
pub async fn delete_of(
    conn: &mut PgConnection,
    organization: OrganizationId,
    made_by: &str,
    may: &[Scope],
) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "with recursive made as (
             select id from control.api_key where organization = $1 and made_by = $2
             union
             select key.id from control.api_key key join made
                 on key.made_by = 'key_' || replace(made.id::text, '-', '')
             where key.organization = $1
         )
         delete from control.endpoint
         where organization = $1
           and (made_by = $2
                or made_by in (select 'key_' || replace(id::text, '-', '') from made))
           and ($3 or $4 and (kinds = '{}' or exists (
                    select from unnest(kinds) as kind where kind not like 'platform.%')))",
        organization.0,
        made_by,
        !may.contains(&Scope::WebhooksWrite),
        !may.contains(&Scope::AuditRead),
    );
    Ok(gone.execute(conn).await?.rows_affected())
}

struct Row {
    id: Uuid,
    organization: Uuid,
    url: String,
    kinds: Vec<String>,
    made_by: String,
    created_at: jiff_sqlx::Timestamp,
    gone_at: Option<jiff_sqlx::Timestamp>,
    waits_until: Option<jiff_sqlx::Timestamp>,
}

impl From<Row> for Known {
    fn from(row: Row) -> Self {
        Self {
            id: WebhookId(row.id),
            organization: OrganizationId(row.organization),
            url: row.url,
            kinds: row.kinds,
            made_by: row.made_by,
            created_at: row.created_at.to_jiff(),
            gone_at: row.gone_at.map(jiff_sqlx::Timestamp::to_jiff),
            waits_until: row.waits_until.map(jiff_sqlx::Timestamp::to_jiff),
        }
    }
}
