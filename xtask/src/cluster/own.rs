//! A cluster for one run of tests: named after its process, and ended with it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::binaries::{Binaries, Parts};
use super::name::Name;
use super::{access, down, folder, lock_file, need_root, record, up};
use crate::process::Deadline;
use crate::project::Project;
use crate::{say, system};

/// What the file of a run that lives ends with; the kernel lets go of it when the run is over,
/// however it ended.
const HELD: &str = ".held";

/// An API server and etcd of this run's own; dropping it ends them.
pub(crate) struct Own<'a> {
    project: &'a Project,
    name: Name,
    kubectl: PathBuf,
    _lock: File,
}

impl<'a> Own<'a> {
    /// Starts it, and ends those of earlier runs that were killed.
    pub(crate) fn start(project: &'a Project, parts: Parts) -> Result<Self> {
        need_root()?;
        let clusters = record::clusters(project);
        fs::create_dir_all(&clusters).with_context(|| format!("create {}", clusters.display()))?;
        for name in abandoned(&clusters)? {
            say::line(&format!("{} was left behind by a run that was killed", name.as_str()));
            down(project, &name)?;
            forget(&clusters, &name);
        }
        let Ok(name) = format!("test-{}", std::process::id()).parse::<Name>() else {
            bail!("the id of this process is too long for a name");
        };
        let held = held(&clusters, &name);
        let lock = system::lock(&held, "another run of the same id", Deadline::in_minutes(0))?;
        // From here on it is ended, also where its start breaks off.
        let kubectl = Binaries::kubectl(project);
        let own = Self { project, name, kubectl, _lock: lock };
        up(project, &own.name, parts)?;
        Ok(own)
    }

    /// The administrator's.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        folder(self.project, &self.name).join(access::KUBECONFIG)
    }

    /// What its users have at hand, of the same version.
    pub(crate) fn kubectl(&self) -> &Path {
        &self.kubectl
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        match down(self.project, &self.name) {
            Ok(()) => forget(&record::clusters(self.project), &self.name),
            // The next run tries again.
            Err(error) => say::error(&error.context("end the tests' cluster")),
        }
    }
}

fn held(clusters: &Path, name: &Name) -> PathBuf {
    clusters.join(format!("{}{HELD}", name.as_str()))
}

/// Removes the last of a cluster that is down: nobody else uses its name.
fn forget(clusters: &Path, name: &Name) {
    for file in [lock_file(clusters, name), held(clusters, name)] {
        // What stays is of no use, and does no harm.
        let _ = fs::remove_file(file);
    }
}

/// The clusters whose run is over and did not end them.
fn abandoned(clusters: &Path) -> Result<Vec<Name>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(clusters)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let name = file.strip_suffix(HELD).and_then(|name| name.parse::<Name>().ok());
        let Some(name) = name else { continue };
        // Gone meanwhile: its run has just ended.
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() {
            found.push(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_that_is_over_leaves_its_cluster_behind() {
        let folder = tempfile::tempdir().unwrap();
        let [lives, over]: [Name; 2] = ["test-1", "test-2"].map(|name| name.parse().unwrap());
        let lock = |name| {
            system::lock(&held(folder.path(), name), "a test", Deadline::in_minutes(0)).unwrap()
        };
        let _lives = lock(&lives);
        drop(lock(&over));
        fs::write(folder.path().join("dev.lock"), "").unwrap();
        assert_eq!(abandoned(folder.path()).unwrap(), [over]);
    }
}
