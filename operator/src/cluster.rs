//! The API server, as the driver uses it: a port, behind which is the real one or a simulated.
//!
//! Every write can be sent twice and says what it is about: which object of those that had the
//! name, and as of when. So what was decided on old knowledge is refused, not done.

mod counted;
mod kubernetes;
mod own_database;

use std::time::Duration;

use async_trait::async_trait;
use plan::decide::GpuNodes;
use serde_json::Value;
use uuid::Uuid;

pub use counted::{Answers, Counted};
pub use kubernetes::Kubernetes;
pub(crate) use kubernetes::timed;
pub use own_database::{OWN_DATABASE_SECRET, OwnDatabase};

use crate::seen::{ChildId, News, Resource, Version};

/// Who we are to the API server's book-keeping of fields.
pub const MANAGER: &str = "soulfra-operator";
/// Who we are where a deletion overrules what was planned.
pub const DELETION_MANAGER: &str = "soulfra-operator-deletion";

/// Who we are where we let platforms sleep, and wake them.
pub const SCALE_MANAGER: &str = "soulfra-operator-scale";

/// What keeps a blueprint until its platform was stopped.
pub const FINALIZER: &str = "soulfra.io/platform";

/// A call must end within this time.
pub const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// What a write is about, as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Which one of those that had its name.
    pub uid: Uuid,
    /// As of when.
    pub version: Version,
}

/// An object on its way.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Whose it is.
    pub tenant: &'a str,
    /// What it is called.
    pub id: &'a ChildId,
    /// What it is to say.
    pub object: &'a Value,
    /// [`MANAGER`], [`DELETION_MANAGER`] or [`SCALE_MANAGER`].
    pub manager: &'static str,
    /// The one that is there; `None` where none was seen. A namespace is made only where there is
    /// none then; of what is in one, what is there is brought to say the same.
    pub at: Option<At>,
}

/// Something to tell whoever looks at a blueprint: `kubectl describe` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Told {
    /// Whether somebody should do something.
    pub is_warning: bool,
    /// In a word.
    pub reason: &'static str,
    /// In words.
    pub message: String,
}

/// Why a call did not do what it was to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The object changed since it was seen, or is another one.
    #[error("{0} changed meanwhile")]
    Conflict(String),
    /// The object, or what it would be in, is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// It will not be done, however often it is tried.
    #[error("{what} was refused: {why}")]
    Refused {
        /// What was to be written.
        what: String,
        /// What the API server said.
        why: String,
    },
    /// It may have been done or not; it can be tried again.
    #[error("the API server did not answer as it should: {why}")]
    Unavailable {
        /// What happened.
        why: String,
        /// Not before this time.
        after: Option<Duration>,
    },
}

impl CallError {
    /// In a word, for numbers.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::Missing(_) => "missing",
            Self::Refused { .. } => "refused",
            Self::Unavailable { .. } => "unavailable",
        }
    }
}

/// What is there under the name of a platform's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No namespace.
    Nothing,
    /// One that has our mark.
    Ours,
    /// One that has not.
    OfOthers,
}

/// The API server.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// What is there under the name of a platform's namespace, as of now.
    async fn home(&self, tenant: &str) -> Result<Found, CallError>;

    /// The blueprint of this name as it is now, whatever a watch says; `None`: there is none.
    async fn blueprint(&self, name: &str) -> Result<Option<News>, CallError>;

    /// How the database server of a platform's own is administered; `None`: not known yet.
    async fn own_database(&self, tenant: &str) -> Result<Option<OwnDatabase>, CallError>;

    /// Makes an object, or brings it to say this where it is ours to say; leaves the rest alone.
    async fn apply(&self, write: Write<'_>) -> Result<News, CallError>;

    /// Removes an object; one that waits for somebody is still there. `None`: it has our mark no
    /// longer.
    async fn remove(&self, tenant: &str, id: &ChildId, at: At) -> Result<Option<News>, CallError>;

    /// Writes our part of a blueprint's status.
    async fn status(&self, name: &str, at: At, status: &Value) -> Result<News, CallError>;

    /// Keeps a blueprint from going, or lets it go.
    async fn hold(&self, name: &str, at: At, held: bool) -> Result<News, CallError>;

    /// Whether there is a node for a model server that needs graphics processors; `None` where the
    /// cluster does not tell.
    async fn has_gpus(&self, _wanted: &GpuNodes) -> Result<Option<bool>, CallError> {
        Ok(None)
    }

    /// Tells whoever looks at a blueprint. What cannot be told is lost: it is told by the status
    /// too.
    async fn tell(&self, name: &str, about: &Resource, told: Told);
}
