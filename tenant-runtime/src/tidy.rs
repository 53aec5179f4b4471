//! Removes what is over in a platform's database, now and then, while the platform runs.

use std::time::Duration;

use accounts::tidy::Tidied;
use blueprint::BlueprintName;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::app::{App, WeakApp};

/// The first time: soon enough for a host that runs for an hour a day.
const FIRST: Duration = Duration::from_mins(5);
const EVERY: Duration = Duration::from_hours(1);
/// How far platforms are spread, so that they do not all begin at once; in seconds.
const SPREAD: u16 = 10 * 60;
/// The longest it may take; what is left then is for the next time.
const WITHIN: Duration = Duration::from_mins(1);

/// Tidies a platform's database hourly, until `stop`.
pub fn begin(name: &BlueprintName, app: WeakApp, stop: CancellationToken) {
    let name = name.clone();
    let spread = spread(&name);
    tokio::spawn(now_and_then(FIRST + spread, EVERY + spread, stop, move || {
        let (name, app) = (name.clone(), app.upgrade());
        async move {
            if let Some(app) = app {
                tidy(&name, &app).await;
            }
        }
    }));
}

/// Tidies once. It failing is no harm but to the size of the tables.
pub async fn tidy(name: &BlueprintName, app: &App) {
    let work = async {
        let mut db = app.db().acquire().await?;
        accounts::tidy::tidy(&mut db, app.now()).await
    };
    match tokio::time::timeout(WITHIN, work).await {
        Ok(Ok(tidied)) if tidied == Tidied::default() => {}
        Ok(Ok(Tidied { sessions, links, events, attempts })) => {
            tracing::info!(%name, sessions, links, events, attempts, "removed what was over");
        }
        Ok(Err(error)) => tracing::warn!(%name, %error, "could not remove what is over"),
        Err(_) => tracing::warn!(%name, "removing what is over took too long"),
    }
}

/// The same for the same platform.
fn spread(name: &BlueprintName) -> Duration {
    let digest = Sha256::digest(name.as_str());
    Duration::from_secs((u16::from_be_bytes([digest[0], digest[1]]) % SPREAD).into())
}

async fn now_and_then<F, W>(first: Duration, every: Duration, stop: CancellationToken, work: F)
where
    F: Fn() -> W,
    W: Future<Output = ()>,
{
    let mut pause = first;
    loop {
        let next = async {
            tokio::time::sleep(pause).await;
            work().await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = next => pause = every,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn it_goes_on_until_the_platform_stops() {
        let (stop, done) = (CancellationToken::new(), AtomicUsize::new(0));
        let none = Duration::ZERO;
        now_and_then(none, none, stop.clone(), || async {
            if done.fetch_add(1, Ordering::Relaxed) == 2 {
                stop.cancel();
            }
        })
        .await;
        let done = done.into_inner();
        assert!(done == 3 || done == 4, "{done}");

        // Not even a work that hangs holds it up.
        let stop = CancellationToken::new();
        now_and_then(none, none, stop.clone(), || async {
            stop.cancel();
            std::future::pending::<()>().await;
        })
        .await;
    }

    #[test]
    fn platforms_are_spread() {
        let of = |name: &str| spread(&name.parse().unwrap());
        assert_eq!(of("acme"), of("acme"));
        assert_ne!(of("acme"), of("school"));
        assert!(of("acme") < Duration::from_mins(10));
    }
}
