//! Organizations.

use blueprint::{PlanName, Slug};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::domain::id::OrganizationId;
use crate::domain::policy::SecondFactor;

/// Who owns platforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// As blueprints name it.
    pub slug: Slug,
    /// As people call it.
    pub name: String,
    /// What it pays for.
    pub plan: PlanName,
    /// Whether members need something beside a password.
    pub second_factor: SecondFactor,
    /// Since when.
    pub created_at: Timestamp,
}

/// Makes one; false where there is another one of that slug.
///
/// # Errors
/// The database.
pub async fn create(conn: &mut PgConnection, new: &Organization) -> sqlx::Result<bool> {
    let made = sqlx::query!(
        "insert into control.organization (id, slug, name, plan, second_factor, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (slug) do nothing",
        new.id.0,
        new.slug.as_str(),
        new.name,
        new.plan.as_str(),
        new.second_factor.word(),
        new.created_at.to_sqlx(),
    );
    Ok(made.execute(conn).await?.rows_affected() == 1)
}

/// One of this id.
///
/// # Errors
/// The database.
pub async fn get(
    conn: &mut PgConnection,
    id: OrganizationId,
) -> sqlx::Result<Option<Organization>> {
    let row = sqlx::query_as!(
        Row,
        "select id, slug, name, plan, second_factor, created_at
         from control.organization where id = $1",
        id.0,
    );
    row.fetch_optional(conn).await?.map(Organization::try_from).transpose()
}

/// The one that blueprints name so.
///
/// # Errors
/// The database.
pub async fn by_slug(conn: &mut PgConnection, slug: &Slug) -> sqlx::Result<Option<Organization>> {
    let row = sqlx::query_as!(
        Row,
        "select id, slug, name, plan, second_factor, created_at
         from control.organization where slug = $1",
        slug.as_str(),
    );
    row.fetch_optional(conn).await?.map(Organization::try_from).transpose()
}

/// Until the transaction ends nobody else changes who is in it, or writes a line of its audit. What
/// refers to it holds its key, which is left to others.
///
/// # Errors
/// The database.
pub async fn lock(conn: &mut PgConnection, id: OrganizationId) -> sqlx::Result<()> {
    let locked = "select 1 from control.organization where id = $1 for no key update";
    sqlx::query(locked).bind(id.0).execute(conn).await?;
    Ok(())
}

/// From now on this is asked of its members; what it was before.
///
/// # Errors
/// The database.
pub async fn set_second_factor(
    conn: &mut PgConnection,
    id: OrganizationId,
    wanted: SecondFactor,
) -> sqlx::Result<SecondFactor> {
    lock(&mut *conn, id).await?;
    let before =
        sqlx::query_scalar!("select second_factor from control.organization where id = $1", id.0,);
    let before = before.fetch_one(&mut *conn).await?;
    sqlx::query!(
        "update control.organization set second_factor = $2 where id = $1",
        id.0,
        wanted.word(),
    )
    .execute(conn)
    .await?;
    before.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

struct Row {
    id: uuid::Uuid,
    slug: String,
    name: String,
    plan: String,
    second_factor: String,
    created_at: jiff_sqlx::Timestamp,
}

impl TryFrom<Row> for Organization {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: OrganizationId(row.id),
            slug: row.slug.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            name: row.name,
            plan: row.plan.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            second_factor: row
                .second_factor
                .parse()
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            created_at: row.created_at.to_jiff(),
        })
    }
}
