//! `backup`, `restore` and `destroy`: everything a platform holds, out, back, and away.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use blueprint::BlueprintName;
use database::{Admin, export, tenant};
use secrecy::SecretString;
use tempfile::NamedTempFile;
use work::sealed::RootKey;

use super::state;
use crate::failure::{Failure, Kind, Result};
use crate::folder::{self, Folder, SCHEMA};
use crate::home::{Home, HostLock};
use crate::host::control::{self, Reply, Request};
use crate::host::platform::SCHEMA as TABLES;
use crate::host::postgres::Postgres;
use crate::host::records::Kept;
use crate::host::{records, unexpected};
use crate::printer::Printer;

/// What the file of a backup holds: the data, and the folder.
const DATA: &str = "data.export";
const FOLDER: &str = "folder";
/// The most that is unpacked of a folder; brands are small.
const LARGEST_FOLDER: u64 = 256 * 1024 * 1024;
/// The longest path that systems take.
const LONGEST_PATH: u64 = 4096;
/// What stays behind when a platform comes back: a copy must not share who is signed in where,
/// and what was ended since must not live again.
const LEFT_BEHIND: [(&str, &str); 2] = [("accounts", "session"), ("accounts", "link")];

/// Writes everything a platform holds into one file, while it runs or not.
pub async fn backup(
    name: &str,
    output: Option<PathBuf>,
    home: &Home,
    printer: &Printer,
) -> Result<()> {
    let name = known(home, name)?;
    let record = record(home, &name)?;
    let output = output.unwrap_or_else(|| {
        let stamp = work::Clock::System.now().strftime("%Y%m%d-%H%M%S");
        PathBuf::from(format!("{name}-{stamp}.soulfra"))
    });
    if output.exists() {
        return Err(there_already(&output));
    }
    let beside = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    let work = tempfile::tempdir_in(beside.unwrap_or(Path::new(".")))
        .map_err(|error| Failure::file("write beside", &output, &error))?;
    let data = work.path().join(DATA);
    let door = Door::open(home, &name, &record, printer).await?;
    let made = export::export(&door.admin, &name, &TABLES, &data, work::Clock::System.now()).await;
    door.close().await;
    made.map_err(|error| backup_failed(&error))?;
    let (whole, left_out) = pack(&record.folder, &data, work.path())?;
    // Somebody may have written it meanwhile.
    whole.persist_noclobber(&output).map_err(|failed| match failed.error.kind() {
        std::io::ErrorKind::AlreadyExists => there_already(&output),
        _ => Failure::file("write", &output, &failed.error),
    })?;
    for path in left_out {
        printer.note(&format!("left out, as it is no plain file: {}", path.display()));
    }
    printer.note(&format!("{name} is backed up"));
    if printer.is_json() {
        printer.json(&serde_json::json!({ "name": name, "file": output }));
    } else {
        printer.data(&output.display().to_string());
    }
    Ok(())
}

/// Brings a platform back. Everything of it appears, or nothing.
pub async fn restore(
    file: &Path,
    name: Option<String>,
    home: &Home,
    printer: &Printer,
) -> Result<()> {
    home.prepare()?;
    let here = Folder::at(Path::new("."))?;
    let work = tempfile::Builder::new()
        .prefix(".create-ai-platform-")
        .tempdir_in(here.path())
        .map_err(|error| Failure::file("write in", here.path(), &error))?;
    let packed = std::fs::File::open(file).map_err(|error| Failure::file("read", file, &error))?;
    unpack(packed, work.path()).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => Failure::new(
            Kind::Backup,
            format!("{} {error}", file.display()),
            "Use another copy of it; nothing was changed.",
        ),
        _ => Failure::file("unpack", file, &error),
    })?;
    let unpacked = Folder::at(&work.path().join(FOLDER))?;
    let (mut blueprint, text) = unpacked.read()?;
    if let Some(name) = name {
        blueprint.metadata.name = Some(name);
        let text = folder::rewrite(&text, &blueprint);
        crate::files::write_whole(&unpacked.blueprint_file(), text.as_bytes())
            .map_err(|error| Failure::file("write", &unpacked.blueprint_file(), &error))?;
    }
    let name = blueprint.platform_name().map_err(|error| {
        Failure::new(Kind::Name, error.to_string(), "Give another with --name.")
    })?;
    let folder = Folder::at(name.as_str().as_ref())?;
    if folder.path().exists() || records::find(home, name.as_str())?.is_some() {
        return Err(Failure::new(
            Kind::Name,
            format!("there is a platform or a folder named {name} already"),
            "Restore under another name with --name, or destroy that one first.",
        ));
    }
    let door = Door::any(home, printer).await?;
    let place = || place(&unpacked, &folder, &name, home, &door.kept);
    let brought = bring_back(&door.admin, &name, home, &work.path().join(DATA), place).await;
    door.close().await;
    brought?;
    printer.note(&format!("{name} is restored. Run it: create-ai-platform {name}"));
    Ok(())
}

