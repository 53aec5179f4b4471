//! Tickets, as those who run the fleet read them.

use std::collections::BTreeMap;

use sqlx::PgPool;

use super::TicketError;
use crate::db::{names, tickets};
use crate::domain::id::TicketId;
use crate::domain::ticket::{MOST_MESSAGES, SUPPORT, State};

/// So many are listed.
const LISTED: usize = 500;
/// And so many of one organization: none hides the others.
const OF_EACH: usize = 20;

/// A line for each ticket of any organization that is not closed: those that wait for an answer first.
/// Of an organization that has many of them, the first.
///
/// # Errors
/// The database.
pub async fn list(db: &PgPool) -> Result<Vec<String>, TicketError> {
    let found = tickets::unsettled(&mut *db.acquire().await?, (OF_EACH, LISTED + 1)).await?;
    let is_all = found.len() <= LISTED;
    let mut of_each = BTreeMap::<String, usize>::new();
    for (_, slug) in &found {
        *of_each.entry(slug.clone()).or_default() += 1;
    }
    let lines = found.into_iter().take(LISTED).map(|(ticket, slug)| {
        let state = told(ticket.state);
        format!(
            "{}  {}  {state}  since {}  {slug}  {}",
            ticket.id, ticket.urgency, ticket.changed_at, ticket.subject
        )
    });
    let more =
        (!is_all).then(|| format!("and more than these {LISTED}: answer some, and look again"));
    let many = of_each.into_iter().filter(|(_, count)| *count >= OF_EACH);
    let many = many.map(|(slug, _)| {
        format!("{slug} may have more than these {OF_EACH}: answer some, and look again")
    });
    Ok(lines.chain(many).chain(more).collect())
}

/// All of a ticket.
///
/// # Errors
/// [`TicketError`]
pub async fn show(db: &PgPool, id: TicketId) -> Result<Vec<String>, TicketError> {
    let mut conn = db.acquire().await?;
    let organization = tickets::owner(&mut conn, id).await?.ok_or(TicketError::Nothing)?;
    let ticket = tickets::get(&mut conn, organization, id).await?.ok_or(TicketError::Nothing)?;
    let most = usize::try_from(MOST_MESSAGES).unwrap_or(usize::MAX);
    let messages = tickets::messages(&mut conn, id, 0, most).await?;
    let names = names::of(&mut conn, organization, messages.iter().map(|it| &*it.by)).await?;
    let mut lines = vec![
        ticket.subject.clone(),
        format!("{}  {}  {}  of {organization}", ticket.id, ticket.urgency, told(ticket.state)),
    ];
    lines.extend(ticket.platform.map(|platform| format!("about {platform}")));
    for message in messages {
        let by = if message.by == SUPPORT { "Support".to_owned() } else { names.of(&message.by) };
        lines.push(format!("\n{}. {by}, {}", message.number, message.at));
        // What is said cannot look like what stands around it.
        lines.extend(message.text.lines().map(|line| format!("> {line}")));
    }
    Ok(lines)
}

fn told(state: State) -> &'static str {
    match state {
        State::Open => "waits for an answer",
        State::Waiting => "was answered",
        State::Closed => "is closed",
    }
}
