//! Who vouches for an organization's members, whom they call how there, and who is away to be vouched for.

use accounts::TokenHash;
use blueprint::Slug;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::domain::id::{OrganizationId, PersonId};

/// Who is away longer begins again.
pub const AWAY: SignedDuration = SignedDuration::from_mins(10);
/// So many of an organization are away at once; beyond these the oldest begin again. Anybody can go.
const AT_ONCE: i64 = 10_000;

/// An organization's provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// Whose.
    pub organization: OrganizationId,
    /// What it calls itself, to the letter.
    pub issuer: String,
    /// What it calls us.
    pub client_id: String,
    /// Sealed.
    pub client_secret: Vec<u8>,
    /// Of the e-mail addresses that it may speak of.
    pub domains: Vec<String>,
    /// Since when it is so.
    pub changed_at: Timestamp,
}

/// Somebody who is away at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// Of which organization.
    pub organization: OrganizationId,
    /// At whose.
    pub issuer: String,
    /// As whose client.
    pub client_id: String,
    /// Where they want to go afterwards.
    pub next: String,
}

/// The one of an organization.
///
/// # Errors
/// The database.
pub async fn get(conn: &mut PgConnection, id: OrganizationId) -> sqlx::Result<Option<Trusted>> {
    let row = sqlx::query_as!(
        Row,
        "select organization, issuer, client_id, client_secret, domains, changed_at
         from control.single_sign_on where organization = $1",
        id.0,
    );
    Ok(row.fetch_optional(conn).await?.map(Trusted::from))
}

/// The one of the organization of this slug.
///
/// # Errors
/// The database.
pub async fn of_slug(conn: &mut PgConnection, slug: &Slug) -> sqlx::Result<Option<Trusted>> {
    let row = sqlx::query_as!(
        Row,
        "select organization, issuer, client_id, client_secret, domains, changed_at
         from control.single_sign_on join control.organization on organization.id = organization
         where slug = $1",
        slug.as_str(),
    );
    Ok(row.fetch_optional(conn).await?.map(Trusted::from))
}

/// The one that may speak of addresses of this domain; `None` where several may, and nobody can tell which
/// is meant.
///
/// # Errors
/// The database.
pub async fn of_domain(conn: &mut PgConnection, domain: &str) -> sqlx::Result<Option<Trusted>> {
    let rows = sqlx::query_as!(
        Row,
        "select organization, issuer, client_id, client_secret, domains, changed_at
         from control.single_sign_on where domains @> array[$1::text] limit 2",
        domain,
    );
    let mut found = rows.fetch_all(conn).await?;
    Ok(if found.len() == 1 { found.pop().map(Trusted::from) } else { None })
}

/// From now on it is this one.
///
/// # Errors
/// The database.
pub async fn set(conn: &mut PgConnection, wanted: &Trusted) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into control.single_sign_on
             (organization, issuer, client_id, client_secret, domains, changed_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (organization) do update
         set issuer = excluded.issuer, client_id = excluded.client_id,
             client_secret = excluded.client_secret, domains = excluded.domains,
             changed_at = excluded.changed_at",
        wanted.organization.0,
        wanted.issuer,
        wanted.client_id,
        wanted.client_secret,
        &wanted.domains,
        wanted.changed_at.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// From now on there is none, and nobody is known by it; false where there was none.
///
/// # Errors
/// The database.
pub async fn remove(conn: &mut PgConnection, id: OrganizationId) -> sqlx::Result<bool> {
    let removed = sqlx::query!("delete from control.single_sign_on where organization = $1", id.0);
    Ok(removed.execute(conn).await?.rows_affected() == 1)
}

/// Nobody is known by what the provider calls them.
///
/// # Errors
/// The database.
pub async fn forget(conn: &mut PgConnection, id: OrganizationId) -> sqlx::Result<()> {
    sqlx::query!("delete from control.identity where organization = $1", id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whom the provider calls so.
///
/// # Errors
/// The database.
pub async fn known(
    conn: &mut PgConnection,
    id: OrganizationId,
    (issuer, subject): (&str, &str),
) -> sqlx::Result<Option<PersonId>> {
    let person = sqlx::query_scalar!(
        "select person from control.identity
         where organization = $1 and issuer = $2 and subject = $3",
        id.0,
        issuer,
        subject,
    );
    Ok(person.fetch_optional(conn).await?.map(PersonId))
}

/// From now on this is what the provider calls this member; false where it calls them otherwise already, or
/// so somebody else.
///
/// # Errors
/// The database.
pub async fn link(
    conn: &mut PgConnection,
    id: OrganizationId,
    (issuer, subject): (&str, &str),
    person: PersonId,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let linked = sqlx::query!(
        "insert into control.identity (organization, issuer, subject, person, linked_at)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
        id.0,
        issuer,
        subject,
        person.0,
        now.to_sqlx(),
    );
    Ok(linked.execute(conn).await?.rows_affected() == 1)
}

/// Somebody goes. What is over goes too.
///
/// # Errors
/// The database.
pub async fn go(
    conn: &mut PgConnection,
    away: &Away,
    (state, browser): (&TokenHash, &TokenHash),
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from control.away where begun_at <= $1 or state_hash in (
             select state_hash from control.away where organization = $2
             order by begun_at desc offset $3
         )",
        (now - AWAY).to_sqlx(),
        away.organization.0,
        AT_ONCE - 1,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into control.away
             (state_hash, browser_hash, organization, issuer, client_id, next, begun_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        state.as_bytes(),
        browser.as_bytes(),
        away.organization.0,
        away.issuer,
        away.client_id,
        away.next,
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Somebody comes back, in the browser in which they went: once, and not too late.
///
/// # Errors
/// The database.
pub async fn come_back(
    conn: &mut PgConnection,
    (state, browser): (&TokenHash, &TokenHash),
    now: Timestamp,
) -> sqlx::Result<Option<Away>> {
    let row = sqlx::query!(
        "delete from control.away where state_hash = $1 and browser_hash = $2 and begun_at > $3
         returning organization, issuer, client_id, next",
        state.as_bytes(),
        browser.as_bytes(),
        (now - AWAY).to_sqlx(),
    );
    Ok(row.fetch_optional(conn).await?.map(|row| Away {
        organization: OrganizationId(row.organization),
        issuer: row.issuer,
        client_id: row.client_id,
        next: row.next,
    }))
}

struct Row {
    organization: uuid::Uuid,
    issuer: String,
    client_id: String,
    client_secret: Vec<u8>,
    domains: Vec<String>,
    changed_at: jiff_sqlx::Timestamp,
}

impl From<Row> for Trusted {
    fn from(row: Row) -> Self {
        Self {
            organization: OrganizationId(row.organization),
            issuer: row.issuer,
            client_id: row.client_id,
            client_secret: row.client_secret,
            domains: row.domains,
            changed_at: row.changed_at.to_jiff(),
        }
    }
}
