//! Invitations: whoever holds the link of one can join, once.

use accounts::{Email, TokenHash};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use super::members::parsed;
use crate::domain::id::{InvitationId, OrganizationId};
use crate::domain::role::Role;

/// An invitation. Its link is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// To this organization.
    pub organization: OrganizationId,
    /// For whom.
    pub email: String,
    /// What they will be.
    pub role: Role,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub created_at: Timestamp,
    /// From then on its link does nothing.
    pub expires_at: Timestamp,
}

/// The one for this address that was neither accepted nor taken back.
///
/// # Errors
/// The database.
pub async fn open(
    conn: &mut PgConnection,
    organization: OrganizationId,
    email: &Email,
) -> sqlx::Result<Option<Invitation>> {
    let row = sqlx::query_as!(
        Row,
        "select id, organization, email, role, made_by, created_at, expires_at
         from control.invitation
         where organization = $1 and email = $2 and accepted_at is null and revoked_at is null",
        organization.0,
        email.as_str(),
    );
    row.fetch_optional(conn).await?.map(Invitation::try_from).transpose()
}

/// Stores a new one, where none is open for the same address.
///
/// # Errors
/// The database.
pub async fn create(
    conn: &mut PgConnection,
    new: &Invitation,
    hash: &TokenHash,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into control.invitation
             (id, organization, email, role, token_hash, made_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id.0,
        new.organization.0,
        new.email,
        new.role.word(),
        hash.as_bytes(),
        new.made_by,
        new.created_at.to_sqlx(),
        new.expires_at.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The one of this link, if it is still good.
///
/// # Errors
/// The database.
pub async fn of_link(
    conn: &mut PgConnection,
    link: &str,
    now: Timestamp,
) -> sqlx::Result<Option<Invitation>> {
    let Some(hash) = TokenHash::of(link) else { return Ok(None) };
    let row = sqlx::query_as!(
        Row,
        "select id, organization, email, role, made_by, created_at, expires_at
         from control.invitation
         where token_hash = $1 and accepted_at is null and revoked_at is null and expires_at > $2",
        hash.as_bytes(),
        now.to_sqlx(),
    );
    row.fetch_optional(conn).await?.map(Invitation::try_from).transpose()
}

/// It did what it was for; false where it is not good any more. Of two who accept one at once, one is
/// told so.
///
/// # Errors
/// The database.
pub async fn accept(
    conn: &mut PgConnection,
    id: InvitationId,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let accepted = sqlx::query!(
        "update control.invitation set accepted_at = $2
         where id = $1 and accepted_at is null and revoked_at is null and expires_at > $2",
        id.0,
        now.to_sqlx(),
    );
    Ok(accepted.execute(conn).await?.rows_affected() == 1)
}

/// How many of an organization can be accepted.
///
/// # Errors
/// The database.
pub async fn count(
    conn: &mut PgConnection,
    organization: OrganizationId,
    now: Timestamp,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from control.invitation
           where organization = $1 and accepted_at is null and revoked_at is null
             and expires_at > $2"#,
        organization.0,
        now.to_sqlx(),
    )
    .fetch_one(conn)
    .await
}

/// Those of an organization that can be accepted, from behind this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    organization: OrganizationId,
    (after, limit): (Option<InvitationId>, usize),
    now: Timestamp,
) -> sqlx::Result<Vec<Invitation>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, organization, email, role, made_by, created_at, expires_at
         from control.invitation
         where organization = $1 and id > $2
           and accepted_at is null and revoked_at is null and expires_at > $4
         order by id limit $3",
        organization.0,
        after.map(|id| id.0).unwrap_or_default(),
        i64::try_from(limit).unwrap_or(i64::MAX),
        now.to_sqlx(),
    );
    rows.fetch_all(conn).await?.into_iter().map(Invitation::try_from).collect()
}

/// It can be accepted no more; what it was for. `None` where there is none such that could be.
///
/// # Errors
/// The database.
pub async fn revoke(
    conn: &mut PgConnection,
    organization: OrganizationId,
    id: InvitationId,
    now: Timestamp,
) -> sqlx::Result<Option<Invitation>> {
    let row = sqlx::query_as!(
        Row,
        "update control.invitation set revoked_at = $3
         where organization = $1 and id = $2 and accepted_at is null and revoked_at is null
         returning id, organization, email, role, made_by, created_at, expires_at",
        organization.0,
        id.0,
        now.to_sqlx(),
    );
    row.fetch_optional(conn).await?.map(Invitation::try_from).transpose()
}

/// Those that somebody made can be accepted no more.
///
/// # Errors
/// The database.
pub async fn revoke_of(
    conn: &mut PgConnection,
    organization: OrganizationId,
    made_by: &str,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let revoked = sqlx::query!(
        "update control.invitation set revoked_at = $3
         where organization = $1 and made_by = $2 and accepted_at is null and revoked_at is null",
        organization.0,
        made_by,
        now.to_sqlx(),
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
    id: InvitationId,
) -> sqlx::Result<Option<Invitation>> {
    let row = sqlx::query_as!(
        Row,
        "select id, organization, email, role, made_by, created_at, expires_at
         from control.invitation where organization = $1 and id = $2",
        organization.0,
        id.0,
    );
    row.fetch_optional(conn).await?.map(Invitation::try_from).transpose()
}

struct Row {
    id: uuid::Uuid,
    organization: uuid::Uuid,
    email: String,
    role: String,
    made_by: String,
    created_at: jiff_sqlx::Timestamp,
    expires_at: jiff_sqlx::Timestamp,
}

impl TryFrom<Row> for Invitation {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: InvitationId(row.id),
            organization: OrganizationId(row.organization),
            email: row.email,
            role: parsed(&row.role)?,
            made_by: row.made_by,
            created_at: row.created_at.to_jiff(),
            expires_at: row.expires_at.to_jiff(),
        })
    }
}
