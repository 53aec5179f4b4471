//! Where platforms are: a port, behind which is the API server of Kubernetes, or one machine.
//!
//! The blueprint is there and nowhere else. Every write says what it was decided on, so that nothing
//! is done to another platform of the same name, or over somebody's change that was not seen.

#[cfg(feature = "kubernetes")]
mod kubernetes;
mod watched;

use std::sync::Arc;

use async_trait::async_trait;
use blueprint::status::Account;
use blueprint::{BlueprintName, BlueprintSpec, PlatformBlueprint};
use jiff::Timestamp;
use tokio::sync::watch::Receiver;
use uuid::Uuid;

#[cfg(feature = "kubernetes")]
pub use kubernetes::Kubernetes;
pub use watched::Watched;

/// The label of a blueprint that says who writes its `spec`.
pub const MANAGED_BY: &str = "soulfra.io/managed-by";
/// What it says of ours.
pub const CONTROL_PLANE: &str = "control-plane";
/// What it says of what is in somebody's files; where there is no label, it is as if it said so.
const KUBECTL: &str = "kubectl";
/// The annotation of a blueprint that names the platform the control plane knows it as.
pub const PLATFORM: &str = "soulfra.io/platform-id";

/// The annotation of a blueprint by which the operator brings back what was deleted under its name.
pub const UNDELETE: &str = "soulfra.io/undelete";
/// The annotation of a blueprint by which the operator looks at it again at once, its names too: a time.
pub const RECHECK: &str = "soulfra.io/recheck";

/// Who writes the `spec` of a blueprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// We do.
    ControlPlane,
    /// Whoever has it in files.
    Kubectl,
}

impl Writer {
    /// As the label says it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ControlPlane => CONTROL_PLANE,
            Self::Kubectl => KUBECTL,
        }
    }
}

/// What a blueprint is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// A platform that is new.
    New,
    /// One that was deleted, and comes back with its data.
    Again,
}

/// A state of a blueprint, as whoever changes it saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which one of those that had its name.
    pub uid: Uuid,
    /// How often its `spec` was changed.
    pub generation: i64,
}

/// Why a call did not do what it was to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// There is another one of that name.
    #[error("there is another blueprint of that name")]
    Taken,
    /// There is none of that name, or not the one that was meant.
    #[error("there is no such blueprint")]
    Missing,
    /// It was changed since it was seen.
    #[error("the blueprint was changed meanwhile")]
    Changed,
    /// Somebody else writes its spec.
    #[error("its spec is written by {0}")]
    ManagedBy(String),
    /// The cluster does not take it; in its words.
    #[error("refused: {0}")]
    Refused(String),
    /// The cluster does not answer, or cannot do it now. Whether it was done is not known.
    #[error("the cluster does not answer: {0}")]
    Unavailable(String),
}

/// The cluster that platforms run in.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// The blueprint of this name as it is; as it was seen last, where the cluster does not answer.
    ///
    /// # Errors
    /// [`ClusterError::Unavailable`], where nothing was seen yet.
    async fn get(&self, name: &BlueprintName) -> Result<Option<PlatformBlueprint>, ClusterError>;

    /// The blueprints of these names as they were seen last, in the same order: a moment old at most
    /// while the cluster answers.
    fn seen(&self, names: &[BlueprintName]) -> Vec<Option<PlatformBlueprint>>;

    /// Blueprints that somebody else writes and that name an organization, as they were seen last.
    fn written_elsewhere(&self) -> Vec<Arc<PlatformBlueprint>>;

    /// Hears of each change of what was seen of this name, from now on; of several at once, of one.
    fn watch(&self, name: &BlueprintName) -> Receiver<()>;

    /// Whether what was seen is all there is.
    fn is_known(&self) -> bool;

    /// Makes a platform of ours. Where it is there already and says the same, it is as if it had just
    /// been made.
    ///
    /// # Errors
    /// [`ClusterError`]
    async fn create(
        &self,
        name: &BlueprintName,
        (platform, made): (&str, Made),
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError>;

    /// Has a platform of ours be so from now on.
    ///
    /// # Errors
    /// [`ClusterError`]
    async fn change(
        &self,
        name: &BlueprintName,
        seen: Version,
        spec: &BlueprintSpec,
    ) -> Result<PlatformBlueprint, ClusterError>;

    /// Has a platform stopped that is as it was seen, and its data kept. One that is not there any more is
    /// no error.
    ///
    /// # Errors
    /// [`ClusterError`]
    async fn delete(&self, name: &BlueprintName, seen: Version) -> Result<(), ClusterError>;

    /// Has a blueprint that says what was seen be this platform's, and be written by somebody else from now
    /// on. Its spec stays as it is. Done again it changes nothing more.
    ///
    /// # Errors
    /// [`ClusterError`]
    async fn hand_over(
        &self,
        name: &BlueprintName,
        seen: Version,
        (platform, to): (&str, Writer),
    ) -> Result<PlatformBlueprint, ClusterError>;

    /// Has the operator look at it again at once.
    ///
    /// # Errors
    /// [`ClusterError`]
    async fn nudge(
        &self,
        name: &BlueprintName,
        uid: Uuid,
        now: Timestamp,
    ) -> Result<PlatformBlueprint, ClusterError>;

    /// Confirms whose it is, and what that gives.
    ///
    /// # Errors
    /// [`ClusterError`]
    async fn confirm(
        &self,
        name: &BlueprintName,
        uid: Uuid,
        account: &Account,
    ) -> Result<(), ClusterError>;
}

/// Whether it was made for this platform, and not by other means under its name.
pub fn is_of(blueprint: &PlatformBlueprint, platform: &str) -> bool {
    let named = blueprint.metadata.annotations.as_ref().and_then(|all| all.get(PLATFORM));
    named.is_some_and(|named| named == platform)
}

/// Who writes its spec, in a word.
pub fn writer(blueprint: &PlatformBlueprint) -> &str {
    let label = blueprint.metadata.labels.as_ref().and_then(|all| all.get(MANAGED_BY));
    label.map_or(KUBECTL, String::as_str)
}

/// Which one of those that had its name it is.
pub fn uid(blueprint: &PlatformBlueprint) -> Option<Uuid> {
    blueprint.metadata.uid.as_ref()?.parse().ok()
}

/// Whether it was deleted, and is being stopped.
pub fn is_going(blueprint: &PlatformBlueprint) -> bool {
    blueprint.metadata.deletion_timestamp.is_some()
}

/// Which state of it this is; `None` of one that is in no cluster.
pub fn version(blueprint: &PlatformBlueprint) -> Option<Version> {
    Some(Version { uid: uid(blueprint)?, generation: blueprint.metadata.generation? })
}
