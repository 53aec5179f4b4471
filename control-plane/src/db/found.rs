//! Platforms that were made by other means and name an organization: known here, and not its own until it
//! claims them.

use blueprint::{BlueprintName, Slug};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::id::PlatformId;

/// A blueprint that names an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// Its name.
    pub name: BlueprintName,
    /// Which one of those that had its name.
    pub uid: Uuid,
    /// Whom it names.
    pub organization: Slug,
}

/// A platform that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// As it is known here.
    pub id: PlatformId,
    /// What was found.
    pub naming: Naming,
}

/// Organizations know of these from now on, where their names are nobody's; how many are new.
///
/// # Errors
/// The database.
pub async fn find(conn: &mut PgConnection, some: &[Naming], now: Timestamp) -> sqlx::Result<u64> {
    let ids: Vec<Uuid> = some.iter().map(|_| Uuid::now_v7()).collect();
    let names: Vec<_> = some.iter().map(|it| it.name.to_string()).collect();
    let slugs: Vec<_> = some.iter().map(|it| it.organization.to_string()).collect();
    let uids: Vec<Uuid> = some.iter().map(|it| it.uid).collect();
    let found = sqlx::query!(
        "insert into control.platform (id, name, organization, created_at, found)
         select new.id, new.name, organization.id, $5, new.uid
         from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) as new (id, name, slug, uid)
         join control.organization on organization.slug = new.slug
         on conflict (name) where gone_at is null do nothing",
        &ids,
        &names,
        &slugs,
        &uids,
        now.to_sqlx(),
    );
    Ok(found.execute(conn).await?.rows_affected())
}

/// Those of all organizations by name, from behind this one on.
///
/// # Errors
/// The database.
pub async fn all(conn: &mut PgConnection, after: &str, limit: usize) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query!(
        r#"select platform.id, platform.name, found as "uid!", slug
           from control.platform join control.organization on organization.id = organization
           where found is not null and gone_at is null and platform.name > $1
           order by platform.name limit $2"#,
        after,
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let unread = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let name =
            row.name.parse().map_err(|error: blueprint::InvalidName| unread(error.into()))?;
        let slug = row.slug.parse::<Slug>().map_err(|error| unread(error.into()))?;
        let naming = Naming { name, uid: row.uid, organization: slug };
        Ok(Found { id: PlatformId(row.id), naming })
    })
    .collect()
}

/// They are there no more, or name somebody else: what was not claimed is forgotten.
///
/// # Errors
/// The database.
pub async fn forget(conn: &mut PgConnection, some: &[PlatformId]) -> sqlx::Result<u64> {
    let ids: Vec<Uuid> = some.iter().map(|id| id.0).collect();
    let forgotten = sqlx::query!(
        "delete from control.platform where id = any($1) and found is not null",
        &ids,
    );
    Ok(forgotten.execute(conn).await?.rows_affected())
}

/// It is its organization's from now on; what was claimed before stays so since then.
///
/// # Errors
/// The database.
pub async fn claim(conn: &mut PgConnection, id: PlatformId, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.platform set found = null, claimed_at = $2
         where id = $1 and found is not null",
        id.0,
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
