//! Tickets and what was said in them.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::id::{OrganizationId, PlatformId, TicketId};
use crate::domain::ticket::{NoSuchWord, Text, Ticket};

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// From 1 on.
    pub number: i32,
    /// Who: a person, a key, or [`SUPPORT`](crate::domain::ticket::SUPPORT).
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// Stores a new one, with nothing said yet.
///
/// # Errors
/// The database.
pub async fn create(conn: &mut PgConnection, new: &Ticket) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into control.ticket
             (id, organization, platform, subject, urgency, state, by, created_at, changed_at, messages)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new.id.0,
        new.organization.0,
        new.platform.map(|platform| platform.0),
        new.subject,
        new.urgency.word(),
        new.state.word(),
        new.by,
        new.created_at.to_sqlx(),
        new.changed_at.to_sqlx(),
        new.messages,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// It stands so from now on. Of one that was read under its lock.
///
/// # Errors
/// The database.
pub async fn save(conn: &mut PgConnection, ticket: &Ticket) -> sqlx::Result<()> {
    sqlx::query!(
        "update control.ticket set state = $2, changed_at = $3, messages = $4 where id = $1",
        ticket.id.0,
        ticket.state.word(),
        ticket.changed_at.to_sqlx(),
        ticket.messages,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps what was said last in a ticket; by whom.
///
/// # Errors
/// The database.
pub async fn say(
    conn: &mut PgConnection,
    ticket: &Ticket,
    (by, text): (&str, &Text),
) -> sqlx::Result<Message> {
    let message = Message {
        number: ticket.messages,
        by: by.to_owned(),
        at: ticket.changed_at,
        text: text.as_str().to_owned(),
    };
    sqlx::query!(
        "insert into control.ticket_message (ticket, number, by, at, text)
         values ($1, $2, $3, $4, $5)",
        ticket.id.0,
        message.number,
        message.by,
        message.at.to_sqlx(),
        message.text,
    )
    .execute(conn)
    .await?;
    Ok(message)
}

/// How many an organization has that are not closed.
///
/// # Errors
/// The database.
pub async fn count_open(
    conn: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from control.ticket
           where organization = $1 and state <> 'closed'"#,
        organization.0,
    )
    .fetch_one(conn)
    .await
}

/// How many an organization has made since then, closed or not.
///
/// # Errors
/// The database.
pub async fn count_made(
    conn: &mut PgConnection,
    organization: OrganizationId,
    since: Timestamp,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from control.ticket
           where organization = $1 and created_at > $2"#,
        organization.0,
        since.to_sqlx(),
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
    id: TicketId,
) -> sqlx::Result<Option<Ticket>> {
    let row = sqlx::query_as!(
        Row,
        "select id, organization, platform, subject, urgency, state, by, created_at, changed_at, messages
         from control.ticket where organization = $1 and id = $2",
        organization.0,
        id.0,
    );
    row.fetch_optional(conn).await?.map(Ticket::try_from).transpose()
}

/// Whose a ticket is.
///
/// # Errors
/// The database.
pub async fn owner(conn: &mut PgConnection, id: TicketId) -> sqlx::Result<Option<OrganizationId>> {
    let owner = sqlx::query_scalar!("select organization from control.ticket where id = $1", id.0);
    Ok(owner.fetch_optional(conn).await?.map(OrganizationId))
}

/// Those of an organization, the newest first, from before this one on.
///
/// # Errors
/// The database.
pub async fn list(
    conn: &mut PgConnection,
    organization: OrganizationId,
    before: Option<TicketId>,
    limit: usize,
) -> sqlx::Result<Vec<Ticket>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, organization, platform, subject, urgency, state, by, created_at, changed_at, messages
         from control.ticket where organization = $1 and id < $2 order by id desc limit $3",
        organization.0,
        before.map_or(Uuid::max(), |before| before.0),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    rows.fetch_all(conn).await?.into_iter().map(Ticket::try_from).collect()
}

/// Those of all organizations that are not closed, each with its organization's slug: those that wait
/// for an answer before the others, outages before questions, the oldest first. Of each organization so
/// many at most, and so many together.
///
/// # Errors
/// The database.
pub async fn unsettled(
    conn: &mut PgConnection,
    (of_each, limit): (usize, usize),
) -> sqlx::Result<Vec<(Ticket, String)>> {
    let rows = sqlx::query!(
        "select ticket.id, organization, platform, subject, urgency, state, by, ticket.created_at,
                changed_at, messages, slug
         from control.ticket join control.organization on organization.id = organization
         join (select id as placed, row_number() over (
                   partition by organization
                   order by state, array_position(array['outage', 'problem', 'question'], urgency),
                            changed_at, id
               ) as place
               from control.ticket where state <> 'closed') as waiting on placed = ticket.id
         where place <= $1
         order by state, array_position(array['outage', 'problem', 'question'], urgency), changed_at,
                  ticket.id
         limit $2",
        i64::try_from(of_each).unwrap_or(i64::MAX),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let ticket = Row {
            id: row.id,
            organization: row.organization,
            platform: row.platform,
            subject: row.subject,
            urgency: row.urgency,
            state: row.state,
            by: row.by,
            created_at: row.created_at,
            changed_at: row.changed_at,
            messages: row.messages,
        };
        Ok((Ticket::try_from(ticket)?, row.slug))
    })
    .collect()
}

/// What was said in a ticket, the first thing first, from behind this one on.
///
/// # Errors
/// The database.
pub async fn messages(
    conn: &mut PgConnection,
    ticket: TicketId,
    after: i32,
    limit: usize,
) -> sqlx::Result<Vec<Message>> {
    let rows = sqlx::query!(
        "select number, by, at, text from control.ticket_message
         where ticket = $1 and number > $2 order by number limit $3",
        ticket.0,
        after,
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = rows.fetch_all(conn).await?.into_iter().map(|row| Message {
        number: row.number,
        by: row.by,
        at: row.at.to_jiff(),
        text: row.text,
    });
    Ok(rows.collect())
}

struct Row {
    id: Uuid,
    organization: Uuid,
    platform: Option<Uuid>,
    subject: String,
    urgency: String,
    state: String,
    by: String,
    created_at: jiff_sqlx::Timestamp,
    changed_at: jiff_sqlx::Timestamp,
    messages: i32,
}

impl TryFrom<Row> for Ticket {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let unread = |error: NoSuchWord| sqlx::Error::Decode(Box::new(error));
        Ok(Self {
            id: TicketId(row.id),
            organization: OrganizationId(row.organization),
            platform: row.platform.map(PlatformId),
            subject: row.subject,
            urgency: row.urgency.parse().map_err(unread)?,
            state: row.state.parse().map_err(unread)?,
            by: row.by,
            created_at: row.created_at.to_jiff(),
            changed_at: row.changed_at.to_jiff(),
            messages: row.messages,
        })
    }
}
