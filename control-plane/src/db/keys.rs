//! Keys of the API.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::id::{KeyId, OrganizationId};
use crate::domain::key::KeyHash;
use crate::domain::policy::Policy;
use crate::domain::scope::Scope;

/// That a key is used is written down at most this often.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How the database says that nothing can be written to it.
const READ_ONLY: &str = "25006";

/// What is known of a key. The key itself is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What its maker calls it.
    pub name: String,
    /// Its first letters.
    pub prefix: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used last, to the minute.
    pub used_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

impl Known {
    /// As it is under what its organization asks: it may end earlier than it was made for.
    #[must_use]
    pub fn under(self, policy: &Policy) -> Self {
        let expires_at = policy.end_of_key(self.created_at, self.expires_at);
        Self { expires_at, ..self }
    }
}

/// Stores a new one.
///
/// # Errors
/// The database.
pub async fn create(conn: &mut PgConnection, new: &Known, hash: KeyHash) -> sqlx::Result<()> {
    let scopes: Vec<String> = new.scopes.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "insert into control.api_key
             (id, organization, name, prefix, hash, scopes, made_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.id.0,
        new.organization.0,
        new.name,
        new.prefix,
        hash.as_bytes(),
        &scopes,
        new.made_by,
        new.created_at.to_sqlx(),
        new.expires_at.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The one with this hash, if it is good now, and what its organization asks. Writes down that it is used.
///
/// # Errors
/// The database.
pub async fn find(
    conn: &mut PgConnection,
    hash: KeyHash,
    now: Timestamp,
) -> sqlx::Result<Option<(Known, Policy)>> {
    let row = sqlx::query!(
        r#"select key.id, organization, key.name, prefix, scopes, made_by, key.created_at, expires_at,
                used_at as "used_at: jiff_sqlx::Timestamp", policy as "policy: Json<Policy>"
         from control.api_key key join control.organization on organization.id = organization
         where hash = $1 and revoked_at is null and expires_at > $2"#,
        hash.as_bytes(),
        now.to_sqlx(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.used_at.is_none_or(|used| used.to_jiff() + SEEN_EVERY <= now) {
        let seen = "update control.api_key set used_at = $2 where id = $1
                    and (used_at is null or used_at < $2)";
        match sqlx::query(seen).bind(row.id).bind(now.to_sqlx()).execute(conn).await {
            // A database that only reads for a while goes on reading.
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|it| it == READ_ONLY) => {
            }
            written => {
                written?;
            }
        }
    }
    let known = Row {
        id: row.id,
        organization: row.organization,
        name: row.name,
        prefix: row.prefix,
        scopes: row.scopes,
        made_by: row.made_by,
        created_at: row.created_at,
        expires_at: row.expires_at,
        used_at: row.used_at,
        revoked_at: None,
    };
    Ok(Some((known.try_into()?, row.policy.0)))
}

/// Those of an organization, the newest first, from behind this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    organization: OrganizationId,
    after: Option<KeyId>,
    limit: usize,
) -> sqlx::Result<Vec<Known>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, organization, name, prefix, scopes, made_by, created_at, expires_at,
                used_at as \"used_at: _\", revoked_at as \"revoked_at: _\"
         from control.api_key
         where organization = $1 and id < $2
         order by id desc limit $3",
        organization.0,
        after.map_or(Uuid::max(), |id| id.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    rows.fetch_all(conn).await?.into_iter().map(Known::try_from).collect()
}

/// From now on it is good for nothing; false where there is none such that was good.
///
/// # Errors
/// The database.
pub async fn revoke(
    conn: &mut PgConnection,
    organization: OrganizationId,
    id: KeyId,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let revoked = sqlx::query!(
        "update control.api_key set revoked_at = $3
         where organization = $1 and id = $2 and revoked_at is null",
        organization.0,
        id.0,
        now.to_sqlx(),
    );
    Ok(revoked.execute(conn).await?.rows_affected() == 1)
}

/// Of those that somebody made, and of those that those made, whichever may do more than this are good
/// for nothing from now on; how many that were.
///
/// # Errors
/// The database.
pub async fn revoke_of(
    conn: &mut PgConnection,
    organization: OrganizationId,
    made_by: &str,
    may: &[Scope],
    now: Timestamp,
) -> sqlx::Result<u64> {
    let may: Vec<String> = may.iter().map(ToString::to_string).collect();
    let revoked = sqlx::query!(
        "with recursive made as (
             select id from control.api_key where organization = $1 and made_by = $2
             union
             select key.id from control.api_key key join made
                 on key.made_by = 'key_' || replace(made.id::text, '-', '')
             where key.organization = $1
         )
         update control.api_key set revoked_at = $3
         where id in (select id from made) and revoked_at is null and not scopes <@ $4",
        organization.0,
        made_by,
        now.to_sqlx(),
        &may,
    );
    Ok(revoked.execute(conn).await?.rows_affected())
}

/// One that the organization has or had.
///
/// # Errors
/// The database.
pub async fn get(
    conn: &mut PgConnection,
    organization: OrganizationId,
    id: KeyId,
) -> sqlx::Result<Option<Known>> {
    let row = sqlx::query_as!(
        Row,
        "select id, organization, name, prefix, scopes, made_by, created_at, expires_at,
                used_at as \"used_at: _\", revoked_at as \"revoked_at: _\"
         from control.api_key where organization = $1 and id = $2",
        organization.0,
        id.0,
    );
    row.fetch_optional(conn).await?.map(Known::try_from).transpose()
}

struct Row {
    id: uuid::Uuid,
    organization: uuid::Uuid,
    name: String,
    prefix: String,
    scopes: Vec<String>,
    made_by: String,
    created_at: jiff_sqlx::Timestamp,
    expires_at: jiff_sqlx::Timestamp,
    used_at: Option<jiff_sqlx::Timestamp>,
    revoked_at: Option<jiff_sqlx::Timestamp>,
}

impl TryFrom<Row> for Known {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let scopes = row.scopes.iter().map(|scope| scope.parse());
        let scopes: Result<_, _> = scopes.collect();
        Ok(Self {
            id: KeyId(row.id),
            organization: OrganizationId(row.organization),
            name: row.name,
            prefix: row.prefix,
            scopes: scopes.map_err(|error: crate::domain::scope::UnknownScope| {
                sqlx::Error::Decode(Box::new(error))
            })?,
            made_by: row.made_by,
            created_at: row.created_at.to_jiff(),
            expires_at: row.expires_at.to_jiff(),
            used_at: row.used_at.map(jiff_sqlx::Timestamp::to_jiff),
            revoked_at: row.revoked_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}
