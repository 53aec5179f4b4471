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
use crate::error::{Error, Result};
use crate::http::caller::Caller;
use crate::news;

/// A comment is sent so often where there is nothing to tell, so that whoever is in between goes on.
const ALIVE: Duration = Duration::from_secs(15);
/// Whether they may still hear it is looked at so often.
const LOOKED_AT: Duration = Duration::from_mins(1);
/// As what is in no cluster is known again, before whether it was deleted.
pub const UNSEEN: &str = "none-";
/// After so long whoever listens asks again.
const LONGEST: Duration = Duration::from_hours(1);

/// How a platform stands, and how it stands after each change: `text/event-stream`, an event `platform`
/// with what `GET` of it would answer. `Last-Event-ID` goes on behind what was heard. Of streams there are 20
/// at once of each key and 300 of each organization: what is more is answered with 429,
/// `too-many-streams`.
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
    of(app, caller, owned, heard(&headers))
}

/// What was heard last, as whoever listens says it.
pub fn heard(headers: &HeaderMap) -> Option<String> {
    headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned)
}

/// News of this platform for this caller, who may hear them now.
///
/// # Errors
/// [`Error::TooManyStreams`]
pub fn of(
    app: App,
    caller: Caller,
    owned: Owned,
    heard: Option<String>,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    let news = app.cluster().watch(&owned.name);
    let listener = Listener { news, owned, heard, ear: Ear::new(app, caller)? };
    let events = stream::unfold(Box::new(listener), async |mut listener| {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(sent(events))
}

/// As a stream of events that stays open.
pub fn sent<S>(events: S) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>
where
    S: Stream<Item = std::result::Result<Event, Infallible>> + Send + 'static,
{
    Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE))
}

/// Whether somebody may still hear what there is to hear.
pub struct Ear {
    pub(crate) app: App,
    caller: Caller,
    /// What comes next comes with the request, which was let in just now.
    is_first: bool,
    looked_at: Instant,
    until: Instant,
    /// By which it is counted among those that are open.
    _stream: news::Stream,
}

impl Ear {
    /// Of somebody who was let in just now.
    ///
    /// # Errors
    /// [`Error::TooManyStreams`]
    pub fn new(app: App, caller: Caller) -> Result<Self> {
        let (who, most) = ((caller.organization(), caller.id()), app.rates().streams());
        let stream = app.news().streams().open(who, most);
        let (stream, now) = (stream.ok_or(Error::TooManyStreams)?, Instant::now());
        let until = now + LONGEST;
        Ok(Self { app, caller, is_first: true, looked_at: now, until, _stream: stream })
    }

    /// Before they are told something: `None` where they may not hear it any more, or where that cannot
    /// be known.
    pub async fn hears(&mut self) -> Option<()> {
        if std::mem::take(&mut self.is_first) { Some(()) } else { self.look().await }
    }

    /// Before they are told more of what they began to hear: whoever reads slowly is looked at as often.
    pub async fn hears_on(&mut self) -> Option<()> {
        let now = Instant::now();
        if now >= self.until {
            return None;
        }
        if now < self.looked_at + LOOKED_AT { Some(()) } else { self.look().await }
    }

    /// Until there may be news; `None` where there is nothing to be heard any more.
    pub async fn waits(&mut self, news: &mut Receiver<()>) -> Option<()> {
        self.is_first = false;
        let look = (self.looked_at + LOOKED_AT).min(self.until);
        tokio::select! {
            changed = news.changed() => changed.ok(),
            () = tokio::time::sleep_until(look) => {
                if Instant::now() >= self.until {
                    return None;
                }
                self.look().await
            }
        }
    }

    async fn look(&mut self) -> Option<()> {
        self.looked_at = Instant::now();
        Box::pin(async {
            let _turn = self.app.news().streams().turn().await?;
            self.caller.still_may(&self.app, Scope::PlatformsRead).await.ok()
        })
        .await
    }

    /// How a platform stands, and by what that is known again; `None` where that cannot be known.
    async fn reads(&self, owned: &Owned) -> Option<(String, Platform)> {
        Box::pin(async {
            let _turn = self.app.news().streams().turn().await?;
            now(&self.app, owned).await.ok()
        })
        .await
    }
}

struct Listener {
    ear: Ear,
    owned: Owned,
    news: Receiver<()>,
    heard: Option<String>,
}

impl Listener {
    /// What was not heard yet; `None` where there is nothing to be heard any more.
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.news.mark_unchanged();
            let (version, platform) = self.ear.reads(&self.owned).await?;
            if self.heard.as_ref() != Some(&version) {
                self.ear.hears().await?;
                let event = Event::default().event("platform").id(version.clone());
                self.heard = Some(version);
                return event.json_data(platform).ok();
            }
            self.ear.waits(&mut self.news).await?;
        }
    }
}

/// How a platform stands, and by what that is known again.
///
/// # Errors
/// The database.
pub async fn now(app: &App, owned: &Owned) -> sqlx::Result<(String, Platform)> {
    let seen = app.cluster().seen(std::slice::from_ref(&owned.name)).pop().flatten();
    let seen = seen.filter(|seen| is_it(owned, seen));
    let is_deleted = seen.is_none() && {
        let mut conn = app.conn().await?;
        deletions::of(&mut conn, owned.id).await?.is_some()
    };
    let version = seen.as_ref().and_then(|seen| seen.metadata.resource_version.clone());
    let version = version.unwrap_or_else(|| format!("{UNSEEN}{is_deleted}"));
    Ok((version, Platform::of(owned, seen.as_ref()).or_deleted(is_deleted)))
}
