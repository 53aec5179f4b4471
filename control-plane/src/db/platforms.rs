//! Whose platforms are. Their blueprints are in the cluster.

use blueprint::status::Account;
use blueprint::{BlueprintName, PlanName, Slug};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::id::{OrganizationId, PlatformId};
use crate::domain::policy::Policy;

/// A platform, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Its id.
    pub id: PlatformId,
    /// The name of its blueprint.
    pub name: BlueprintName,
    /// Whose it is.
    pub organization: OrganizationId,
    /// Since when.
    pub created_at: Timestamp,
    /// Of one that was made by other means and names the organization: the uid of its blueprint, until it
    /// is claimed. Until then nothing of it is the organization's but to know of it.
    pub found: Option<Uuid>,
}

/// From now on the name is this organization's; false where it is somebody's.
///
/// # Errors
/// The database.
pub async fn take(conn: &mut PgConnection, new: &Owned) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "insert into control.platform (id, name, organization, created_at)
         values ($1, $2, $3, $4)
         on conflict (name) where gone_at is null do nothing",
        new.id.0,
        new.name.as_str(),
        new.organization.0,
        new.created_at.to_sqlx(),
    );
    Ok(taken.execute(conn).await?.rows_affected() == 1)
}

/// Whose this name is.
///
/// # Errors
/// The database.
pub async fn by_name(conn: &mut PgConnection, name: &BlueprintName) -> sqlx::Result<Option<Owned>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, organization, created_at, found from control.platform
         where name = $1 and gone_at is null",
        name.as_str(),
    );
    row.fetch_optional(conn).await?.map(Owned::try_from).transpose()
}

/// One of this organization's.
///
/// # Errors
/// The database.
pub async fn get(
    conn: &mut PgConnection,
    organization: OrganizationId,
    id: PlatformId,
) -> sqlx::Result<Option<Owned>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, organization, created_at, found from control.platform
         where organization = $1 and id = $2 and gone_at is null",
        organization.0,
        id.0,
    );
    row.fetch_optional(conn).await?.map(Owned::try_from).transpose()
}

/// Those of an organization by name, from behind this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    organization: OrganizationId,
    after: Option<&str>,
    limit: usize,
) -> sqlx::Result<Vec<Owned>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, name, organization, created_at, found from control.platform
         where organization = $1 and gone_at is null and name > $2
         order by name limit $3",
        organization.0,
        // Every name comes after nothing: what is compared either way is found by the index.
        after.unwrap_or_default(),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    rows.fetch_all(conn).await?.into_iter().map(Owned::try_from).collect()
}

/// Those of all organizations by name, from behind this one on, each with what is confirmed of that one to it.
///
/// # Errors
/// The database.
pub async fn all(
    conn: &mut PgConnection,
    after: Option<&str>,
    limit: usize,
) -> sqlx::Result<Vec<(Owned, Account)>> {
    let rows = sqlx::query!(
        "select platform.id, platform.name, organization, platform.created_at, found, slug, plan,
                policy as \"policy: Json<Policy>\"
         from control.platform join control.organization on organization.id = organization
         where gone_at is null and platform.name > $1
         order by platform.name limit $2",
        after.unwrap_or_default(),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let unread = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
        let (slug, plan) = (row.slug.parse::<Slug>(), row.plan.parse::<PlanName>());
        let (id, name, organization) = (row.id, row.name, row.organization);
        let (created_at, found) = (row.created_at, row.found);
        let owned = Owned::try_from(Row { id, name, organization, created_at, found })?;
        let plan = plan.map_err(|error| unread(error.into()))?;
        let account = Account {
            organization: slug.map_err(|error| unread(error.into()))?,
            plan,
            entitlements: plan.entitlements(),
            staff: row.policy.staff(),
        };
        Ok((owned, account))
    })
    .collect()
}

/// Until the transaction ends nobody else makes it, deletes it or brings it back.
///
/// # Errors
/// The database.
pub async fn lock(conn: &mut PgConnection, id: PlatformId) -> sqlx::Result<()> {
    let locked = "select 1 from control.platform where id = $1 for no key update";
    sqlx::query(locked).bind(id.0).execute(conn).await?;
    Ok(())
}

/// It is gone for good: whoever comes first has the name.
///
/// # Errors
/// The database.
pub async fn let_go(conn: &mut PgConnection, id: PlatformId, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.platform set gone_at = $2 where id = $1 and gone_at is null",
        id.0,
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A platform of an organization that listens, and the phase that was told last.
#[derive(Clone, Debug)]
pub struct Listened {
    /// The platform.
    pub owned: Owned,
    /// What was told; nothing yet of one that nobody listened to so far.
    pub told: Option<String>,
}

/// Platforms of all organizations that have a webhook, by name, from behind this one on.
///
/// # Errors
/// The database.
pub async fn listened(
    conn: &mut PgConnection,
    after: &str,
    limit: usize,
) -> sqlx::Result<Vec<Listened>> {
    let rows = sqlx::query!(
        "select id, name, organization, created_at, found, told_phase from control.platform
         where gone_at is null and name > $1 and exists (
             select from control.endpoint
             where endpoint.organization = platform.organization and endpoint.gone_at is null
         )
         order by name limit $2",
        after,
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let (id, name, organization) = (row.id, row.name, row.organization);
        let (created_at, found) = (row.created_at, row.found);
        let owned = Owned::try_from(Row { id, name, organization, created_at, found })?;
        Ok(Listened { owned, told: row.told_phase })
    })
    .collect()
}

/// Whoever begins to listen is told what changes from then on, and not since somebody listened before.
///
/// # Errors
/// The database.
pub async fn forget_told(
    conn: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.platform set told_phase = null
         where organization = $1 and gone_at is null and told_phase is not null",
        organization.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// This phase is told from now on; false where somebody else has told one since.
///
/// # Errors
/// The database.
pub async fn tell(
    conn: &mut PgConnection,
    id: PlatformId,
    before: Option<&str>,
    phase: &str,
) -> sqlx::Result<bool> {
    let told = sqlx::query!(
        "update control.platform set told_phase = $3
         where id = $1 and told_phase is not distinct from $2",
        id.0,
        before,
        phase,
    );
    Ok(told.execute(conn).await?.rows_affected() == 1)
}

struct Row {
    id: Uuid,
    name: String,
    organization: Uuid,
    created_at: jiff_sqlx::Timestamp,
    found: Option<Uuid>,
}

impl TryFrom<Row> for Owned {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: PlatformId(row.id),
            name: row.name.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            organization: OrganizationId(row.organization),
            created_at: row.created_at.to_jiff(),
            found: row.found,
        })
    }
}
