//! News of all platforms of an organization, as they come.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use futures::{Stream, stream};
use tokio::sync::watch::Receiver;

use crate::app::App;
use crate::domain::scope::Scope;
use crate::error::Result;
use crate::http::caller::Caller;
use crate::http::platforms::events::{Ear, heard, sent};
use crate::news::{Fleet, Told};

/// How the platforms of the organization stand, and how each stands after each change:
/// `text/event-stream`, an event `platform` with what `GET` of it would answer, and `gone` with the `id` and
/// the `name` of one that is the organization's no more. First all of them are told, and then an event
/// `all` with how many there are: what was not among them is there no more. `Last-Event-ID` goes on behind
/// what was heard, where that is still known; else all are told again. Of streams there are 20 at once of
/// each key and 300 of each organization: what is more is answered with 429, `too-many-streams`.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "listenToPlatforms", tag = "platforms",
    params(("Last-Event-ID" = Option<String>, Header, description = "The `id` of the event heard last")),
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
pub async fn listen(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    caller.may(Scope::PlatformsRead)?;
    of(app, caller, heard(&headers))
}

/// News of all platforms of this caller's organization, who may hear them now.
///
/// # Errors
/// [`Error::TooManyStreams`](crate::error::Error::TooManyStreams)
pub fn of(
    app: App,
    caller: Caller,
    heard: Option<String>,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    let organization = caller.organization();
    let ear = Ear::new(app, caller)?;
    let (fleet, news) = ear.app.news().of(&ear.app, organization);
    let heard = heard.and_then(|heard| fleet.place(&heard));
    let listener = Listener { ear, fleet, news, heard, next: VecDeque::new() };
    Ok(sent(stream::unfold(Box::new(listener), async |mut listener| {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    })))
}

struct Listener {
    ear: Ear,
    fleet: Arc<Fleet>,
    news: Receiver<()>,
    /// Up to where all was heard; `None`: nothing was.
    heard: Option<u64>,
    /// What is to be told next; nothing of somebody who waits.
    next: VecDeque<Told>,
}

impl Listener {
    /// What was not heard yet; `None` where there is nothing to be heard any more.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(told) = self.next.pop_front() {
                self.ear.hears_on().await?;
                let event = Event::default().event(told.kind).data(&*told.data);
                return Some(match told.id {
                    Some(id) => event.id(id),
                    None => event,
                });
            }
            self.news.mark_unchanged();
            if let Some((heard, next)) = self.fleet.since(self.heard) {
                self.ear.hears().await?;
                (self.heard, self.next) = (Some(heard), next);
            } else {
                self.next = VecDeque::new();
                self.ear.waits(&mut self.news).await?;
            }
        }
    }
}