/// Makes the database, fills it and places the folder. If one fails, what was made goes again.
async fn bring_back(
    admin: &Admin,
    name: &BlueprintName,
    home: &Home,
    data: &Path,
    place: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let key = RootKey::read_or_create(&home.root_key())
        .map_err(|error| unexpected(&format!("read the root key: {error}")))?;
    // Nobody else makes or drops this database until it is in place or gone.
    let restored = export::restore(admin, name, &TABLES, &key, data, &LEFT_BEHIND).await;
    let restored = restored.map_err(|error| match error {
        export::Error::Taken(_) => Failure::new(
            Kind::Name,
            error.to_string(),
            "Restore under another name with --name; nothing was changed.",
        ),
        export::Error::Tenant(_) | export::Error::Unreachable(_) => {
            Failure::new(Kind::Database, error.to_string(), "Nothing was restored.")
        }
        error => backup_failed(&error),
    })?;
    let placed = place();
    if placed.is_err()
        && let Err(error) = restored.undo().await
    {
        tracing::error!("remove the database of a failed restore: {error}");
    }
    placed
}

/// Puts the unpacked folder where it belongs and remembers it, or neither.
fn place(
    unpacked: &Folder,
    folder: &Folder,
    name: &BlueprintName,
    home: &Home,
    kept: &Kept,
) -> Result<()> {
    // A backup holds none: it is this program's, not the person's.
    let schema = unpacked.path().join(SCHEMA);
    schema
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&schema, blueprint::json_schema_text()))
        .map_err(|error| Failure::file("write", &schema, &error))?;
    std::fs::rename(unpacked.path(), folder.path())
        .map_err(|error| Failure::file("make", folder.path(), &error))?;
    let remembered = records::remember(home, name, folder, kept).map(|_| ());
    if remembered.is_err() {
        // Back into what is removed anyway.
        std::fs::rename(folder.path(), unpacked.path())
            .map_err(|error| Failure::file("remove", folder.path(), &error))?;
    }
    remembered
}

/// Removes a platform with all it holds, after its name was typed.
pub async fn destroy(
    name: &str,
    confirm: Option<String>,
    home: &Home,
    printer: &Printer,
) -> Result<()> {
    let name = known(home, name)?;
    let record = record(home, &name)?;
    confirmed(&name, confirm, &record.folder, printer)?;
    let phase = printer.phase("destroy");
    let host = Door::of_host_with(home, &name, &record).await?;
    // Where a database of the person's own is, only the running host knows.
    let external = if record.kept.external { Some(host.ok_or_else(no_way_in)?) } else { None };
    state::stop(Some(name.to_string()), home, &Printer::silent()).await?;
    let running = Door::of_host_with(home, &name, &record).await?;
    // Held to the end: no host may start in a home that is about to go.
    let lock = match running {
        Some(_) => None,
        None => Some(locked(home)?),
    };
    let others = records::names(home)?.iter().any(|other| other != name.as_str());
    let last = lock.is_some() && !others;
    let door = match (external, running) {
        (Some(door), _) | (None, Some(door)) => Some(door),
        // The embedded server goes as a whole; it need not start for that.
        (None, None) if last => None,
        (None, None) => Some(Door::own(home, printer).await?),
    };
    if let Some(door) = door {
        let dropped = tenant::drop_tenant(&door.admin, &name).await;
        door.close().await;
        dropped.map_err(|error| {
            Failure::new(Kind::Database, error.to_string(), "Run the same command again.")
        })?;
    }
    if Folder::at(&record.folder)?.described().as_ref() == Some(&name) {
        remove(&record.folder)?;
    } else if record.folder.exists() {
        let folder = record.folder.display();
        printer.note(&format!("{folder} is left: its blueprint does not name {name}"));
    }
    records::forget(home, name.as_str())?;
    if last {
        // The last one takes the host's own things along.
        home.remove()?;
    }
    phase.done(&format!("{name} is gone"));
    Ok(())
}

