//! Names of platforms, as the driver uses them: a port, behind which is the database `fleet` or a
//! simulated.
//!
//! Whose a name is, how its certificate comes and how edges meet a platform is all said in one
//! place: see the crate `certificates`.

mod keeping;
mod register;
mod told;

use std::time::Duration;

use async_trait::async_trait;
use blueprint::status::DomainStatus;
use certificates::served::Platform;
use jiff::Timestamp;
use uuid::Uuid;

pub use keeping::{Keeping, Own, Whose};
pub use register::{EDGE_ROLE, Register};

use crate::lease::Epoch;

/// A question about names must be answered within this time: platforms are made true all the same.
pub const NAMES_DEADLINE: Duration = Duration::from_secs(5);

/// What a platform wants of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// How edges are to meet it. Its primary host is not decided by then.
    pub platform: Platform,
    /// The names of its own, as its blueprint has them, the main one first.
    pub names: Vec<String>,
    /// It was deleted and comes back: what was claimed for it before is its own.
    pub comes_back: bool,
    /// Since when somebody says that the records are there.
    pub recheck: Option<Timestamp>,
    /// Earlier blueprints of its name, which are gone, as the API server said after this was asked
    /// for once. `None`: it was not asked.
    pub gone: Option<Vec<Uuid>>,
}

/// How far the names of a platform are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Each of its own, in its order.
    pub names: Vec<Named>,
    /// Where it is met first.
    pub primary_host: Option<String>,
    /// The name that it has anyway is served under a certificate.
    pub own_is_served: bool,
}

/// How far a name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// As the status has it.
    pub status: DomainStatus,
    /// What stands between the name and its platform.
    pub stands: Option<Stands>,
    /// It may be further after this time.
    pub again: Option<Duration>,
}

/// What stands between a name and its platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stands {
    /// In a word.
    pub reason: &'static str,
    /// In words, with what to do.
    pub message: String,
}

/// Why nothing was done about names. Whatever it is, the same can be asked for again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainsError {
    /// The database does not answer.
    #[error("the database of names cannot be used now: {0}")]
    Unreachable(String),
    /// Somebody would lose a name, and what is known of the blueprint may be old.
    #[error("somebody would lose a name")]
    Unsure {
        /// Other blueprints of the name.
        others: Vec<Uuid>,
    },
    /// The database answers, and does not do it.
    #[error("names could not be kept: {0}")]
    Failed(String),
    /// The platform of this blueprint has ended, for good.
    #[error("the platform of this blueprint has ended: it has no names any more")]
    Ended,
    /// Another process has taken over.
    #[error("another operator is in charge of this")]
    Fenced,
}

/// Names of platforms.
#[async_trait]
pub trait Domains: Send + Sync {
    /// This process is in charge from now on: whoever was before is kept away from names.
    async fn take_charge(&self, epoch: Epoch);

    /// Makes these the names of a platform, tells edges how it is met, and says how far each name
    /// is; writes nothing where nothing is other than it was.
    ///
    /// # Errors
    /// [`DomainsError::Unsure`] where somebody would lose a name: it is to be asked for once more,
    /// with those that are gone.
    async fn keep(&self, wish: &Wish) -> Result<Kept, DomainsError>;

    /// Since when nobody uses a platform that may sleep; `None` where nobody knows.
    async fn quiet_since(&self, uid: Uuid) -> Result<Option<Timestamp>, DomainsError>;

    /// From now on edges wake it before they ask it; false where it was used since then.
    async fn let_sleep(&self, uid: Uuid, quiet: Timestamp) -> Result<bool, DomainsError>;

    /// The blueprints that a platform of this name had, as far as there is anything of them.
    async fn of_name(&self, name: &str) -> Result<Vec<Uuid>, DomainsError>;

    /// The platform of this blueprint is met nowhere any more, for good. What it claims stays its
    /// own.
    async fn close(&self, uid: Uuid) -> Result<(), DomainsError>;

    /// It gives up what it claims too.
    async fn release(&self, uid: Uuid) -> Result<(), DomainsError>;
}
