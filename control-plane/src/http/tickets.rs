//! Tickets: what an organization asks whoever runs the fleet.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::db::{platforms, tickets as table};
use crate::domain::id::{PlatformId, TicketId};
use crate::domain::page::{NoPage, Page, Wanted};
use crate::domain::scope::Scope;
use crate::domain::ticket::{self, NoText, Side, State as Far, Subject, Text, Urgency};
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::http::once::Once;
use crate::http::sent::{Key as Idempotency, Sent};
use crate::tickets::{self, New, Who};

/// Something that the organization asked.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// Its id.
    #[schema(value_type = String)]
    pub id: TicketId,
    /// The id of the platform that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub platform: Option<PlatformId>,
    /// What it is about.
    pub subject: String,
    /// How much it matters.
    pub urgency: Urgency,
    /// `open`: Support is to answer; `waiting`: the organization is; `closed`.
    pub state: Far,
    /// The id of the person or key that asked.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When somebody said something last, or it was closed.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// How many messages it has.
    pub messages: i32,
}

impl From<ticket::Ticket> for Ticket {
    fn from(it: ticket::Ticket) -> Self {
        Self {
            id: it.id,
            platform: it.platform,
            subject: it.subject,
            urgency: it.urgency,
            state: it.state,
            by: it.by,
            created_at: it.created_at,
            changed_at: it.changed_at,
            messages: it.messages,
        }
    }
}

/// Something that was said in a ticket.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// From 1 on.
    pub number: i32,
    /// The id of the person or key that said it; `support` of those who run the fleet.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What: plain text.
    pub text: String,
}

impl From<table::Message> for Message {
    fn from(it: table::Message) -> Self {
        let table::Message { number, by, at, text } = it;
        Self { number, by, at, text }
    }
}

/// A ticket that is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedTicket {
    /// What it is about, on one line.
    #[schema(min_length = 1, max_length = 200)]
    pub subject: String,
    /// How much it matters.
    pub urgency: Urgency,
    /// The id of the platform that it is about; left out: of none.
    #[serde(default)]
    pub platform: Option<String>,
    /// What is asked: plain text.
    #[schema(min_length = 1, max_length = 10_000)]
    pub text: String,
}

/// Something that is to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedMessage {
    /// Plain text.
    #[schema(min_length = 1, max_length = 10_000)]
    pub text: String,
}

