//! News of a platform, as they come.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::{Platform, is_it, owned};
use crate::app::App;
use crate::db::deletions;
use crate::db::platforms::Owned;
use crate::domain::scope::Scope;
use crate::error::Result;
use crate::http::caller::Caller;

/// A comment is sent so often where there is nothing to tell, so that whoever is in between goes on.
const ALIVE: Duration = Duration::from_secs(15);
/// Whether they may still hear it is looked at so often.
const LOOKED_AT: Duration = Duration::from_mins(1);
/// After so long whoever listens asks again.
const LONGEST: Duration = Duration::from_hours(1);

/// How a platform stands, and how it stands after each change: `text/event-stream`, an event `platform`
/// with what `GET` of it would answer. `Last-Event-ID` goes on behind what was heard.
#[utoipa::path(
    get, path = "/v1/platforms/{id}/events", operation_id = "listenToPlatform", tag = "platforms",
    params(
        ("id" = String, Path, description = "The platform's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the event heard last"),
    ),
    responses((status = 200, content_type = "text/event-stream", body = String))
)]
pub async fn listen(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    caller.may(Scope::PlatformsRead)?;
    let owned = owned(&app, &caller, &id).await?;
    let heard = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let now = Instant::now();
    let listener = Listener {
        news: app.cluster().watch(&owned.name),
        app,
        caller,
        owned,
        heard,
        is_first: true,
        looked_at: now,
        until: now + LONGEST,
    };
    let events = stream::unfold(Box::new(listener), async |mut listener| {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}

struct Listener {
    app: App,
    caller: Caller,
    owned: Owned,
    news: Receiver<()>,
    heard: Option<String>,
    /// What comes next comes with the request, which was let in just now.
    is_first: bool,
    looked_at: Instant,
    until: Instant,
}

impl Listener {
    /// What was not heard yet; `None` where there is nothing to be heard any more.
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.news.mark_unchanged();
            let (version, event) = Box::pin(self.now()).await?;
            if self.heard.as_ref() != Some(&version) {
                if !std::mem::take(&mut self.is_first) {
                    self.look().await?;
                }
                self.heard = Some(version);
                return Some(event);
            }
            self.is_first = false;
            let look = (self.looked_at + LOOKED_AT).min(self.until);
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = tokio::time::sleep_until(look) => {
                    if Instant::now() >= self.until {
                        return None;
                    }
                    self.look().await?;
                }
            }
        }
    }

    /// Whether they may still hear it: `None` where not, or where that cannot be known.
    async fn look(&mut self) -> Option<()> {
        self.looked_at = Instant::now();
        Box::pin(self.caller.still_may(&self.app, Scope::PlatformsRead)).await.ok()
    }

    /// How it stands, and by what that is known again.
    async fn now(&self) -> Option<(String, Event)> {
        let seen = self.app.cluster().seen(std::slice::from_ref(&self.owned.name)).pop().flatten();
        let seen = seen.filter(|seen| is_it(&self.owned, seen));
        let is_deleted = seen.is_none() && {
            let mut conn = self.app.conn().await.ok()?;
            deletions::of(&mut conn, self.owned.id).await.ok()?.is_some()
        };
        let version = seen.as_ref().and_then(|seen| seen.metadata.resource_version.clone());
        let version = version.unwrap_or_else(|| format!("none-{is_deleted}"));
        let platform = Platform::of(&self.owned, seen.as_ref()).or_deleted(is_deleted);
        let event = Event::default().event("platform").id(version.clone());
        Some((version, event.json_data(platform).ok()?))
    }
}
