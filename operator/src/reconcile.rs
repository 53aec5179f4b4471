//! One platform's turn: `fetch -> plan -> build -> apply -> status`.
//!
//! What is to be done is decided from what is known, one thing at a time, and what is known is
//! brought up to date by each answer. A turn may end at any instruction: the next one goes on.

mod apply;
mod build;
mod conditions;
mod deletion;
mod farewell;
mod gpu;
mod link;
mod load;
mod memory;
mod names;
mod passwords;
mod sleep;
mod stage;
mod status;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use plan::Installation;
use work::Clock;
use work::sealed::RootKey;

use crate::cluster::{CallError, Cluster};
use crate::databases::{DatabaseError, Databases};
use crate::domains::{Domains, DomainsError};
use crate::queue::Ended;
use crate::seen::Seen;

use build::Built;
pub use build::PAST_GRACE;
pub(crate) use build::seen;
pub use link::ADMIN_LINK;
pub(crate) use load::Load;
pub use memory::Memory;
pub use names::RECHECK;
pub use passwords::ROTATE;
pub use stage::UNDELETE;

/// A turn must end within this time.
pub const TURN_DEADLINE: Duration = Duration::from_mins(2);

/// Writes of one turn that are under way at once, usually: each waits for the API server's disk.
pub const WRITES_AT_ONCE: usize = 6;

/// So long a deleted platform is kept.
pub const KEPT_FOR: Duration = Duration::from_hours(30 * 24);

/// A platform that comes back while nobody looks after names looks for them so often.
const NAMES_COME_BACK: Duration = Duration::from_secs(10);

/// After a start, what is there is known within about this time.
const LISTS_TAKE: Duration = Duration::from_secs(1);

/// Everything a turn needs.
pub struct Driver {
    /// The API server.
    pub cluster: Arc<dyn Cluster>,
    /// The servers of databases.
    pub databases: Arc<dyn Databases>,
    /// Their names; `None`: this installation looks after none.
    pub domains: Option<Arc<dyn Domains>>,
    /// What is known.
    pub seen: Arc<Seen>,
    /// What is the same for all platforms.
    pub installation: Installation,
    /// What credentials are made from.
    pub key: Arc<RootKey>,
    /// What time it is.
    pub clock: Clock,
    /// Writes of one turn that are under way at once.
    pub writes_at_once: usize,
    /// What the last turns came to.
    pub memory: Memory,
}

/// Why a turn has to be had again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The API server did not do what it was to do.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A database is not as it should be.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Names are not as they should be.
    #[error(transparent)]
    Domains(#[from] DomainsError),
    /// It took too long.
    #[error("this took longer than {} s", TURN_DEADLINE.as_secs())]
    TooLong,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Writes to the API server.
    pub writes: u32,
    /// To be looked at again after this time.
    pub again: Option<Duration>,
}

impl Done {
    /// To be looked at again after this time, or sooner.
    fn look_again(&mut self, after: Duration) {
        self.again = Some(self.again.map_or(after, |again| again.min(after)));
    }
}

impl Driver {
    /// A platform's turn, with its end.
    pub async fn turn(&self, name: &str) -> Ended {
        let done = match tokio::time::timeout(TURN_DEADLINE, self.reconcile(name)).await {
            Ok(done) => done,
            Err(_) => Err(Failure::TooLong),
        };
        match done {
            Ok(Done { writes, again }) => {
                if writes > 0 {
                    tracing::info!(tenant = name, writes, "brought up to date");
                }
                Ended::Still { wrote: writes > 0, again }
            }
            Err(failure) => {
                self.memory.forget(name);
                // What was seen is brought up to date by the watch, in no time.
                let expected = matches!(failure, Failure::Call(CallError::Conflict(_)));
                if expected {
                    tracing::debug!(tenant = name, %failure, "to be tried again");
                } else {
                    tracing::warn!(tenant = name, %failure, "to be tried again");
                }
                let after = match failure {
                    Failure::Call(CallError::Unavailable { after, .. }) => after,
                    _ => None,
                };
                Ended::Failed { after }
            }
        }
    }

    /// Does what is to be done for a platform.
    ///
    /// # Errors
    /// [`Failure`]: it is to be tried again.
    pub async fn reconcile(&self, name: &str) -> Result<Done, Failure> {
        if let Some(done) = self.at_rest(name) {
            return Ok(done);
        }
        let tenant = self.seen.of(name);
        let mut turn = apply::Turn::new(self, name, tenant);
        let stage = stage::of(&turn.tenant, name, self.clock.now());
        if !self.seen.is_known() && !stage.is_a_beginning(&turn.tenant) {
            turn.done.again = Some(LISTS_TAKE);
            return Ok(turn.done);
        }
        self.close_names(&mut turn).await?;
        match stage {
            stage::Stage::Nothing => {}
            stage::Stage::Wait(again) => turn.done.look_again(again),
            stage::Stage::Hold(resource) => {
                turn.hold(&resource, true).await?;
                self.build(&mut turn).await?;
                self.memory.settle(name, &turn, self.clock.now());
            }
            stage::Stage::Build => {
                if turn.tenant.is_of_another() {
                    // What is known of the blueprint may be of long ago, and the namespace be of
                    // the one that came after it.
                    self.is_as_known(&mut turn).await?;
                }
                let built = self.build(&mut turn).await;
                self.tell_not_taken(&mut turn, &built).await?;
                built?;
                self.memory.settle(name, &turn, self.clock.now());
            }
            stage::Stage::Refuse(resource, reason, message, again) => {
                self.tell_refused(&mut turn, &resource, reason, message).await?;
                if let Some(again) = again {
                    turn.done.look_again(again);
                }
                self.memory.settle(name, &turn, self.clock.now());
            }
            stage::Stage::Undelete(resource) => {
                if !stage::is_held(&resource) {
                    turn.hold(&resource, true).await?;
                }
                let stone = turn.tenant.home().and_then(|(_, home)| home.deleted.clone());
                turn.forget_wish(stone.as_ref()).await?;
                // The mark goes last, and only when all is there again: a turn that ends before
                // that begins here once more.
                let built = self.build(&mut turn).await?;
                if turn.are_names_away {
                    // Without the mark its names would count as an earlier platform's.
                    turn.done.look_again(NAMES_COME_BACK);
                } else if built == Built::All {
                    turn.unmark_deleted().await?;
                    self.build(&mut turn).await?;
                }
                self.memory.settle(name, &turn, self.clock.now());
            }
            stage::Stage::Delete(resource) => {
                self.delete(&mut turn, resource.clone()).await?;
                if let Some(resource) = resource {
                    self.tell_stopped(&turn, &resource).await;
                }
            }
            stage::Stage::Purge(stone) => self.purge(&mut turn, stone).await?,
        }
        Ok(turn.done)
    }
}
