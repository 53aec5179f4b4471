//! How many connections the process has room for.

use web::serve::{Limits, Places};

/// Connections at most, however many files may be open.
const MOST: u64 = 4096;

/// File descriptors kept for all else: databases, the control socket, files.
const KEPT: u64 = 256;

/// The places of the listeners.
pub struct Room {
    /// For visitors, over all their listeners.
    pub visitors: Places,
    /// For platforms that ask the model server; no crowd of visitors takes these.
    pub questions: Places,
}

impl Room {
    /// Raises the number of files this process may have open as far as it may, and shares it out.
    pub fn make() -> Self {
        let Shares { visitors, questions } = shares(web::open_files::raise());
        let from_this_machine = questions;
        Self {
            visitors: Places::new(Limits::of(visitors)),
            questions: Places::new(Limits { from_this_machine, ..Limits::of(questions) }),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Shares {
    visitors: usize,
    questions: usize,
}

/// A question has both its ends in this process, so it counts twice.
fn shares(files: u64) -> Shares {
    // A very small limit is halved: with nothing left for visitors there is no platform.
    let connections = files.saturating_sub(KEPT).max(files / 2).min(MOST);
    let connections = usize::try_from(connections).unwrap_or(usize::MAX);
    let questions = connections / 8;
    Shares { visitors: connections - 2 * questions, questions }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_all_else() {
        for (files, visitors, questions) in
            [(256, 96, 16), (1024, 576, 96), (4096, 2880, 480), (1 << 20, 3072, 512)]
        {
            assert_eq!(shares(files), Shares { visitors, questions }, "{files}");
        }
    }
}
