//! The data folder: made whole or not at all, and never opened with the wrong version.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::process::Command;

use super::home::{Home, HomeError, sync_all};
use super::installation::Installation;
use super::server::Durability;
use super::{MAJOR, SUPERUSER};
use crate::guard;

const MADE_WITHIN: Duration = Duration::from_mins(2);

/// What unfinished clusters are called. Each has its own name, because the process that makes
/// one may outlive us for a moment.
const UNFINISHED: &str = "data.new-";

/// The data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Another major version wrote it.
    #[error(
        "{data} was written by Postgres {found}, and this program runs Postgres {MAJOR}: use the program that made it to export your platforms, then import them here"
    )]
    OtherVersion {
        /// The data folder.
        data: PathBuf,
        /// What wrote it.
        found: String,
    },
    /// It is there, but holds no database.
    #[error("{data} holds no Postgres database: move it away, or choose another data folder")]
    NoCluster {
        /// The data folder.
        data: PathBuf,
    },
    /// `initdb` failed.
    #[error("cannot create a database in {data}: {why}")]
    Init {
        /// The data folder.
        data: PathBuf,
        /// What `initdb` said.
        why: String,
    },
    /// The folder around it.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// Checks the data folder, or makes one.
pub(super) async fn ensure(
    home: &Home,
    programs: &Installation,
    password: &SecretString,
    durability: Durability,
    guardian: &Path,
) -> Result<(), ClusterError> {
    let data = home.data.clone();
    if !data.exists() {
        return create(home, programs, password, durability, guardian).await;
    }
    match std::fs::read_to_string(data.join("PG_VERSION")) {
        Ok(found) if found.trim() == MAJOR => Ok(()),
        Ok(found) => Err(ClusterError::OtherVersion { data, found: found.trim().to_owned() }),
        Err(_) => Err(ClusterError::NoCluster { data }),
    }
}

/// Makes the cluster beside its place and renames it: what a crash leaves is made anew.
async fn create(
    home: &Home,
    programs: &Installation,
    password: &SecretString,
    durability: Durability,
    guardian: &Path,
) -> Result<(), ClusterError> {
    let failed = |why: String| ClusterError::Init { data: home.data.clone(), why };
    let io = |e: io::Error| failed(e.to_string());
    sweep(home);
    let fresh = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&home.folder).map_err(io)?;
    home.owner.owns(fresh.path()).map_err(io)?;
    let mut secret = tempfile::NamedTempFile::new_in(&home.folder).map_err(io)?;
    writeln!(secret, "{}", password.expose_secret()).map_err(io)?;
    home.owner.owns(secret.path()).map_err(io)?;

    let mut initdb = Command::new(guardian);
    initdb
        .args([guard::SUBCOMMAND, guard::WATCH])
        .arg(programs.program("initdb"))
        .arg("-D")
        .arg(fresh.path())
        .args(["--username", SUPERUSER, "--encoding", "UTF8", "--auth", "scram-sha-256"])
        .args(["--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums", "--no-sync"])
        .arg("--pwfile")
        .arg(secret.path())
        .env_clear()
        .current_dir(&home.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    home.owner.runs(&mut initdb);
    let mut running = initdb.spawn().map_err(io)?;
    // Held, because the guardian takes its end for ours.
    let alive = running.stdin.take();
    let done = tokio::time::timeout(MADE_WITHIN, running.wait_with_output())
        .await
        .map_err(|_| failed(format!("initdb took longer than {} s", MADE_WITHIN.as_secs())))?
        .map_err(io)?;
    drop(alive);
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(failed(said.trim().replace('\n', "; ")));
    }
    // One call for the whole file system, in place of initdb's own thousand.
    if durability == Durability::Safe {
        sync_all(fresh.path()).map_err(io)?;
    }
    std::fs::rename(fresh.keep(), &home.data).map_err(io)?;
    Ok(home.sync()?)
}

/// Removes what earlier lives left unfinished; what cannot be removed now is left for next time.
fn sweep(home: &Home) {
    for entry in home.folder.read_dir().into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
