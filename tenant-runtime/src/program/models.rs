//! Which models can be asked: the model server says so, again and again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::WeakApp;

/// While none is known.
const AT_FIRST: Duration = Duration::from_secs(2);
/// From then on.
const THEN: Duration = Duration::from_mins(1);
/// A model server that takes longer is asked the next time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps the platform's list of models as the model server has it, until `stop`. One that is away
/// changes nothing.
pub(super) async fn follow(app: WeakApp, stop: CancellationToken) {
    let mut is_told = false;
    loop {
        let Some(platform) = app.upgrade() else { return };
        let name = platform.name();
        let asked = platform.model_server().models(&name, platform.now());
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(models)) => {
                is_told = false;
                platform.offer(models);
            }
            Ok(Err(error)) => complain(&mut is_told, &error.to_string()),
            Err(_) => complain(&mut is_told, "it does not answer in time"),
        }
        let pause = if platform.models().is_empty() { AT_FIRST } else { THEN };
        drop(platform);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Once, until it is well again.
fn complain(is_told: &mut bool, why: &str) {
    if !std::mem::replace(is_told, true) {
        tracing::warn!(why, "the model server does not say which models there are");
    }
}
