//! News of a platform, followed until it is ready, stands as somebody wants it, or they have heard enough.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::events::{Event, Events};
use crate::plain::Plain;
use crate::views::Platform;

/// How a platform stands, as whoever waits is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In a word.
    pub phase: Plain,
    /// What it waits for, where that is known.
    pub waits_for: Option<Plain>,
}

impl Standing {
    /// Of a platform.
    pub fn of(platform: &Platform) -> Self {
        let is_missing =
            |it: &&crate::Condition| it.status.as_str() != "True" && it.r#type.as_str() != "Ready";
        let missing = platform.conditions.iter().find(is_missing).filter(|_| !platform.ready);
        let waits_for = missing.map(|it| format!("{}: {}", it.r#type, it.message).into());
        Self { phase: platform.phase.clone(), waits_for }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.waits_for {
            Some(waits_for) => write!(f, "{} ({waits_for})", self.phase),
            None => self.phase.fmt(f),
        }
    }
}

/// Why listening ended without an answer.
enum End {
    /// It goes on by asking again.
    Cut,
    Failed(Error),
}

/// Waits until a platform is ready by the blueprint that it has in `platform`, or a later one, no longer than
/// `patience`. `told` hears each time that it stands otherwise.
pub async fn wait(
    client: &Client,
    platform: &Platform,
    patience: Duration,
    mut told: impl FnMut(&Standing),
) -> Result<Platform> {
    let mut last = Standing::of(platform);
    told(&last);
    let mut look = |now: &Platform| {
        let standing = Standing::of(now);
        if standing != last {
            told(&standing);
            last = standing.clone();
        }
        if now.is_stopped() && !now.ready {
            return Err(Error::Stopped { name: now.name.clone(), last: standing });
        }
        Ok(now.ready)
    };
    match timeout(patience, follow(client, platform, &mut look)).await {
        Ok(ready) => ready,
        Err(_) => Err(Error::NotReady { name: platform.name.clone(), waited: patience, last }),
    }
}

/// Waits until a platform stands so by the blueprint that it has in `platform`, or a later one; `None` where
/// it does not within `patience`.
pub(crate) async fn until(
    client: &Client,
    platform: &Platform,
    patience: Duration,
    mut is_so: impl FnMut(&Platform) -> bool,
) -> Result<Option<Platform>> {
    let mut look = |now: &Platform| Ok(is_so(now));
    timeout(patience, follow(client, platform, &mut look)).await.ok().transpose()
}

/// Tells each time that a platform stands otherwise, until nobody listens any more.
pub async fn listen(
    client: &Client,
    platform: &Platform,
    mut told: impl FnMut(&Standing),
) -> Result<()> {
    let mut last = None;
    let mut look = |now: &Platform| {
        let standing = Standing::of(now);
        if last.as_ref() != Some(&standing) {
            told(&standing);
            last = Some(standing);
        }
        Ok(now.is_deleted())
    };
    follow(client, platform, &mut look).await.map(|_| ())
}

/// Listens until it stands as is looked for, and again where that was cut off, behind what was heard last.
async fn follow(
    client: &Client,
    platform: &Platform,
    look: &mut impl FnMut(&Platform) -> Result<bool>,
) -> Result<Platform> {
    let mut heard = None;
    let mut attempt = 1;
    loop {
        let before = heard.clone();
        match hear(client, platform, &mut heard, look).await {
            Ok(found) => return Ok(found),
            Err(End::Failed(error)) => return Err(error),
            Err(End::Cut) => {}
        }
        attempt = if heard == before { attempt + 1 } else { 1 };
        let bounds = client.bounds();
        let pause = bounds.pause.saturating_mul(1 << attempt.min(16));
        tokio::time::sleep(pause.min(bounds.longest_pause)).await;
    }
}

/// Listens until it stands so, or the line is cut.
async fn hear(
    client: &Client,
    platform: &Platform,
    heard: &mut Option<String>,
    look: &mut impl FnMut(&Platform) -> Result<bool>,
) -> std::result::Result<Platform, End> {
    let url = client.at(&["v1", "platforms", platform.id.as_str(), "events"]);
    let listened = client.listen(url, heard.as_deref()).await;
    let ended = |(error, passes)| if passes { End::Cut } else { End::Failed(error) };
    let mut response = listened.map_err(ended)?;
    let mut events = Events::default();
    // A line that is silent for too long is cut as well.
    while let Ok(Ok(Some(chunk))) = timeout(client.bounds().silence, response.chunk()).await {
        let ours = |why: &str| End::Failed(client.not_ours(why));
        for Event { id, data } in events.push(&chunk).map_err(|_| ours("its news have no end"))? {
            let read = serde_json::from_str::<Platform>(&data);
            let now = read.map_err(|error| ours(&format!("its news cannot be read: {error}")))?;
            if id.is_some() {
                *heard = id;
            }
            // What is said of a blueprint before the last change is no news of it.
            if !now.is_about(platform) {
                continue;
            }
            if look(&now).map_err(End::Failed)? {
                return Ok(now);
            }
        }
    }
    Err(End::Cut)
}
