//! How many threads compute.

use std::collections::HashSet;
use std::fs::read_to_string;
use std::path::Path;
use std::thread::available_parallelism;

/// The cores that this process may use. Two threads on one core only get into each other's way
/// here, so what a system says of its threads' cores counts, where it says it.
pub(crate) fn cores() -> usize {
    let threads = available_parallelism().map_or(1, usize::from);
    match of_machine(Path::new("/sys/devices/system/cpu")) {
        0 => threads,
        cores => threads.min(cores),
    }
}

/// Different sets of threads that share a core.
fn of_machine(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let siblings = entries
        .flatten()
        .filter_map(|entry| read_to_string(entry.path().join("topology/core_cpus_list")).ok());
    siblings.collect::<HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_core_count_once() {
        let folder = tempfile::tempdir().unwrap();
        for (cpu, siblings) in [("cpu0", "0,2\n"), ("cpu1", "1,3\n"), ("cpu2", "0,2\n")] {
            let topology = folder.path().join(cpu).join("topology");
            std::fs::create_dir_all(&topology).unwrap();
            std::fs::write(topology.join("core_cpus_list"), siblings).unwrap();
        }
        std::fs::create_dir(folder.path().join("cpufreq")).unwrap();
        assert_eq!(of_machine(folder.path()), 2);
        assert_eq!(of_machine(Path::new("/nowhere")), 0);
        assert!(cores() >= 1);
    }
}
