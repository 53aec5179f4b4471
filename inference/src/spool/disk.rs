//! The few things that are asked of a disk, so that a test can refuse them.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

pub(super) trait Disk: Debug + Send + Sync {
    /// Makes a file that is not there yet, for us alone, with so much space allocated.
    fn create(&self, path: &Path, bytes: u64) -> io::Result<File>;
    /// Writes all of it at an offset.
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Waits until the disk has what was written.
    fn sync(&self, file: &File) -> io::Result<()>;
}

#[derive(Debug)]
pub(super) struct Real;

impl Disk for Real {
    fn create(&self, path: &Path, bytes: u64) -> io::Result<File> {
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let made = allocate(&file, bytes).and_then(|()| sync_folder_of(path));
        if let Err(error) = made {
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        Ok(file)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// Keeps space for the file without making it longer, where the file system can.
#[cfg(target_os = "linux")]
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Other systems make the file longer with it, or cannot: there a full disk is only known when it
/// refuses a record, which is then tried again.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "as where it can fail")]
fn allocate(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

/// A new file's name is only on the disk when its folder is.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    // A bare name is in the present folder.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}
