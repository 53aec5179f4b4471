//! What a cluster knows of a blueprint and its file does not: which one it is, how often it was
//! changed, whose platform it is. One file each, beside what is remembered of platforms.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use blueprint::status::Account;
use blueprint::{BlueprintName, BlueprintSpec};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::failure::{Failure, Kind, Result};
use crate::home::{self, Home};

/// One blueprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Which one of those that had its name.
    pub uid: Uuid,
    /// How often its `spec` was changed.
    pub generation: i64,
    /// What its file said last.
    pub spec: BlueprintSpec,
    /// The platform that the control plane knows it as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Whether its file alone says what it is, and the console changes nothing.
    #[serde(default)]
    pub released: bool,
    /// When it was last to be looked at again, at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<Timestamp>,
    /// Whether it came back after it was deleted.
    #[serde(default)]
    pub undeleted: bool,
    /// What the control plane has confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Who starts it.
    pub starts: Starts,
    /// Since when it is stopped for good, with its folder and data kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Who starts a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Starts {
    /// A command with its name.
    ByCommand,
    /// The host process, whenever it runs.
    WithHost,
}

/// Held by whoever reads one to write it again: there is one host, and it changes one after the other.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static CHANGES: Mutex<()> = Mutex::new(());
    CHANGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is kept of this name.
pub fn find(home: &Home, name: &str) -> Result<Option<Resource>> {
    let path = path(home, name);
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
            Failure::new(
                Kind::Files,
                format!("{} is damaged: {error}", path.display()),
                "Remove that file: the console knows the platform anew then, and nothing else is lost.",
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", &path, &error)),
    }
}

/// From now on it is so.
pub fn keep(home: &Home, name: &BlueprintName, resource: &Resource) -> Result<()> {
    let path = path(home, name.as_str());
    home::private_folder(&home.blueprints())?;
    let written = serde_json::to_vec(resource)
        .map_err(std::io::Error::from)
        .and_then(|text| crate::files::write_whole(&path, &text));
    written.map_err(|error| Failure::file("write", &path, &error))?;
    home::protect(&path, 0o600)
}

/// Nothing is known of it any more.
pub fn forget(home: &Home, name: &str) -> Result<()> {
    let path = path(home, name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("remove", &path, &error))
        }
        _ => Ok(()),
    }
}

/// From now on it runs when a command with its name says so.
pub fn start_by_command(home: &Home, name: &str) -> Result<()> {
    let _one = one_at_a_time();
    let (Ok(parsed), Some(kept)) = (name.parse(), find(home, name)?) else { return Ok(()) };
    keep(home, &parsed, &Resource { starts: Starts::ByCommand, ..kept })
}

/// Refuses one that is not to run: deleted, or suspended by its blueprint.
pub fn may_run(home: &Home, name: &BlueprintName, spec: &BlueprintSpec) -> Result<()> {
    if find(home, name.as_str())?.is_some_and(|kept| kept.deleted_at.is_some()) {
        return Err(Failure::new(
            Kind::Name,
            format!("{name} was deleted in the console; its data is kept"),
            format!(
                "Bring it back there (create-ai-platform console), or remove all of it: \
                 create-ai-platform destroy {name}"
            ),
        ));
    }
    if spec.suspended {
        return Err(Failure::new(
            Kind::Name,
            format!("{name} is suspended: its blueprint says `suspended: true`"),
            "Remove that line, or resume it in the console: create-ai-platform console",
        ));
    }
    Ok(())
}

fn path(home: &Home, name: &str) -> PathBuf {
    home.blueprints().join(format!("{name}.json"))
}
