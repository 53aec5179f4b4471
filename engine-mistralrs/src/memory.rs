//! How much memory is free, for whoever would like some more.

use std::fs::read_to_string;
use std::path::Path;

/// Bytes that can be taken without others being swapped out, and without passing the limits of
/// the control groups that we are in. `None` where the system does not say (not Linux).
pub(crate) fn available() -> Option<u64> {
    let machine = of_machine(&read_to_string("/proc/meminfo").ok()?)?;
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    Some(of_groups(&groups, Path::new("/sys/fs/cgroup")).fold(machine, u64::min))
}

fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What each group with a limit has left: ours and all above it, in both versions of groups.
fn of_groups<'a>(groups: &'a str, mount: &'a Path) -> impl Iterator<Item = u64> + 'a {
    groups.lines().filter_map(|line| Group::read(line, mount)).flat_map(Group::left)
}

/// The folder of our group below its root, and how its files are called.
struct Group<'a> {
    root: std::path::PathBuf,
    path: &'a str,
    limit: &'static str,
    used: &'static str,
    /// Of the used, what the kernel gives back when it is needed: files it keeps in memory.
    given_back: &'static str,
}

impl<'a> Group<'a> {
    /// A line of `/proc/self/cgroup`, like `0::/user.slice` or `4:memory:/user.slice`.
    fn read(line: &'a str, mount: &Path) -> Option<Self> {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(":/")?;
        match controllers {
            "" => Some(Self {
                root: mount.to_owned(),
                path,
                limit: "memory.max",
                used: "memory.current",
                given_back: "inactive_file",
            }),
            _ if controllers.split(',').any(|name| name == "memory") => Some(Self {
                root: mount.join("memory"),
                path,
                limit: "memory.limit_in_bytes",
                used: "memory.usage_in_bytes",
                given_back: "total_inactive_file",
            }),
            _ => None,
        }
    }

    fn left(self) -> Vec<u64> {
        let folders = Path::new(self.path).ancestors().map(|path| self.root.join(path));
        folders.filter_map(|folder| self.left_in(&folder)).collect()
    }

    /// `None` where there is no limit, which is written as `max`, or is not said.
    fn left_in(&self, folder: &Path) -> Option<u64> {
        let number = |file| read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
        let limit = number(self.limit)?;
        let stat = read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let given_back = stat.lines().find_map(|line| {
            let (key, bytes) = line.split_once(' ')?;
            (key == self.given_back).then(|| bytes.parse::<u64>().ok())?
        });
        let used = number(self.used)?.saturating_sub(given_back.unwrap_or_default());
        Some(limit.saturating_sub(used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read() {
        let meminfo = "MemTotal:       24689920 kB\nMemFree:  1 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(of_machine(meminfo), Some(2 << 20));
        assert_eq!(of_machine("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn the_limits_of_our_group_and_of_those_above_it_count_without_cached_files() {
        let mount = tempfile::tempdir().unwrap();
        let write = |folder: &str, file: &str, text: &str| {
            let folder = mount.path().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(file), text).unwrap();
        };
        write("user/ours", "memory.max", "max\n");
        write("user/ours", "memory.current", "70\n");
        write("user", "memory.max", "100\n");
        write("user", "memory.current", "90\n");
        write("user", "memory.stat", "anon 1\ninactive_file 30\n");
        write("memory/old", "memory.limit_in_bytes", "50\n");
        write("memory/old", "memory.usage_in_bytes", "20\n");
        let left = |groups| of_groups(groups, mount.path()).collect::<Vec<_>>();
        assert_eq!(left("0::/user/ours\n"), [40]);
        assert_eq!(left("0::/\n4:cpu,memory:/old\n5:pids:/old\n"), [30]);
        assert!(left("nonsense\n0::/nowhere\n").is_empty());
    }
}