fn confirmed(
    name: &BlueprintName,
    confirm: Option<String>,
    folder: &Path,
    printer: &Printer,
) -> Result<()> {
    let described = Folder::at(folder)?.described();
    let folder = if described.as_ref() == Some(name) {
        format!(", its conversations and the folder {}", folder.display())
    } else {
        " and its conversations".to_owned()
    };
    let question = format!("This removes {name}: its people{folder}.\nType its name to go on:");
    let typed = confirm.or_else(|| printer.ask(&question));
    if typed.as_deref() == Some(name.as_str()) {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Declined,
        format!("{name} was not destroyed: its name was not typed"),
        format!("Without a terminal: create-ai-platform destroy {name} --confirm {name}"),
    ))
}

/// A way into the database: that of the running host, or one opened for the moment.
struct Door {
    admin: Admin,
    /// Which server it is.
    kept: Kept,
    own: Option<Postgres>,
    lock: Option<HostLock>,
}

impl Door {
    /// Into the database that a platform's data is in.
    async fn open(
        home: &Home,
        name: &BlueprintName,
        record: &records::Record,
        printer: &Printer,
    ) -> Result<Self> {
        home.prepare()?;
        match Self::of_host_with(home, name, record).await? {
            Some(door) => Ok(door),
            None if record.kept.external => Err(no_way_in()),
            None => Self::locked(home, printer).await,
        }
    }

    /// Into the running host's database, else into the embedded one.
    async fn any(home: &Home, printer: &Printer) -> Result<Self> {
        match Self::of_host(home).await? {
            Some(door) => Ok(door),
            None => Self::locked(home, printer).await,
        }
    }

    /// Into the running host's database. `None`: none runs.
    async fn of_host(home: &Home) -> Result<Option<Self>> {
        match control::ask(home, &Request::Database).await? {
            Some(Reply::Database { url, kept }) => {
                let admin = Admin::from_url(&SecretString::from(url))
                    .map_err(|error| unexpected(&format!("read the host's database: {error}")))?;
                Ok(Some(Self { admin, kept, own: None, lock: None }))
            }
            Some(other) => Err(unexpected(&format!("the host answered {other:?}"))),
            None => Ok(None),
        }
    }

    /// The same, refused if the platform's data is in another database.
    async fn of_host_with(
        home: &Home,
        name: &BlueprintName,
        record: &records::Record,
    ) -> Result<Option<Self>> {
        let door = Self::of_host(home).await?;
        if let Some(door) = &door {
            record.in_database(name, &door.kept)?;
        }
        Ok(door)
    }

    /// Starts the embedded server and keeps any host from starting meanwhile.
    async fn locked(home: &Home, printer: &Printer) -> Result<Self> {
        let lock = locked(home)?;
        Ok(Self { lock: Some(lock), ..Self::own(home, printer).await? })
    }

    /// Starts the embedded server; the caller has the lock.
    async fn own(home: &Home, printer: &Printer) -> Result<Self> {
        let postgres = Postgres::start(home, None, printer).await?;
        let (admin, kept) = (postgres.admin.clone(), postgres.kept.clone());
        Ok(Self { admin, kept, own: Some(postgres), lock: None })
    }

    async fn close(self) {
        if let Some(postgres) = self.own {
            postgres.stop().await;
        }
        drop(self.lock);
    }
}

fn no_way_in() -> Failure {
    Failure::new(
        Kind::Host,
        "the platform's data is in a database of yours, and no host process runs that knows it",
        "Run the platform with its --database-url, then this command again.",
    )
}

/// Keeps any host from starting.
fn locked(home: &Home) -> Result<HostLock> {
    home.lock()?.ok_or_else(state::busy)
}

fn known(home: &Home, name: &str) -> Result<BlueprintName> {
    let parsed = name.parse().map_err(|_| state::no_such(name))?;
    match records::find(home, name)? {
        Some(_) => Ok(parsed),
        None => Err(state::no_such(name)),
    }
}

fn record(home: &Home, name: &BlueprintName) -> Result<records::Record> {
    records::find(home, name.as_str())?.ok_or_else(|| state::no_such(name.as_str()))
}

fn there_already(output: &Path) -> Failure {
    Failure::new(
        Kind::Files,
        format!("{} is there already", output.display()),
        "Choose another file with --output; nothing was overwritten.",
    )
}

/// The data and the folder as one tar in `scratch`, readable by nobody else; and what was left
/// out of it.
fn pack(folder: &Path, data: &Path, scratch: &Path) -> Result<(NamedTempFile, Vec<PathBuf>)> {
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
fn unpack(file: std::fs::File, to: &Path) -> std::io::Result<()> {
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

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("remove", path, &error))
        }
        _ => Ok(()),
    }
}

fn backup_failed(error: &export::Error) -> Failure {
    Failure::new(Kind::Backup, error.to_string(), "Nothing half-made was left.")
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
