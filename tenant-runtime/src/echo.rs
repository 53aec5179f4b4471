//! Hearing an answer that another copy of the runtime speaks: what that one keeps in the database is
//! looked at until it ends, and is heard here as if it were spoken here.

use std::sync::{Arc, Weak};
use std::time::Duration;

use uuid::Uuid;

use crate::answers::{Answer, Ending};
use crate::app::{App, WeakApp};
use crate::db;
use crate::domain::conversation::State;

/// As often as whoever speaks keeps its words.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The longest that somebody hears one; an answer takes ten minutes at the most.
const PATIENCE: Duration = Duration::from_mins(15);

/// The answer, of which these words are known, and which grows for as long as somebody holds it.
pub fn of(app: &App, id: Uuid, words: &str) -> Arc<Answer> {
    let (echo, is_new) = app.answers().echo(id, words);
    if is_new {
        tokio::spawn(feed(app.downgrade(), id, Arc::downgrade(&echo)));
    }
    echo
}

async fn feed(app: WeakApp, id: Uuid, echo: Weak<Answer>) {
    let fed = async {
        loop {
            let (Some(app), Some(echo)) = (app.upgrade(), echo.upgrade()) else { return };
            match look(&app, id).await {
                Ok(Some(so_far)) => {
                    // It only grows.
                    if let Some(more) = so_far.body.get(echo.text().len()..)
                        && !more.is_empty()
                    {
                        echo.say(more);
                    }
                    if so_far.state != State::Streaming {
                        echo.end(Ending { state: so_far.state, note: so_far.note });
                        return;
                    }
                }
                // Its conversation was deleted.
                Ok(None) => break,
                Err(error) => tracing::warn!(message = %id, "hear an answer: {error}"),
            }
            drop((app, echo));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    _ = tokio::time::timeout(PATIENCE, fed).await;
    // Nothing more is heard of it here; the page tells how it stands.
    if let Some(echo) = echo.upgrade()
        && echo.ending().is_none()
    {
        echo.end(Ending { state: State::Interrupted, note: None });
    }
}

async fn look(app: &App, id: Uuid) -> sqlx::Result<Option<db::messages::SoFar>> {
    let mut db = app.db().acquire().await?;
    let so_far = db::messages::so_far(&mut db, id).await?;
    let Some(streaming) = so_far.as_ref().filter(|it| it.state == State::Streaming) else {
        return Ok(so_far);
    };
    let conversation = Some(streaming.conversation_id);
    match db::messages::interrupt_silent(&mut db, conversation, app.now()).await? {
        0 => Ok(so_far),
        _ => db::messages::so_far(&mut db, id).await,
    }
}
