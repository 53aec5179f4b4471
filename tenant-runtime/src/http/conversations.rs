//! A person's conversations: the list, the search, and one of them whole.

use accounts::sessions::SignedIn;
use axum::extract::{Path, Query, State};
use axum::response::{Html, Response};
use pages::parts::{Action, EmptyState, Pagination};
use serde::Deserialize;
use uuid::Uuid;

use super::told::{Done, Told};
use super::visitor::{Jar, Member};
use crate::app::App;
use crate::db;
use crate::domain::conversation::State as Stand;
use crate::error::{Error, Result};
use crate::view::chat::{Chat, ChatLink, Growing, History, composer, turn};
use crate::view::shell;

/// How many conversations stand at the side.
const AT_THE_SIDE: i64 = 30;
/// How many conversations a page of the history holds.
const A_PAGE: i64 = 50;

/// What to look for.
#[derive(Deserialize)]
pub struct Sought {
    #[serde(default)]
    q: String,
    #[serde(default)]
    before: Option<String>,
}

/// The history, or what was found in it.
pub async fn list(
    State(app): State<App>,
    Member(signed_in): Member,
    told: Told,
    Query(Sought { q, before }): Query<Sought>,
) -> Result<Response> {
    let mut db = app.db().acquire().await?;
    let person_id = signed_in.person.id;
    let words = q.trim();
    let found = if words.is_empty() {
        let before = before.as_deref().and_then(cursor);
        db::conversations::list(&mut db, person_id, before, A_PAGE).await?
    } else {
        let words: String = words.chars().take(200).collect();
        db::conversations::search(&mut db, person_id, &words.replace('\0', ""), A_PAGE).await?
    };
    let older = (words.is_empty() && found.len() == usize::try_from(A_PAGE).unwrap_or(0))
        .then(|| found.last())
        .flatten()
        .map(|last| format!("/conversations?before={}_{}", last.updated_at, last.id));
    let empty = if words.is_empty() {
        EmptyState {
            title: "No conversations yet".to_owned(),
            text: "Choose an agent and ask it something.".to_owned(),
            action: Some(Action::primary("Meet the agents", "/")),
        }
    } else {
        EmptyState {
            title: "Nothing found".to_owned(),
            text: "No conversation of yours has these words. Try fewer of them.".to_owned(),
            action: Some(Action::secondary("All conversations", "/conversations")),
        }
    };
    let body = History {
        query: q.clone(),
        conversations: found.iter().map(|c| ChatLink::of(c, None)).collect(),
        empty,
        pages: Pagination { next: older, ..Pagination::default() },
    };
    let mut page =
        shell::page(&app, Some(&signed_in), "/conversations", "Your conversations", body);
    page.flash = told.flash();
    Ok(told.on(Html(app.engine().render("history", &page)?)))
}

/// One conversation.
pub async fn show(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(id): Path<Uuid>,
) -> Result<Html<String>> {
    Ok(Html(page(&app, &signed_in, id, None).await?.html))
}

/// Deletes a conversation.
pub async fn delete(
    State(app): State<App>,
    Member(signed_in): Member,
    Jar(jar): Jar,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let mut tx = app.db().begin().await?;
    // Under the lock that sending takes: no answer begins between the look and the end.
    db::conversations::lock(&mut tx, signed_in.person.id, id)
        .await?
        .ok_or(Error::Nothing("conversation"))?;
    let speaking = db::messages::speaking(&mut tx, id).await?;
    db::conversations::delete(&mut tx, signed_in.person.id, id).await?;
    tx.commit().await?;
    // What nobody will read is not spoken to its end.
    if let Some(answer) = speaking.and_then(|message| app.answers().get(message)) {
        answer.stop.cancel();
    }
    Ok(Done::ConversationDeleted.and_go(jar, "/conversations"))
}

/// A rendered conversation, and the answer that is being spoken in it.
pub struct Rendered {
    /// The page.
    pub html: String,
    /// The answer under way, if any.
    pub speaking: Option<Uuid>,
}

/// Renders a conversation. `growing`: what to write in place of the answer under way, where a page
/// without scripts grows.
pub async fn page(
    app: &App,
    signed_in: &SignedIn,
    id: Uuid,
    growing: Option<&str>,
) -> Result<Rendered> {
    let mut db = app.db().acquire().await?;
    let person_id = signed_in.person.id;
    let conversation = db::conversations::get(&mut db, person_id, id)
        .await?
        .ok_or(Error::Nothing("conversation"))?;
    let agent = db::agents::version(&mut db, conversation.agent_id, conversation.agent_version)
        .await?
        .ok_or(Error::Nothing("agent"))?;
    let branch = match conversation.head_id {
        Some(head) => db::messages::branch(&mut db, id, head).await?,
        None => Vec::new(),
    };
    let recent = db::conversations::list(&mut db, person_id, None, AT_THE_SIDE).await?;
    drop(db);
    let speaking =
        branch.iter().find(|message| message.state == Stand::Streaming).map(|message| message.id);
    let name = agent.text.name;
    let turns = branch.iter().map(|message| {
        let mut shown = turn(message, &name);
        shown.growing = growing.filter(|_| shown.streaming).map(|mark| Growing {
            mark: mark.to_owned(),
            href: format!("/conversations/{id}#end"),
        });
        shown
    });
    let body = Chat {
        id,
        title: conversation.title.clone(),
        agent_href: agent.published.is_some().then(|| format!("/agents/{}", agent.slug)),
        recent: recent.iter().map(|c| ChatLink::of(c, Some(id))).collect(),
        turns: turns.collect(),
        composer: composer(format!("/conversations/{id}/messages"), &name),
        agent_name: name,
    };
    let path = format!("/conversations/{id}");
    let page = shell::page(app, Some(signed_in), &path, &conversation.title, body);
    Ok(Rendered { html: app.engine().render("chat", &page)?, speaking })
}

/// A place in the history: `TIME_ID`.
fn cursor(text: &str) -> Option<(jiff::Timestamp, Uuid)> {
    let (at, id) = text.split_once('_')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}
