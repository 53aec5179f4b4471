//! The end of a cluster, whether its start came to its own end or not.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::groups;
use super::name::Name;
use super::network::Network;
use crate::process;

const PATIENCE: Duration = Duration::from_secs(30);

/// Ends every process of the cluster and removes its network. Only what is inside its network
/// namespace or in one of its pods is its own, whatever was noted: ids are given again.
pub(crate) fn processes(name: &Name) -> Result<()> {
    let network = Network::of(name);
    let patience = Instant::now() + PATIENCE;
    loop {
        let mut ids = network.processes()?;
        if ids.contains(&std::process::id()) {
            bail!("this runs inside the cluster that it is to end: run it outside");
        }
        ids.extend(groups::processes(name)?);
        if ids.is_empty() {
            break;
        }
        if Instant::now() > patience {
            bail!("processes {ids:?} of the cluster do not end");
        }
        // Nothing they could still write is missed by anybody.
        for id in ids {
            process::signal(id, "KILL");
        }
        thread::sleep(Duration::from_millis(20));
    }
    network.remove()?;
    groups::remove(name)
}

/// Removes the cluster's folder, when nothing is mounted below it: that might be somebody's.
pub(crate) fn folder(folder: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("read the mounts")?;
    if let Some(place) = mounted_below(&mounts, folder) {
        bail!("{place} is mounted in the cluster's folder; unmount it first: umount {place}");
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn mounted_below<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    places.into_iter().find(|place| Path::new(place).starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_mounted_in_it_stays() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /clusters/dev/node/data tmpfs rw 0 0\n";
        let below = |folder: &str| mounted_below(mounts, Path::new(folder));
        assert_eq!(below("/clusters/dev"), Some("/clusters/dev/node/data"));
        assert_eq!(below("/clusters/de"), None);
    }

    #[test]
    fn what_is_not_there_is_ended_already() {
        let never = tempfile::tempdir().unwrap().path().join("never");
        folder(&never).unwrap();
        processes(&"never-was".parse().unwrap()).unwrap();
    }
}