/// What the organization asked, the latest first.
#[utoipa::path(
    get, path = "/v1/tickets", operation_id = "listTickets", tag = "tickets", params(Wanted),
    responses((status = 200, body = Page<Ticket>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Ticket>>> {
    caller.may(Scope::PlatformsRead)?;
    let (before, limit) = wanted.read()?;
    let before = before.map(|text| text.parse()).transpose().map_err(|_| NoPage::After)?;
    let mut conn = app.conn().await?;
    let found = table::list(&mut conn, caller.organization(), before, limit + 1).await?;
    let items = found.into_iter().map(Ticket::from).collect();
    Ok(Json(Page::of(items, limit, |it: &Ticket| it.id.to_string())))
}

/// Asks whoever runs the fleet. Sent again with the same `Idempotency-Key` it has the same answer, and is
/// done once. 409 with `too-many-tickets`: 100 of the organization are not closed; 429 with
/// `too-many-tickets-made`: it made 100 within 24 hours.
#[utoipa::path(
    post, path = "/v1/tickets", operation_id = "createTicket", tag = "tickets",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 letters of your choice")),
    request_body = WantedTicket, responses((status = 201, body = Ticket))
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    sent: Sent<WantedTicket>,
) -> Result<Response> {
    caller.may(Scope::TicketsWrite)?;
    let WantedTicket { subject, urgency, platform, text } = sent.value;
    let once = Once::of(sent.key, sent.hash);
    let subject = Subject::read(&subject).map_err(|why| unreadable("subject", why))?;
    let text = Text::read(&text).map_err(|why| unreadable("text", why))?;
    let (mut tx, now) = (app.begin().await?, app.now());
    if let Some(answer) = once.before(&mut tx, &caller, now).await? {
        return Ok(answer);
    }
    let platform = match platform {
        None => None,
        Some(id) => {
            let id: PlatformId = id.parse().map_err(|_| Error::Nothing("platform"))?;
            let owned = platforms::get(&mut tx, caller.organization(), id).await?;
            Some(owned.ok_or(Error::Nothing("platform"))?.id)
        }
    };
    let new = New { subject, urgency, platform, text };
    let made = tickets::open(&mut tx, who(&caller), new, now).await?;
    let made = json!(Ticket::from(made));
    once.after(&mut tx, &caller, (StatusCode::CREATED, &made), now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Something that the organization asked.
#[utoipa::path(
    get, path = "/v1/tickets/{id}", operation_id = "getTicket", tag = "tickets",
    params(("id" = String, Path, description = "The ticket's id")),
    responses((status = 200, body = Ticket))
)]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Ticket>> {
    caller.may(Scope::PlatformsRead)?;
    let mut conn = app.conn().await?;
    let found = table::get(&mut conn, caller.organization(), read(&id)?).await?;
    Ok(Json(found.ok_or(Error::Nothing("ticket"))?.into()))
}

/// What was said in a ticket, the first thing first.
#[utoipa::path(
    get, path = "/v1/tickets/{id}/messages", operation_id = "listTicketMessages", tag = "tickets",
    params(("id" = String, Path, description = "The ticket's id"), Wanted),
    responses((status = 200, body = Page<Message>))
)]
pub async fn messages(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Message>>> {
    caller.may(Scope::PlatformsRead)?;
    let (after, limit) = wanted.read()?;
    let after = after.map(|text| text.parse()).transpose().map_err(|_| NoPage::After)?;
    let mut conn = app.conn().await?;
    let found = table::get(&mut conn, caller.organization(), read(&id)?).await?;
    let ticket = found.ok_or(Error::Nothing("ticket"))?;
    let found = table::messages(&mut conn, ticket.id, after.unwrap_or(0), limit + 1).await?;
    let items = found.into_iter().map(Message::from).collect();
    Ok(Json(Page::of(items, limit, |it: &Message| it.number.to_string())))
}

/// Says something more in a ticket; one that was closed within the last 30 days is open again by it. Sent
/// again with the same `Idempotency-Key` it has the same answer, and is done once. 409 with `ticket-full`:
/// it has 200 messages; with `ticket-over`: it was closed earlier; with `too-many-tickets`: it would be open
/// again, and 100 of the organization are.
#[utoipa::path(
    post, path = "/v1/tickets/{id}/messages", operation_id = "createTicketMessage", tag = "tickets",
    params(
        ("id" = String, Path, description = "The ticket's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 letters of your choice"),
    ),
    request_body = WantedMessage, responses((status = 201, body = Message))
)]
pub async fn say(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    sent: Sent<WantedMessage>,
) -> Result<Response> {
    caller.may(Scope::TicketsWrite)?;
    let id = read(&id)?;
    let once = Once::of(sent.key, sent.hash);
    let text = Text::read(&sent.value.text).map_err(|why| unreadable("text", why))?;
    let (mut tx, now) = (app.begin().await?, app.now());
    if let Some(answer) = once.before(&mut tx, &caller, now).await? {
        return Ok(answer);
    }
    let said = tickets::say(&mut tx, who(&caller), (id, &text), now).await?;
    let said = json!(Message::from(said));
    once.after(&mut tx, &caller, (StatusCode::CREATED, &said), now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(said)).into_response())
}

/// Closes a ticket. One that is closed stays as it is.
#[utoipa::path(
    post, path = "/v1/tickets/{id}/close", operation_id = "closeTicket", tag = "tickets",
    params(("id" = String, Path, description = "The ticket's id")),
    responses((status = 200, body = Ticket))
)]
pub async fn close(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    _: Idempotency,
) -> Result<Json<Ticket>> {
    caller.may(Scope::TicketsWrite)?;
    let id = read(&id)?;
    let mut tx = app.begin().await?;
    let closed = tickets::close(&mut tx, who(&caller), id, app.now()).await?;
    tx.commit().await?;
    Ok(Json(closed.into()))
}

/// The caller, who speaks for their organization.
pub fn who(caller: &Caller) -> Who<'_> {
    let (organization, actor) = (caller.organization(), caller.actor());
    Who { organization, actor, side: Side::Organization }
}

/// The id of a ticket; what can be none is none's.
///
/// # Errors
/// [`Error::Nothing`]
pub fn read(id: &str) -> Result<TicketId> {
    id.parse().map_err(|_| Error::Nothing("ticket"))
}

fn unreadable(field: &str, why: NoText) -> Error {
    Error::Unreadable(format!("{field}: {why}"))
}
