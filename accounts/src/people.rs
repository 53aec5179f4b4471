//! The table of people.
//!
//! There is always an active owner once there was one: whoever would take the last one away gets
//! [`ChangeError::LastOwner`]. The rule is inside the statements that change. They lock the owners
//! and the person first, so that two owners who demote each other at once do not both succeed; and
//! always in the same order, so that neither waits for the other for ever.
//!
//! How many people may be here is for the caller to say. Everybody holds a place but the
//! suspended; nobody loses one because there are too many.
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::new_id;
use crate::{DisplayName, Email, Permission, Person, Role, Status, sessions};

/// Somebody to be added.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// Not yet taken by anybody.
    pub email: Email,
    /// What others see.
    pub display_name: DisplayName,
    /// What the person may do.
    pub role: Role,
    /// Whether the person may sign in at once.
    pub status: Status,
}

/// Why nobody was added.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Somebody has this address already.
    #[error("this e-mail address has an account already")]
    EmailTaken,
    /// The database.
    #[error("create a person")]
    Store(#[from] sqlx::Error),
}

/// Why a person was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is nobody with this id.
    #[error("there is no such person")]
    NoPerson,
    /// Who asks may not do this; owners are changed by owners only.
    #[error("your role does not allow this")]
    NotAllowed,
    /// Somebody has to own the platform.
    #[error("this is the last owner; make somebody else an owner first")]
    LastOwner,
    /// As many people are here as may be.
    #[error("there is no place left; suspend somebody else first")]
    NoPlace,
    /// The database.
    #[error("change a person")]
    Store(#[from] sqlx::Error),
}

/// Some people, the newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most as many as asked for.
    pub people: Vec<Person>,
    /// Where the next page starts, if there is one.
    pub next: Option<Uuid>,
}

/// Adds a person, whoever asks: what the asker may do is the caller's to check.
pub async fn create(
    conn: &mut PgConnection,
    new: &NewPerson,
    now: Timestamp,
) -> Result<Person, CreateError> {
    // The constraint decides, and as it raises no error the transaction stays usable.
    let row = sqlx::query_as!(
        PersonRow,
        "insert into accounts.person (id, email, display_name, role, status, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint person_email_key do nothing
         returning id, email, display_name, role, status, created_at",
        new_id(now),
        new.email.as_str(),
        new.display_name.as_str(),
        new.role.as_str(),
        new.status.as_str(),
        now.to_sqlx(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.ok_or(CreateError::EmailTaken)?.try_into()?)
}

/// The person with this id.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Person>> {
    sqlx::query_as!(
        PersonRow,
        "select id, email, display_name, role, status, created_at
         from accounts.person where id = $1",
        id,
    )
    .fetch_optional(conn)
    .await?
    .map(Person::try_from)
    .transpose()
}

/// The person with this address.
pub async fn by_email(conn: &mut PgConnection, email: &Email) -> sqlx::Result<Option<Person>> {
    sqlx::query_as!(
        PersonRow,
        "select id, email, display_name, role, status, created_at
         from accounts.person where email = $1",
        email.as_str(),
    )
    .fetch_optional(conn)
    .await?
    .map(Person::try_from)
    .transpose()
}

/// The active owner who has been here longest, if there is any owner.
pub async fn first_owner(conn: &mut PgConnection) -> sqlx::Result<Option<Person>> {
    sqlx::query_as!(
        PersonRow,
        "select id, email, display_name, role, status, created_at
         from accounts.person where role = 'owner' and status = 'active' order by id limit 1",
    )
    .fetch_optional(conn)
    .await?
    .map(Person::try_from)
    .transpose()
}

/// People from the newest on, or from where the former page ended; 1 to 200 of them.
pub async fn list(conn: &mut PgConnection, from: Option<Uuid>, limit: usize) -> sqlx::Result<Page> {
    let limit = limit.clamp(1, 200);
    let mut people = sqlx::query_as!(
        PersonRow,
        "select id, email, display_name, role, status, created_at
         from accounts.person where id <= $1
         order by id desc limit $2",
        from.unwrap_or(Uuid::max()),
        // One more than asked for shows whether there is a next page, and where it starts.
        i64::try_from(limit + 1).unwrap_or(i64::MAX),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Person::try_from)
    .collect::<sqlx::Result<Vec<_>>>()?;
    let next = people.get(limit).map(|person| person.id);
    people.truncate(limit);
    Ok(Page { people, next })
}

/// How many people there are, whatever their status.
pub async fn count(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from accounts.person"#).fetch_one(conn).await
}

/// How many wait to be let in.
pub async fn waiting(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from accounts.person where status = 'pending'"#
    )
    .fetch_one(conn)
    .await
}

/// How many hold a place: all but the suspended.
pub async fn places_taken(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from accounts.person where status <> 'suspended'"#
    )
    .fetch_one(conn)
    .await
}

