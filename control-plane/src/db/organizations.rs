//! Organizations.

use blueprint::status::Account;
use blueprint::{PlanName, Slug};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::id::OrganizationId;
use crate::domain::policy::Policy;

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
    /// What it asks of those who come in.
    pub policy: Policy,
    /// Since when.
    pub created_at: Timestamp,
}

impl Organization {
    /// What is confirmed of it to its platforms.
    pub fn account(&self) -> Account {
        Account {
            organization: self.slug.clone(),
            plan: self.plan,
            entitlements: self.plan.entitlements(),
            staff: self.policy.staff(),
        }
    }
}

/// Makes one; false where there is another one of that slug.
///
/// # Errors
/// The database.
pub async fn create(conn: &mut PgConnection, new: &Organization) -> sqlx::Result<bool> {
    let made = sqlx::query!(
        "insert into control.organization (id, slug, name, plan, policy, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (slug) do nothing",
        new.id.0,
        new.slug.as_str(),
        new.name,
        new.plan.as_str(),
        Json(&new.policy) as _,
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
        "select id, slug, name, plan, policy as \"policy: _\", created_at
         from control.organization where id = $1",
        id.0,
    );
    row.fetch_optional(conn).await?.map(Organization::try_from).transpose()
}

/// The id of the one that blueprints name so.
///
/// # Errors
/// The database.
pub async fn id_of(conn: &mut PgConnection, slug: &Slug) -> sqlx::Result<Option<OrganizationId>> {
    let id = "select id from control.organization where slug = $1";
    let id = sqlx::query_scalar(id).bind(slug.as_str()).fetch_optional(conn).await?;
    Ok(id.map(OrganizationId))
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

/// What it asks of those who come in.
///
/// # Errors
/// The database; where there is no such organization.
pub async fn policy(conn: &mut PgConnection, id: OrganizationId) -> sqlx::Result<Policy> {
    let policy = sqlx::query_scalar!(
        r#"select policy as "policy: Json<Policy>" from control.organization where id = $1"#,
        id.0,
    );
    Ok(policy.fetch_one(conn).await?.0)
}

/// From now on it asks this. Lock it before.
///
/// # Errors
/// The database.
pub async fn set_policy(
    conn: &mut PgConnection,
    id: OrganizationId,
    wanted: &Policy,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.organization set policy = $2 where id = $1",
        id.0,
        Json(wanted) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct Row {
    id: uuid::Uuid,
    slug: String,
    name: String,
    plan: String,
    policy: Json<Policy>,
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
            policy: row.policy.0,
            created_at: row.created_at.to_jiff(),
        })
    }
}
