//! One answer from question to last word: asks the model server, lets listeners hear, keeps what
//! was said in the database, and ends it exactly once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval_at};
use uuid::Uuid;

use crate::answers::{Answer, Ending};
use crate::app::App;
use crate::db;
use crate::domain::conversation::State;
use crate::model_server::{AskError, Question, Word};

/// How often the words so far are kept, so that a crash loses less than a second of them.
const KEEP_EVERY: Duration = Duration::from_millis(500);
/// How often it is said that an answer is still being spoken, while there are no more words; well
/// within the time after which others take it for cut off.
const TOUCH_EVERY: Duration = Duration::from_secs(5);
/// What a person reads who stopped an answer.
pub const STOPPED: &str = "You stopped this answer.";
/// The longest an answer may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// Speaks the answer with this id in a task of its own. The message row must be committed.
pub fn begin(app: &App, id: Uuid, answer: Arc<Answer>, question: Question) {
    let app = app.clone();
    tokio::spawn(async move {
        let speaker = (app.clone(), Arc::clone(&answer));
        // A task of its own, so that even a panic in it comes to an end that is told and stored.
        let spoken = tokio::spawn(async move {
            let (app, answer) = speaker;
            Box::pin(speak(&app, id, &answer, question)).await
        });
        let (ending, tokens) = spoken.await.unwrap_or_else(|error| {
            tracing::error!(message = %id, "speaking broke off: {error}");
            let note = "The answer broke off on our side. Regenerate to try again.".to_owned();
            (Ending { state: State::Failed, note: Some(note) }, None)
        });
        // Stored before it is told: who hears the end can rely on it. Where somebody else has ended
        // it, that is told.
        let told = store(&app, id, &answer, &ending, tokens).await;
        answer.end(told.unwrap_or(ending));
        app.answers().forget_later(id);
    });
}

async fn speak(
    app: &App,
    id: Uuid,
    answer: &Arc<Answer>,
    question: Question,
) -> (Ending, Option<(i32, i32)>) {
    let mut tokens = None;
    let heard = |word| match word {
        Word::Waits(position) => answer.wait(position),
        Word::Text(text) => answer.say(&text),
        Word::End(told) => tokens = told,
    };
    let asking = ask(app, question, heard);
    let keeping = keep(app, id, answer);
    let outcome = tokio::select! {
        outcome = asking => outcome.map_err(Some),
        () = answer.stop.cancelled() => Err(None),
        () = tokio::time::sleep(PATIENCE) => {
            Err(Some(AskError::Garbled("the answer took longer than ten minutes".to_owned())))
        }
        () = keeping => Err(None),
    };
    let ending = match outcome {
        Ok(()) => Ending { state: State::Done, note: None },
        Err(None) if app.answers().are_closing() => Ending {
            state: State::Interrupted,
            note: Some(
                "The platform was stopped while this was being written. Regenerate to try again."
                    .to_owned(),
            ),
        },
        Err(None) => Ending { state: State::Stopped, note: Some(STOPPED.to_owned()) },
        Err(Some(error)) => {
            tracing::warn!(message = %id, "could not answer: {error}");
            Ending { state: State::Failed, note: Some(explain(&error)) }
        }
    };
    (ending, tokens)
}

/// Asks, and again with fewer of the older turns if they do not fit the model: only the model
/// knows how many tokens a text is.
async fn ask(
    app: &App,
    mut question: Question,
    mut hear: impl FnMut(Word),
) -> Result<(), AskError> {
    loop {
        let outcome = app.model_server().ask(&question, app.now(), &mut hear).await;
        match outcome {
            Err(error) if error.is_too_long() && question.turns.len() > 1 => {
                question.turns.drain(..question.turns.len().div_ceil(2));
            }
            outcome => return outcome,
        }
    }
}

/// Keeps the words so far, again and again; ends only when somebody else has ended the answer, at
/// another copy of this runtime.
async fn keep(app: &App, id: Uuid, answer: &Answer) {
    let mut ticks = interval_at(Instant::now() + KEEP_EVERY, KEEP_EVERY);
    let (mut kept, mut at) = (0, Instant::now());
    loop {
        ticks.tick().await;
        let text = answer.text();
        let has_grown = text.len() > kept;
        if !has_grown && at.elapsed() < TOUCH_EVERY {
            continue;
        }
        let saved = async {
            let mut db = app.db().acquire().await?;
            if has_grown {
                db::messages::keep(&mut db, id, &text).await
            } else {
                db::messages::keep_on(&mut db, id).await
            }
        };
        match saved.await {
            Ok(true) => (kept, at) = (text.len(), Instant::now()),
            Ok(false) => return,
            Err(error) => tracing::warn!(message = %id, "keep the words so far: {error}"),
        }
    }
}

/// Stores the end, unless somebody else has: then how they have ended it.
async fn store(
    app: &App,
    id: Uuid,
    answer: &Answer,
    ending: &Ending,
    tokens: Option<(i32, i32)>,
) -> Option<Ending> {
    let text = answer.text();
    // A database that is away for a moment must not cost the answer; three tries, then the next
    // start of the server calls it interrupted with the words kept so far.
    for pause in [0, 1, 4] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let end = db::messages::End {
            body: &text,
            state: ending.state,
            note: ending.note.as_deref(),
            tokens,
        };
        let saved = async {
            let mut db = app.db().acquire().await?;
            if db::messages::finish(&mut db, id, end, app.now()).await? {
                return Ok(None);
            }
            db::messages::so_far(&mut db, id).await
        };
        match saved.await {
            Ok(theirs) => return theirs.map(|it| Ending { state: it.state, note: it.note }),
            Err(error) => tracing::error!(message = %id, "store the answer: {error}"),
        }
    }
    None
}

/// What a person reads when there is no answer: what happened, and what to do next.
fn explain(error: &AskError) -> String {
    match error {
        AskError::Unreachable(_) => {
            "The model cannot be reached right now. Wait a moment, then regenerate.".to_owned()
        }
        AskError::Refused { status: 429, .. } => {
            "Many people are asking at once. Wait a moment, then regenerate.".to_owned()
        }
        error if error.is_too_long() => {
            "Your message is too long for this model. Send a shorter one.".to_owned()
        }
        AskError::Refused { title, .. } => format!("{title} Regenerate to try again."),
        AskError::Garbled(_) | AskError::Token(_) => {
            "The answer broke off on our side. Regenerate to try again.".to_owned()
        }
    }
}
