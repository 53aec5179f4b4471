//! Hearing an answer while it is spoken: by events for scripts, by a page that grows for others.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Redirect, Response, Sse};
use futures::Stream;
use serde_json::json;
use uuid::Uuid;

use super::visitor::Member;
use crate::answers::{Answer, Ending, Heard, Place};
use crate::app::App;
use crate::db;
use crate::domain::conversation::State as Stand;
use crate::echo;
use crate::error::{Error, Result};

/// The events of an answer, from the place the listener last heard.
pub async fn stream(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response> {
    let found = db::messages::get(&mut *app.db().acquire().await?, signed_in.person.id, id)
        .await?
        .ok_or(Error::Nothing("message"))?;
    let place = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .map(Place::parse)
        .unwrap_or_default();
    let events = events(app, id, place, found);
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // A proxy that gathers the events would undo the streaming.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn events(
    app: App,
    id: Uuid,
    mut place: Place,
    found: db::messages::Found,
) -> impl Stream<Item = std::result::Result<Event, Infallible>> + Send + 'static {
    async_stream::stream! {
        let Some(answer) = answer_of(&app, id, &found) else {
            // Ended long ago.
            yield Ok(done(&found.body, &Ending { state: found.state, note: found.note }));
            return;
        };
        if app.answers().get(id).is_none() {
            answer.reach(place).await;
        }
        let mut told = 0;
        loop {
            match answer.after(place, told).await {
                Heard::Waits(position) => {
                    told = position;
                    let data = json!({ "text": waits(position) });
                    yield Ok(Event::default().event("waits").data(data.to_string()));
                }
                Heard::Words(words, next) => {
                    place = next;
                    yield Ok(named("delta", place, &json!({ "text": words })));
                }
                Heard::Block { html, rest, place: next } => {
                    place = next;
                    yield Ok(named("block", place, &json!({ "html": html.as_str(), "rest": rest })));
                }
                Heard::End(text, ending) => {
                    yield Ok(done(&text, &ending));
                    return;
                }
            }
        }
    }
}

/// The answer while it grows, here or at another copy of this runtime.
fn answer_of(app: &App, id: Uuid, found: &db::messages::Found) -> Option<Arc<Answer>> {
    let here = app.answers().get(id);
    here.or_else(|| (found.state == Stand::Streaming).then(|| echo::of(app, id, &found.body)))
}

/// How long somebody waits, in words; the first in the queue is at 1.
fn waits(position: usize) -> String {
    match position {
        0 | 1 => "Your answer is the next to begin.".to_owned(),
        2 => "1 answer begins before yours.".to_owned(),
        _ => format!("{} answers begin before yours.", position - 1),
    }
}

fn named(name: &str, place: Place, data: &serde_json::Value) -> Event {
    Event::default().event(name).id(place.to_string()).data(data.to_string())
}

fn done(text: &str, ending: &Ending) -> Event {
    let data = json!({
        "html": pages::markdown::to_html(text).as_str(),
        "state": ending.state.as_str(),
        "note": ending.note,
    });
    Event::default().event("done").data(data.to_string())
}

/// The conversation as a page that grows while the answer is spoken: streaming without scripts.
pub async fn live(
    State(app): State<App>,
    Member(signed_in): Member,
    Path(id): Path<Uuid>,
) -> Result<Response> {
    // Fresh each time, so that nothing a person wrote can be it.
    let mark = format!("[[{}]]", Uuid::new_v4());
    let page = super::conversations::page(&app, &signed_in, id, Some(&mark)).await?;
    let here = |message| app.answers().get(message).unwrap_or_else(|| echo::of(&app, message, ""));
    let speaking = page.speaking.map(here);
    let (Some(answer), Some((before, after))) = (speaking, page.html.split_once(&mark)) else {
        return Ok(Redirect::to(&format!("/conversations/{id}")).into_response());
    };
    let (before, after) = (before.to_owned(), after.to_owned());
    let body = async_stream::stream! {
        yield std::result::Result::<_, Infallible>::Ok(Bytes::from(before));
        let (mut place, mut told) = (Place::default(), 0);
        loop {
            match answer.after(place, told).await {
                Heard::Waits(position) => {
                    // Said once: without scripts it cannot be taken back.
                    if told == 0 {
                        let text = pages::Html::text(&waits(position)).into_string();
                        yield Ok(Bytes::from(format!("<p class=\"message__note\">{text}</p>")));
                    }
                    told = position;
                }
                Heard::Words(words, next) => {
                    place = next;
                    yield Ok(Bytes::from(pages::Html::text(&words).into_string()));
                }
                // Words already shown cannot be taken back without scripts.
                Heard::Block { place: next, .. } => place = next,
                Heard::End(_, ending) => {
                    if ending.state != Stand::Done && let Some(note) = ending.note {
                        let note = pages::Html::text(&format!(" — {note}"));
                        yield Ok(Bytes::from(note.into_string()));
                    }
                    break;
                }
            }
        }
        yield Ok(Bytes::from(after));
    };
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
