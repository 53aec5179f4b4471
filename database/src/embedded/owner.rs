//! Whose Postgres it is: ours, or an unprivileged user's when we are root.

use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

/// `nobody` on the systems we know. Postgres needs a user that has a name.
const NOBODY: u32 = 65_534;

/// Who runs Postgres and owns its files.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// The user we run as.
    Us,
    /// We are root, so somebody without rights.
    Other { uid: u32, gid: u32 },
}

impl Owner {
    /// Of the data folder, if there is one: a folder made for another user stays usable.
    pub(super) fn of(data: &Path) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::Us;
        }
        match std::fs::metadata(data) {
            Ok(found) if found.uid() != 0 => Self::Other { uid: found.uid(), gid: found.gid() },
            _ => Self::Other { uid: NOBODY, gid: NOBODY },
        }
    }

    pub(super) fn uid(self) -> u32 {
        match self {
            Self::Us => rustix::process::geteuid().as_raw(),
            Self::Other { uid, .. } => uid,
        }
    }

    /// Lets `command` run as the owner, without our supplementary groups.
    pub(super) fn runs(self, command: &mut tokio::process::Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    pub(super) fn owns(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Us => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid)),
        }
    }

    /// The first folder on the way to `path` that the owner cannot pass.
    pub(super) fn stopped_at(self, path: &Path) -> io::Result<Option<PathBuf>> {
        let Self::Other { uid, gid } = self else { return Ok(None) };
        for folder in path.canonicalize()?.ancestors() {
            let found = folder.metadata()?;
            let class = if found.uid() == uid {
                0o100
            } else if found.gid() == gid {
                0o010
            } else {
                0o001
            };
            if found.mode() & class == 0 {
                return Ok(Some(folder.to_owned()));
            }
        }
        Ok(None)
    }
}
