//! Saying something: a new message, another question in its place, another answer to it.

use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;
use web::token::Caller;

use super::visitor::Member;
use crate::app::App;
use crate::db;
use crate::domain::agent::is_slug;
use crate::domain::conversation::{
    Conversation, LONGEST_MESSAGE, Message, Role, State as Stand, prompt_of, title_of,
};
use crate::error::{Error, Result};
use crate::model_server::Question;
use crate::speaking;
use crate::view::chat;

/// The longest answer, in tokens, where the blueprint does not say.
const LONGEST_ANSWER: u32 = 512;

/// What a form sends.
#[derive(Deserialize)]
pub struct Said {
    text: String,
    #[serde(default)]
    live: Option<String>,
}

/// What a form without words sends. `live` comes from a `noscript` element: without scripts the
/// answer is watched on the page that grows.
#[derive(Deserialize)]
pub struct Pressed {
    #[serde(default)]
    live: Option<String>,
}

/// Begins a conversation with an agent by saying something.
pub async fn talk(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(slug): Path<String>,
    Form(said): Form<Said>,
) -> Result<Response> {
    let text = speakable(&said.text)?;
    if !is_slug(&slug) {
        return Err(Error::Nothing("agent"));
    }
    let now = app.now();
    let mut tx = app.db().begin().await?;
    let agent = db::agents::by_slug(&mut tx, &slug).await?.ok_or(Error::Nothing("agent"))?;
    let conversation = Conversation {
        id: Uuid::now_v7(),
        person_id: signed_in.person.id,
        agent_id: agent.id,
        agent_version: agent.version,
        title: title_of(text),
        head_id: None,
        updated_at: now,
    };
    db::conversations::insert(&mut tx, &conversation, now).await?;
    let turn = ask(&app, &mut tx, &conversation, None, text).await?;
    keep_and_answer(&app, tx, turn.answer_id, turn.question).await?;
    Ok(to_answer(conversation.id, said.live.as_deref()))
}

/// Says something more. With scripts the two new messages come back as HTML in JSON.
pub async fn say(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Form(said): Form<Said>,
) -> Result<Response> {
    let text = speakable(&said.text)?;
    let mut tx = app.db().begin().await?;
    let conversation = db::conversations::lock(&mut tx, signed_in.person.id, id)
        .await?
        .ok_or(Error::Nothing("conversation"))?;
    let turn = ask(&app, &mut tx, &conversation, conversation.head_id, text).await?;
    keep_and_answer(&app, tx, turn.answer_id, turn.question).await?;
    if !wants_json(&headers) {
        return Ok(to_answer(id, said.live.as_deref()));
    }
    let shown: Vec<_> =
        turn.new.iter().map(|message| chat::turn(message, &turn.agent_name)).collect();
    let html = chat::items(&app, &shown)?;
    Ok(Json(json!({ "html": html })).into_response())
}

/// Asks differently: a sibling of an earlier message of the person, and an answer to it.
pub async fn edit(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(id): Path<Uuid>,
    Form(said): Form<Said>,
) -> Result<Response> {
    let text = speakable(&said.text)?;
    let mut tx = app.db().begin().await?;
    let (found, conversation) = own_message(&mut tx, signed_in.person.id, id).await?;
    if found.role != Role::User {
        return Err(Error::Unusable("Only your own messages can be edited.".to_owned()));
    }
    let turn = ask(&app, &mut tx, &conversation, found.parent_id, text).await?;
    keep_and_answer(&app, tx, turn.answer_id, turn.question).await?;
    Ok(to_answer(conversation.id, said.live.as_deref()))
}

/// Asks for another answer to the same question, beside the one there is.
pub async fn again(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(id): Path<Uuid>,
    Form(pressed): Form<Pressed>,
) -> Result<Response> {
    let mut tx = app.db().begin().await?;
    let (found, conversation) = own_message(&mut tx, signed_in.person.id, id).await?;
    let (Role::Assistant, Some(asked)) = (found.role, found.parent_id) else {
        return Err(Error::Unusable("Only an answer can be made again.".to_owned()));
    };
    let turn = answer(&app, &mut tx, &conversation, asked, Vec::new()).await?;
    keep_and_answer(&app, tx, turn.answer_id, turn.question).await?;
    Ok(to_answer(conversation.id, pressed.live.as_deref()))
}

/// Shows the branch that goes through a message.
pub async fn show(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    let mut tx = app.db().begin().await?;
    let (_, conversation) = own_message(&mut tx, signed_in.person.id, id).await?;
    let leaf = db::messages::newest_leaf(&mut tx, conversation.id, id).await?;
    db::conversations::set_head(&mut tx, conversation.id, leaf, conversation.updated_at).await?;
    tx.commit().await?;
    Ok(to_conversation(conversation.id))
}

