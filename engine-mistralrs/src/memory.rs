//! How much memory is free, for whoever would like some more.

use std::path::Path;

/// Bytes that can be taken without others being swapped out, and without passing the limit of the
/// group of processes that we are in. `None` where the system does not say (not Linux).
pub(crate) fn available() -> Option<u64> {
    let machine = of_machine(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group_folder(&groups).and_then(|folder| {
        let number = |file: &str| read_number(&Path::new("/sys/fs/cgroup").join(folder).join(file));
        Some(number("memory.max")?.saturating_sub(number("memory.current")?))
    });
    Some(group.map_or(machine, |group| machine.min(group)))
}

fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Where the second version of control groups keeps ours.
fn group_folder(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::/"))
}

/// `None` also for `max`, which is no limit.
fn read_number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read() {
        let meminfo = "MemTotal:       24689920 kB\nMemFree:  1 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(of_machine(meminfo), Some(2 << 20));
        assert_eq!(of_machine("MemTotal: 1 kB\n"), None);
        assert_eq!(group_folder("1:cpu:/x\n0::/user.slice/a\n"), Some("user.slice/a"));
        assert_eq!(group_folder("1:cpu:/x\n"), None);
    }
}