/// Whether all who are here fit into so many places, asked after one came and in the transaction
/// in which that one came. Until its end nobody else gets an answer, so that of two who come for
/// the last place one gets it.
pub(crate) async fn fit(conn: &mut PgConnection, places: Option<u32>) -> sqlx::Result<bool> {
    let Some(places) = places else { return Ok(true) };
    sqlx::query!("select pg_advisory_xact_lock(hashtext('accounts.person: places'))")
        .execute(&mut *conn)
        .await?;
    Ok(places_taken(conn).await? <= i64::from(places))
}

/// Gives a person another role, asked by somebody of role `by`.
pub async fn set_role(
    conn: &mut PgConnection,
    by: Role,
    id: Uuid,
    role: Role,
) -> Result<Person, ChangeError> {
    let changed = sqlx::query_as!(
        PersonRow,
        "with locked as materialized (
             select id, role, status from accounts.person
             where id = $1 or (role = 'owner' and status = 'active')
             order by id for no key update
         ), owners as (
             select id from locked where role = 'owner' and status = 'active'
         )
         update accounts.person set role = $2
         where id = $1
           and $3
           and ($4 or (role <> 'owner' and $2 <> 'owner'))
           and ($2 = 'owner'
                or id not in (select id from owners)
                or (select count(*) from owners) > 1)
         returning id, email, display_name, role, status, created_at",
        id,
        role.as_str(),
        by.may(Permission::ManagePeople),
        by == Role::Owner,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match changed {
        Some(row) => Ok(row.try_into()?),
        None => Err(why_unchanged(conn, by, id, role).await),
    }
}

/// Shuts a person out and ends all of the person's sessions, asked by somebody of role `by`.
pub async fn suspend(conn: &mut PgConnection, by: Role, id: Uuid) -> Result<Person, ChangeError> {
    let changed = sqlx::query_as!(
        PersonRow,
        "with locked as materialized (
             select id, role, status from accounts.person
             where id = $1 or (role = 'owner' and status = 'active')
             order by id for no key update
         ), owners as (
             select id from locked where role = 'owner' and status = 'active'
         )
         update accounts.person set status = 'suspended'
         where id = $1
           and $2
           and ($3 or role <> 'owner')
           and (id not in (select id from owners) or (select count(*) from owners) > 1)
         returning id, email, display_name, role, status, created_at",
        id,
        by.may(Permission::ManagePeople),
        by == Role::Owner,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = changed else {
        return Err(why_unchanged(conn, by, id, Role::User).await);
    };
    // Not what shuts out (a session of somebody suspended counts for nothing), but should the
    // person come back, old sessions must not.
    sessions::end_all(conn, id).await?;
    Ok(row.try_into()?)
}

/// Lets a person in, who was pending or suspended, asked by somebody of role `by`. Who was
/// suspended needs one of the `places` again. Call it in a transaction, and roll back on an error.
pub async fn activate(
    conn: &mut PgConnection,
    by: Role,
    id: Uuid,
    places: Option<u32>,
) -> Result<Person, ChangeError> {
    let changed = sqlx::query!(
        r#"with former as materialized (
             select id, status from accounts.person where id = $1 for no key update
         )
         update accounts.person set status = 'active' from former
         where person.id = former.id and $2 and ($3 or role <> 'owner')
         returning person.id, email, display_name, role, person.status, created_at,
             former.status = 'suspended' as "was_suspended!""#,
        id,
        by.may(Permission::ManagePeople),
        by == Role::Owner,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = changed else {
        return Err(why_unchanged(conn, by, id, Role::User).await);
    };
    if row.was_suspended && !fit(conn, places).await? {
        return Err(ChangeError::NoPlace);
    }
    let row = PersonRow {
        id: row.id,
        email: row.email,
        display_name: row.display_name,
        role: row.role,
        status: row.status,
        created_at: row.created_at,
    };
    Ok(row.try_into()?)
}

/// Only for the words: that nothing was changed is decided already.
async fn why_unchanged(conn: &mut PgConnection, by: Role, id: Uuid, wanted: Role) -> ChangeError {
    match get(conn, id).await {
        Err(error) => error.into(),
        Ok(None) => ChangeError::NoPerson,
        Ok(Some(person)) if !by.may_change(person.role, wanted) => ChangeError::NotAllowed,
        Ok(Some(_)) => ChangeError::LastOwner,
    }
}

/// A row of `accounts.person`.
pub(crate) struct PersonRow {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) display_name: String,
    pub(crate) role: String,
    pub(crate) status: String,
    pub(crate) created_at: jiff_sqlx::Timestamp,
}

impl TryFrom<PersonRow> for Person {
    type Error = sqlx::Error;

    fn try_from(row: PersonRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id,
            email: Email::stored(row.email),
            display_name: DisplayName::stored(row.display_name),
            role: row.role.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            status: row.status.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            created_at: row.created_at.to_jiff(),
        })
    }
}