/// Stops an answer that is being spoken; a finished one stays as it is.
pub async fn stop(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response> {
    let mut db = app.db().acquire().await?;
    let found = db::messages::get(&mut db, signed_in.person.id, id)
        .await?
        .ok_or(Error::Nothing("message"))?;
    match app.answers().get(id) {
        Some(answer) => answer.stop.cancel(),
        // Nobody here speaks it. Whoever does finds it ended, and ends.
        None if found.state == Stand::Streaming => {
            let ending = (Stand::Stopped, speaking::STOPPED);
            db::messages::stop(&mut db, id, ending, app.now()).await?;
        }
        None => {}
    }
    if wants_json(&headers) {
        return Ok(Json(json!({ "stopped": true })).into_response());
    }
    Ok(to_conversation(found.conversation_id))
}

/// Commits a question and has it answered. In a task of its own: a visitor who leaves in this
/// moment ends the handler, and a question that is stored but never answered would keep the
/// conversation waiting for ever.
async fn keep_and_answer(
    app: &App,
    tx: sqlx::Transaction<'static, sqlx::Postgres>,
    answer_id: Uuid,
    question: Question,
) -> Result<()> {
    let app = app.clone();
    let kept = tokio::spawn(async move {
        // Before the commit: who deletes the conversation right after it finds what to stop.
        let answer = app.answers().begin(answer_id);
        if let Err(error) = tx.commit().await {
            app.answers().forget(answer_id);
            return Err(error);
        }
        speaking::begin(&app, answer_id, answer, question);
        Ok(())
    });
    kept.await.map_err(|error| Error::Internal(error.into()))?.map_err(Error::Database)
}

/// A question that has been stored, and what to ask the model.
struct Turn {
    answer_id: Uuid,
    question: Question,
    agent_name: String,
    new: Vec<Message>,
}

async fn ask(
    app: &App,
    db: &mut PgConnection,
    conversation: &Conversation,
    parent_id: Option<Uuid>,
    text: &str,
) -> Result<Turn> {
    let id = Uuid::now_v7();
    let new = db::messages::New {
        id,
        conversation_id: conversation.id,
        parent_id,
        role: Role::User,
        body: text,
        state: Stand::Done,
    };
    db::messages::insert(db, new, app.now()).await?;
    answer(app, db, conversation, id, vec![id]).await
}

/// Stores the place of an answer to the message `asked` and makes ready what to ask. `new`: what
/// the page does not have yet, besides the answer.
async fn answer(
    app: &App,
    db: &mut PgConnection,
    conversation: &Conversation,
    asked: Uuid,
    mut new: Vec<Uuid>,
) -> Result<Turn> {
    let now = app.now();
    let id = Uuid::now_v7();
    let place = db::messages::New {
        id,
        conversation_id: conversation.id,
        parent_id: Some(asked),
        role: Role::Assistant,
        body: "",
        state: Stand::Streaming,
    };
    db::messages::interrupt_silent(db, Some(conversation.id), now).await?;
    db::messages::insert(db, place, now).await.map_err(one_at_a_time)?;
    db::conversations::set_head(db, conversation.id, id, now).await?;
    let branch = db::messages::branch(db, conversation.id, id).await?;
    let agent = db::agents::version(db, conversation.agent_id, conversation.agent_version)
        .await?
        .ok_or(Error::Nothing("agent"))?;
    new.push(id);
    let gates = app.site().blueprint.spec.ai.quality_gates;
    let question = Question {
        caller: Caller::new(app.name(), conversation.person_id.to_string(), agent.id.to_string()),
        model: app.model_for(agent.text.model.as_deref()),
        instructions: agent.text.instructions,
        turns: prompt_of(&branch),
        max_tokens: gates.max_answer_tokens.unwrap_or(LONGEST_ANSWER),
    };
    let new = branch.into_iter().filter(|message| new.contains(&message.id)).collect();
    Ok(Turn { answer_id: id, question, agent_name: agent.text.name, new })
}

async fn own_message(
    db: &mut PgConnection,
    person_id: Uuid,
    id: Uuid,
) -> Result<(db::messages::Found, Conversation)> {
    let found = db::messages::get(db, person_id, id).await?.ok_or(Error::Nothing("message"))?;
    let conversation = db::conversations::lock(db, person_id, found.conversation_id)
        .await?
        .ok_or(Error::Nothing("conversation"))?;
    Ok((found, conversation))
}

/// The database holds that a conversation has one answer under way; its guard, in words.
fn one_at_a_time(error: sqlx::Error) -> Error {
    match error.as_database_error().and_then(|error| error.constraint()) {
        Some("message_one_streaming") => Error::Conflict(
            "An answer is still being written. Wait for its end, or stop it.".to_owned(),
        ),
        _ => Error::Database(error),
    }
}

fn speakable(text: &str) -> Result<&str> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::Unusable("Write something first.".to_owned()));
    }
    if text.chars().count() > LONGEST_MESSAGE {
        return Err(Error::Unusable(format!(
            "This is longer than {LONGEST_MESSAGE} letters. Send it in parts."
        )));
    }
    if text.contains('\0') {
        return Err(Error::Unusable("The text has signs that cannot be stored.".to_owned()));
    }
    Ok(text)
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"))
}

fn to_conversation(id: Uuid) -> Response {
    Redirect::to(&format!("/conversations/{id}#end")).into_response()
}

/// Where an answer can be heard: the page with the stream, or the one that grows.
fn to_answer(id: Uuid, live: Option<&str>) -> Response {
    match live {
        Some(_) => Redirect::to(&format!("/conversations/{id}/live")).into_response(),
        None => to_conversation(id),
    }
}
