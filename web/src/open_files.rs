//! How many files, connections among them, this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What to ask for where nothing is forbidden: macOS refuses more.
const ENOUGH: u64 = 10_240;

/// Raises it as far as the process may, and says how many it is then. Systems begin with a thousand,
/// for programs that cannot count further (`select`); none of ours does.
pub fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(ENOUGH);
    let now = current.unwrap_or(wanted);
    if now >= wanted {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, now, wanted, "could not raise the number of open files");
            now
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_may_be_open_as_the_system_allows() {
        let may = raise();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, Some(may));
        assert!(maximum.is_none() || current == maximum);
    }
}
