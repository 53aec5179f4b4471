//! What is done with tickets, by those who ask and by those who run the fleet alike: in one transaction
//! with its line of the audit, which has webhooks be told.

pub mod told;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::db::audit::{self, Done};
use crate::db::tickets::Message;
use crate::db::{organizations, tickets};
use crate::domain::id::{OrganizationId, PlatformId, TicketId};
use crate::domain::ticket::{
    MOST_MADE, MOST_OPEN, Refusal, SUPPORT, Side, State, Subject, Text, Ticket, Urgency,
};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// There is no such ticket.
    #[error("there is no such ticket; `tickets list` has those that are not closed")]
    Nothing,
    /// There are as many as there can be.
    #[error("there are {MOST_OPEN} tickets that are not closed")]
    TooMany,
    /// As many were made of late as there can be.
    #[error("{MOST_MADE} tickets were made within a day")]
    TooManyMade,
    /// Nothing more is said in it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Who does something with a ticket.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// In whose tickets.
    pub organization: OrganizationId,
    /// As the audit names them.
    pub actor: &'a str,
    /// For whom they speak.
    pub side: Side,
}

impl Who<'_> {
    /// Whoever runs the fleet.
    fn support(organization: OrganizationId) -> Self {
        Self { organization, actor: SUPPORT, side: Side::Support }
    }
}

/// A ticket that is to be.
#[derive(Clone, Debug)]
pub struct New {
    /// What it is about.
    pub subject: Subject,
    /// How much it matters.
    pub urgency: Urgency,
    /// Which platform it is about; one of the organization's.
    pub platform: Option<PlatformId>,
    /// What is asked.
    pub text: Text,
}

/// Makes one.
///
/// # Errors
/// [`TicketError`]
pub async fn open(
    conn: &mut PgConnection,
    who: Who<'_>,
    new: New,
    now: Timestamp,
) -> Result<Ticket, TicketError> {
    organizations::lock(&mut *conn, who.organization).await?;
    if tickets::count_open(&mut *conn, who.organization).await? >= MOST_OPEN {
        return Err(TicketError::TooMany);
    }
    let since = now - SignedDuration::from_hours(24);
    if tickets::count_made(&mut *conn, who.organization, since).await? >= MOST_MADE {
        return Err(TicketError::TooManyMade);
    }
    let ticket = Ticket {
        id: TicketId(Uuid::now_v7()),
        organization: who.organization,
        platform: new.platform,
        subject: new.subject.as_str().to_owned(),
        urgency: new.urgency,
        state: State::Open,
        by: who.actor.to_owned(),
        created_at: now,
        changed_at: now,
        messages: 1,
    };
    tickets::create(&mut *conn, &ticket).await?;
    tickets::say(&mut *conn, &ticket, (who.actor, &new.text)).await?;
    let detail = json!({"urgency": ticket.urgency, "platform": ticket.platform});
    write(conn, who, ("ticket.created", ticket.id), detail, now).await?;
    Ok(ticket)
}

/// Says something in one, which is open again by that where it was closed.
///
/// # Errors
/// [`TicketError`]
pub async fn say(
    conn: &mut PgConnection,
    who: Who<'_>,
    (id, text): (TicketId, &Text),
    now: Timestamp,
) -> Result<Message, TicketError> {
    let ticket = locked(&mut *conn, who, id).await?;
    let was_closed = ticket.state == State::Closed;
    if was_closed && tickets::count_open(&mut *conn, who.organization).await? >= MOST_OPEN {
        return Err(TicketError::TooMany);
    }
    let ticket = ticket.said(who.side, now)?;
    tickets::save(&mut *conn, &ticket).await?;
    let message = tickets::say(&mut *conn, &ticket, (who.actor, text)).await?;
    let detail = json!({"message": message.number, "reopened": was_closed});
    write(conn, who, ("ticket.answered", id), detail, now).await?;
    Ok(message)
}

/// Closes one. That it was closed before is no error, and changes nothing.
///
/// # Errors
/// [`TicketError`]
pub async fn close(
    conn: &mut PgConnection,
    who: Who<'_>,
    id: TicketId,
    now: Timestamp,
) -> Result<Ticket, TicketError> {
    let ticket = locked(&mut *conn, who, id).await?;
    let Some(closed) = ticket.clone().closed(now) else { return Ok(ticket) };
    tickets::save(&mut *conn, &closed).await?;
    write(conn, who, ("ticket.closed", id), json!({}), now).await?;
    Ok(closed)
}

/// Whoever runs the fleet answers.
///
/// # Errors
/// [`TicketError`]
pub async fn answer(
    db: &PgPool,
    id: TicketId,
    text: &Text,
    now: Timestamp,
) -> Result<(), TicketError> {
    let mut tx = db.begin().await?;
    let owner = tickets::owner(&mut tx, id).await?.ok_or(TicketError::Nothing)?;
    say(&mut tx, Who::support(owner), (id, text), now).await?;
    Ok(tx.commit().await?)
}

/// Whoever runs the fleet closes one.
///
/// # Errors
/// [`TicketError`]
pub async fn settle(db: &PgPool, id: TicketId, now: Timestamp) -> Result<(), TicketError> {
    let mut tx = db.begin().await?;
    let owner = tickets::owner(&mut tx, id).await?.ok_or(TicketError::Nothing)?;
    close(&mut tx, Who::support(owner), id, now).await?;
    Ok(tx.commit().await?)
}

/// As it is, and stays until the transaction ends.
async fn locked(
    conn: &mut PgConnection,
    who: Who<'_>,
    id: TicketId,
) -> Result<Ticket, TicketError> {
    organizations::lock(&mut *conn, who.organization).await?;
    tickets::get(conn, who.organization, id).await?.ok_or(TicketError::Nothing)
}

async fn write(
    conn: &mut PgConnection,
    who: Who<'_>,
    (action, id): (&str, TicketId),
    detail: serde_json::Value,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (organization, actor) = (who.organization, who.actor);
    let done = Done { organization, actor, action, target: &id.to_string(), detail };
    audit::write(conn, done, now).await.map(drop)
}
