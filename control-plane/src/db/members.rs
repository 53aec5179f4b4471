//! The people of organizations.

use accounts::{Email, sessions};
use blueprint::{PlanName, Slug};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::db::organizations::{self, Organization};
use crate::domain::id::{OrganizationId, PersonId};
use crate::domain::policy::Policy;
use crate::domain::role::Role;

/// A person in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub person: PersonId,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// What they are there.
    pub role: Role,
    /// Since when.
    pub added_at: Timestamp,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was made; what they were before.
    From(Role),
    /// They are none there.
    NoMember,
    /// They are the last owner, and somebody has to be it.
    LastOwner,
}

/// Makes a person a member; false where they are one already.
///
/// # Errors
/// The database.
pub async fn add(
    conn: &mut PgConnection,
    organization: OrganizationId,
    (person, role): (PersonId, Role),
    now: Timestamp,
) -> sqlx::Result<bool> {
    let added = sqlx::query!(
        "insert into control.member (organization, person, role, added_at) values ($1, $2, $3, $4)
         on conflict do nothing",
        organization.0,
        person.0,
        role.word(),
        now.to_sqlx(),
    );
    Ok(added.execute(conn).await?.rows_affected() == 1)
}

/// What a person is in the organization of this slug, and which that is; `None` where they are none.
///
/// # Errors
/// The database.
pub async fn seat(
    conn: &mut PgConnection,
    slug: &Slug,
    person: PersonId,
) -> sqlx::Result<Option<(Organization, Role)>> {
    // In one question: an organization that they are not in takes as long as one that is nowhere.
    let row = sqlx::query!(
        r#"select organization.id, name, plan, policy as "policy: Json<Policy>", created_at, role
         from control.organization join control.member on organization = organization.id
         where slug = $1 and person = $2"#,
        slug.as_str(),
        person.0,
    );
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    let (id, created_at) = (OrganizationId(row.id), row.created_at.to_jiff());
    let (slug, name) = (slug.clone(), row.name);
    let plan = row.plan.parse::<PlanName>();
    let plan = plan.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let policy = row.policy.0;
    let organization = Organization { id, slug, name, plan, policy, created_at };
    Ok(Some((organization, parsed(&row.role)?)))
}

/// What a person is in an organization.
///
/// # Errors
/// The database.
pub async fn role(
    conn: &mut PgConnection,
    organization: OrganizationId,
    person: PersonId,
) -> sqlx::Result<Option<Role>> {
    let role = sqlx::query_scalar!(
        "select role from control.member where organization = $1 and person = $2",
        organization.0,
        person.0,
    );
    role.fetch_optional(conn).await?.map(|role| parsed(&role)).transpose()
}

/// The organizations of a person by name, with what they are there.
///
/// # Errors
/// The database.
pub async fn seats(
    conn: &mut PgConnection,
    person: PersonId,
) -> sqlx::Result<Vec<(Organization, Role)>> {
    let rows = sqlx::query!(
        r#"select organization.id, slug, name, plan, policy as "policy: Json<Policy>", created_at,
             role
         from control.member join control.organization on organization.id = organization
         where person = $1 order by name, slug limit 200"#,
        person.0,
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let organization = Organization {
            id: OrganizationId(row.id),
            slug: row.slug.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            name: row.name,
            plan: row
                .plan
                .parse::<PlanName>()
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            policy: row.policy.0,
            created_at: row.created_at.to_jiff(),
        };
        Ok((organization, parsed(&row.role)?))
    })
    .collect()
}

/// The members of an organization, from behind this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    organization: OrganizationId,
    after: Option<PersonId>,
    limit: usize,
) -> sqlx::Result<Vec<Member>> {
    let rows = sqlx::query!(
        "select person, display_name, email, member.role, added_at
         from control.member join accounts.person on person.id = person
         where organization = $1 and person > $2
         order by person limit $3",
        organization.0,
        after.map(|id| id.0).unwrap_or_default(),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        Ok(Member {
            person: PersonId(row.person),
            name: row.display_name,
            email: row.email,
            role: parsed(&row.role)?,
            added_at: row.added_at.to_jiff(),
        })
    })
    .collect()
}

/// How many members a password alone lets in.
///
/// # Errors
/// The database.
pub async fn without_second_factor(
    conn: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from control.member
           where organization = $1 and not exists (
               select from accounts.totp
               where person_id = member.person and confirmed_at is not null
           )"#,
        organization.0,
    )
    .fetch_one(conn)
    .await
}

/// From now on they are this there.
///
/// # Errors
/// The database.
pub async fn set_role(
    conn: &mut PgConnection,
    organization: OrganizationId,
    person: PersonId,
    role: Role,
) -> sqlx::Result<Changed> {
    let changed = changeable(&mut *conn, organization, person, Some(role)).await?;
    if let Changed::From(_) = changed {
        sqlx::query!(
            "update control.member set role = $3 where organization = $1 and person = $2",
            organization.0,
            person.0,
            role.word(),
        )
        .execute(conn)
        .await?;
    }
    Ok(changed)
}

/// From now on they are none there.
///
/// # Errors
/// The database.
pub async fn remove(
    conn: &mut PgConnection,
    organization: OrganizationId,
    person: PersonId,
) -> sqlx::Result<Changed> {
    let changed = changeable(&mut *conn, organization, person, None).await?;
    if let Changed::From(_) = changed {
        sqlx::query!(
            "delete from control.member where organization = $1 and person = $2",
            organization.0,
            person.0,
        )
        .execute(&mut *conn)
        .await?;
        // Should they come back, what they came in by here is to be shown anew.
        sessions::end_of_person_within(conn, person.0, organization.0).await?;
    }
    Ok(changed)
}

/// Whether that can be; until the transaction ends nobody else changes members there.
async fn changeable(
    conn: &mut PgConnection,
    organization: OrganizationId,
    person: PersonId,
    wanted: Option<Role>,
) -> sqlx::Result<Changed> {
    organizations::lock(&mut *conn, organization).await?;
    let Some(now) = role(&mut *conn, organization, person).await? else {
        return Ok(Changed::NoMember);
    };
    if now != Role::Owner || wanted == Some(Role::Owner) {
        return Ok(Changed::From(now));
    }
    let others = sqlx::query_scalar!(
        r#"select exists (
               select from control.member
               where organization = $1 and person <> $2 and role = 'owner'
           ) as "exists!""#,
        organization.0,
        person.0,
    );
    let others = others.fetch_one(conn).await?;
    Ok(if others { Changed::From(now) } else { Changed::LastOwner })
}

/// Whether somebody of this address is a member.
///
/// # Errors
/// The database.
pub async fn has(
    conn: &mut PgConnection,
    organization: OrganizationId,
    email: &Email,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from control.member join accounts.person on person.id = person
               where organization = $1 and email = $2
           ) as "exists!""#,
        organization.0,
        email.as_str(),
    )
    .fetch_one(conn)
    .await
}

pub(super) fn parsed(role: &str) -> sqlx::Result<Role> {
    role.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
