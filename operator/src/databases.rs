//! Tenants' databases, as the driver uses them: a port, behind which is Postgres or a simulated.

mod postgres;

use std::time::Duration;

use async_trait::async_trait;
use blueprint::BlueprintName;
use jiff::Timestamp;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
pub use tenant_runtime::admin_link::For;

pub use postgres::Postgres;

use crate::cluster::OwnDatabase;
use crate::lease::Epoch;

/// Work on one database must end within this time.
pub const DATABASE_DEADLINE: Duration = Duration::from_mins(1);

/// The ways into a tenant's database.
#[derive(Clone, Debug)]
pub struct Access {
    /// URL of the role that reads and writes rows.
    pub app: SecretString,
    /// URL of the role that only reads.
    pub read: SecretString,
}

/// A link that makes the first owner of a platform, or lets the owner back in.
#[derive(Clone)]
pub struct AdminLink {
    /// What its secret is made from; never used for another one.
    pub bits: Zeroizing<[u8; 32]>,
    /// For the first owner only, or for whoever is the owner by now.
    pub whom: For,
    /// From then on it does nothing.
    pub until: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// The number of the passwords of its logins.
    pub number: u32,
}

/// A database server.
#[derive(Clone, Debug)]
pub enum Server {
    /// One that platforms share, by its name in the installation.
    Shared(String),
    /// A platform's own.
    Own(OwnDatabase),
}

/// What becomes of the tables of a database that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// They are brought up to date.
    UpToDate,
    /// The program that uses them is not to change yet, so they stay.
    AsTheyAre,
}

/// A database that is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The version of its tables.
    pub version: i64,
    /// The number of the passwords of its logins.
    pub number: u32,
}

/// Why a database is not as it should be. Whatever it is, the same can be asked for again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// This installation has no such server.
    #[error("this installation has no database server `{0}`: put it into its settings again")]
    NoServer(String),
    /// The server does not answer.
    #[error("the database server `{server}` cannot be used now: {why}")]
    Unreachable {
        /// Which.
        server: String,
        /// What happened.
        why: String,
    },
    /// A person has to look at it.
    #[error("{0}")]
    NeedsSomebody(String),
    /// Another process has taken over.
    #[error(
        "an operator of epoch {newest} is in charge of this server, and this one is of epoch {mine}; \
         should there be no other operator, its Lease was made anew: set spec.leaseTransitions of the \
         Lease to {newest}, and start the operator again"
    )]
    Fenced {
        /// The epoch of this one.
        mine: Epoch,
        /// The newest that was there.
        newest: Epoch,
    },
}

impl DatabaseError {
    /// In a word, for a condition.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoServer(_) => "NoServer",
            Self::Unreachable { .. } => "ServerUnreachable",
            Self::NeedsSomebody(_) => "NeedsSomebody",
            Self::Fenced { .. } => "Fenced",
        }
    }
}

/// Tenants' databases.
#[async_trait]
pub trait Databases: Send + Sync {
    /// This process is in charge from now on, as the epoch says: whoever was before is kept away
    /// from each server before this one works on it.
    async fn take_charge(&self, epoch: Epoch);

    /// The version of the tables that [`Databases::ensure`] makes.
    fn schema_version(&self) -> i64;

    /// The name of a tenant's database on whatever server.
    fn name_of(&self, name: &BlueprintName) -> String;

    /// The ways in with the passwords of this number; asks no server.
    fn access(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<Access, DatabaseError>;

    /// Makes the database with its roles, or brings it up to date; writes nothing where
    /// all is as it should be. Its passwords have this number at least; those before it stay as
    /// good as they were.
    async fn ensure(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
        tables: Tables,
    ) -> Result<Made, DatabaseError>;

    /// Lets nobody in any more with the passwords before this number.
    async fn close_old(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<(), DatabaseError>;

    /// Whether the database is on this server; writes nothing.
    async fn is_on(&self, server: &str, name: &BlueprintName) -> Result<bool, DatabaseError>;

    /// Makes a platform's admin link, unless it was made before, and says its path as long as it can
    /// be used.
    async fn admin_link(
        &self,
        server: &Server,
        name: &BlueprintName,
        link: AdminLink,
    ) -> Result<Option<SecretString>, DatabaseError>;

    /// When the next piece of work that a platform has put off is due, by its own database; `None`:
    /// there is none. Asked as the runtime itself, whose passwords have this number.
    async fn next_due(
        &self,
        server: &Server,
        name: &BlueprintName,
        number: u32,
    ) -> Result<Option<Timestamp>, DatabaseError>;

    /// Removes the database and its roles for good.
    async fn purge(&self, server: &str, name: &BlueprintName) -> Result<(), DatabaseError>;
}
