//! The file of a backup: one tar with the data and the folder, written and read back.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use database::export;
use tempfile::NamedTempFile;

use crate::failure::{Failure, Kind, Result};

/// The data in the file of a backup.
pub const DATA: &str = "data.export";
/// The folder in it.
pub const FOLDER: &str = "folder";
/// The most that is unpacked of a folder; brands are small.
const LARGEST_FOLDER: u64 = 256 * 1024 * 1024;
/// The longest path that systems take.
const LONGEST_PATH: u64 = 4096;

/// The data and the folder as one tar in `scratch`, readable by nobody else; and what was left
/// out of it.
pub fn pack(folder: &Path, data: &Path, scratch: &Path) -> Result<(NamedTempFile, Vec<PathBuf>)> {
    let unwritten = |error| Failure::file("write", scratch, &error);
    let whole = NamedTempFile::new_in(scratch).map_err(unwritten)?;
    let mut tar = tar::Builder::new(whole);
    // Read back as plain files only.
    tar.sparse(false);
    tar.append_path_with_name(data, DATA).map_err(unwritten)?;
    let left_out = pack_folder(&mut tar, folder, scratch)?;
    let whole = tar.into_inner().map_err(unwritten)?;
    whole.as_file().sync_all().map_err(unwritten)?;
    Ok((whole, left_out))
}

/// The plain files of the folder, without backups and what others made beside them.
fn pack_folder(
    tar: &mut tar::Builder<NamedTempFile>,
    folder: &Path,
    scratch: &Path,
) -> Result<Vec<PathBuf>> {
    let unread = |path: &Path| {
        let path = path.to_owned();
        move |error| Failure::file("pack", &path, &error)
    };
    // Both may be the same place under two names.
    let folder = folder.canonicalize().map_err(unread(folder))?;
    let scratch = scratch.canonicalize().map_err(unread(scratch))?;
    let (mut room, mut left_out) = (LARGEST_FOLDER, Vec::new());
    let mut folders = vec![folder.clone()];
    while let Some(at) = folders.pop() {
        let inside = Path::new(FOLDER).join(at.strip_prefix(&folder).unwrap_or(&at));
        tar.append_dir(&inside, &at).map_err(unread(&at))?;
        for entry in std::fs::read_dir(&at).map_err(unread(&at))? {
            let entry = entry.map_err(unread(&at))?;
            let (path, name) = (entry.path(), entry.file_name());
            let backup = path.extension().is_some_and(|extension| extension == "soulfra");
            if path == scratch || backup || name == ".soulfra" || name == ".git" {
                continue;
            }
            let kind = entry.file_type().map_err(unread(&path))?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let metadata = entry.metadata().map_err(unread(&path))?;
                room = room.checked_sub(metadata.len()).ok_or_else(|| too_large(&folder))?;
                // Read first, as it may change its size under us.
                let bytes = std::fs::read(&path).map_err(unread(&path))?;
                let mut header = tar::Header::new_gnu();
                header.set_metadata(&metadata);
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, inside.join(name), bytes.as_slice())
                    .map_err(unread(&path))?;
            } else {
                left_out.push(path);
            }
        }
    }
    Ok(left_out)
}

fn too_large(folder: &Path) -> Failure {
    let most = LARGEST_FOLDER / 1024 / 1024;
    Failure::new(
        Kind::Backup,
        format!("{} holds more than {most} MiB", folder.display()),
        "Move what is no part of the platform out of it and run the same command again.",
    )
}

/// Unpacks only what [`pack`] writes: plain files and folders at their places.
pub fn unpack(file: std::fs::File, to: &Path) -> std::io::Result<()> {
    let bad = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned());
    // What the reader of tars says of other files is their content.
    let no_backup = |_| bad("is not a backup");
    if file.metadata()?.len() > export::room_in(to)? {
        return Err(std::io::ErrorKind::StorageFull.into());
    }
    let mut archive = tar::Archive::new(file);
    let mut folder_bytes = 0;
    let mut found = (false, false);
    let mut long_path = None;
    // Raw: nothing is read into memory for us, however long it says that it is.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry.map_err(no_backup)?;
        if entry.header().entry_type().is_gnu_longname() {
            if entry.size() > LONGEST_PATH {
                return Err(bad("is not a backup: it holds a name that is too long"));
            }
            let mut name = Vec::new();
            entry.read_to_end(&mut name).map_err(no_backup)?;
            name.pop_if(|last| *last == 0);
            long_path = Some(PathBuf::from(OsString::from_vec(name)));
            continue;
        }
        let path = match long_path.take() {
            Some(path) => path,
            None => entry.path().map_err(no_backup)?.into_owned(),
        };
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let kind = entry.header().entry_type();
        if !plain || !(kind.is_file() || kind.is_dir()) {
            return Err(bad("is not a backup: it holds something that is no plain file"));
        }
        let target = to.join(&path);
        if kind.is_dir() {
            std::fs::create_dir_all(&target)?;
            continue;
        }
        if path == Path::new(DATA) {
            found.0 = true;
        } else if path.starts_with(FOLDER) {
            found.1 |= path.ends_with("blueprint.yaml");
            folder_bytes += entry.size();
            if folder_bytes > LARGEST_FOLDER {
                return Err(bad("cannot be used: its folder is too large"));
            }
        } else {
            return Err(bad("is not a backup: it holds something unknown"));
        }
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let size = entry.size();
        let mut out = std::fs::File::create(&target)?;
        let written = std::io::copy(&mut entry.by_ref().take(size), &mut out)?;
        if written != size {
            return Err(bad("is cut short"));
        }
    }
    match found {
        (true, true) => Ok(()),
        (false, false) => Err(bad("is not a backup")),
        _ => Err(bad("is not whole")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(folder: &Path, entries: impl FnOnce(&mut tar::Builder<std::fs::File>)) -> PathBuf {
        let file = folder.join("acme.soulfra");
        let mut tar = tar::Builder::new(std::fs::File::create(&file).unwrap());
        entries(&mut tar);
        tar.finish().unwrap();
        file
    }

    fn add(tar: &mut tar::Builder<std::fs::File>, path: &str, bytes: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, path, bytes).unwrap();
    }

    #[test]
    fn a_file_with_a_long_path_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("{FOLDER}/brand/{}.svg", "x".repeat(200));
        let file = packed(folder.path(), |tar| {
            add(tar, DATA, b"rows");
            add(tar, &long, b"<svg/>");
            add(tar, "folder/blueprint.yaml", b"kind: x");
        });
        let to = folder.path().join("to");
        std::fs::create_dir(&to).unwrap();
        unpack(std::fs::File::open(file).unwrap(), &to).unwrap();
        assert_eq!(std::fs::read(to.join(long)).unwrap(), b"<svg/>");
    }

    #[test]
    fn a_name_without_end_is_refused_unread() {
        for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader] {
            let folder = tempfile::tempdir().unwrap();
            let file = packed(folder.path(), |tar| {
                let mut header = tar::Header::new_gnu();
                header.set_entry_type(kind);
                header.set_size(3 * 1024 * 1024 * 1024);
                header.set_path("x").unwrap();
                header.set_cksum();
                tar.append(&header, &b"longer"[..]).unwrap();
            });
            let error = unpack(std::fs::File::open(file).unwrap(), folder.path()).unwrap_err();
            assert!(error.to_string().starts_with("is not a backup: it holds "), "{error}");
        }
    }
}
