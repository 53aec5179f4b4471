//! How a server ends: no answer goes on, and none is forgotten.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The answers under way, and how they are told to stop. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Ending {
    answers: TaskTracker,
    stop: CancellationToken,
    given_up: CancellationToken,
}

/// For writing down what answers used whose engines were not waited for.
const RECORDING: Duration = Duration::from_secs(2);

impl Ending {
    /// Runs an answer, which has to end soon after [`Self::stopped`] and at once after
    /// [`Self::given_up`].
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        answer: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.answers.spawn(answer.in_current_span())
    }

    /// Waits until answers have to stop.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Cancelled when answers have to stop, or before.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// Waits until nobody waits for engines any more.
    pub(super) async fn given_up(&self) {
        self.given_up.cancelled().await;
    }

    /// Stops every answer and waits until what it used is recorded; for engines `patience` at most.
    pub(super) async fn close(&self, patience: Duration) {
        self.stop.cancel();
        self.answers.close();
        if timeout(patience, self.answers.wait()).await.is_ok() {
            return;
        }
        tracing::warn!(answers = self.answers.len(), "engines did not stop in time");
        self.given_up.cancel();
        if timeout(RECORDING, self.answers.wait()).await.is_err() {
            let answers = self.answers.len();
            tracing::error!(answers, "what answers used is not recorded: the disk is too slow");
        }
    }
}
