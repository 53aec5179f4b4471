//! The control groups of a cluster's pods: all below one of the cluster's own, so that clusters
//! with nodes do not clear away each other's, and so that their processes are found at the end.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::name::Name;

/// What kubelet is told to use as its root.
pub(crate) fn root(name: &Name) -> String {
    format!("/{}", name.on_machine())
}

/// Makes the cluster's group in every hierarchy; kubelet wants to find it.
pub(crate) fn create(name: &Name) -> Result<()> {
    for hierarchy in hierarchies()? {
        let group = hierarchy.join(name.on_machine());
        fs::create_dir_all(&group).with_context(|| format!("create {}", group.display()))?;
        // Without processors and memory a group of the older kind takes no process.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let own = group.join(file);
            if fs::read_to_string(&own).is_ok_and(|text| text.trim().is_empty())
                && let Ok(all) = fs::read(hierarchy.join(file))
            {
                fs::write(&own, all).with_context(|| format!("write {}", own.display()))?;
            }
        }
    }
    Ok(())
}

/// The ids of every process in a pod of the cluster.
pub(crate) fn processes(name: &Name) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for group in groups(name)? {
        let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Removes the groups, when no process is left in them.
pub(crate) fn remove(name: &Name) -> Result<()> {
    let mut groups = groups(name)?;
    // A group goes after those below it.
    groups.reverse();
    for group in groups {
        match fs::remove_dir(&group) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("remove {}", group.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every group of the cluster, each before those below it.
fn groups(name: &Name) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut next: Vec<PathBuf> =
        hierarchies()?.into_iter().map(|root| root.join(name.on_machine())).collect();
    while let Some(group) = next.pop() {
        let Ok(entries) = fs::read_dir(&group) else { continue };
        next.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()));
        found.push(group);
    }
    Ok(found)
}

fn hierarchies() -> Result<Vec<PathBuf>> {
    Ok(mounted(&fs::read_to_string("/proc/mounts").context("read /proc/mounts")?))
}

/// Where control groups are mounted: one place, or one for each controller.
fn mounted(mounts: &str) -> Vec<PathBuf> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (place, kind) = (words.next()?, words.next()?);
            ["cgroup", "cgroup2"].contains(&kind).then(|| Path::new(place).to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_of_both_kinds_are_found() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                      cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let expected = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        assert_eq!(mounted(mounts), expected);
    }

    #[test]
    fn a_cluster_that_never_was_has_no_process_and_nothing_to_remove() {
        let name = "never-was".parse().unwrap();
        assert!(processes(&name).unwrap().is_empty());
        remove(&name).unwrap();
    }
}
