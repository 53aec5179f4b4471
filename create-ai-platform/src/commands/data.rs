//! `backup`, `restore` and `destroy`: everything a platform holds, out, back, and away.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use blueprint::BlueprintName;
use database::{Admin, export, tenant};
use secrecy::SecretString;
use work::sealed::RootKey;

use super::state;
use crate::failure::{Failure, Kind, Result};
use crate::folder::{Folder, SCHEMA};
use crate::home::Home;
use crate::host::control::{self, Reply, Request};
use crate::host::platform::SCHEMA as TABLES;
use crate::host::postgres::Postgres;
use crate::host::{records, unexpected};
use crate::printer::Printer;

/// What the file of a backup holds: the data, and the folder.
const DATA: &str = "data.export";
const FOLDER: &str = "folder";
/// The most that is unpacked of a folder; brands are small.
const LARGEST_FOLDER: u64 = 256 * 1024 * 1024;

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
        return Err(Failure::new(
            Kind::Files,
            format!("{} is there already", output.display()),
            "Choose another file with --output; nothing was overwritten.",
        ));
    }
    let beside = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    let work = tempfile::tempdir_in(beside.unwrap_or(Path::new(".")))
        .map_err(|error| Failure::file("write beside", &output, &error))?;
    let data = work.path().join(DATA);
    let door = Door::open(home, record.external, printer).await?;
    let made = export::export(&door.admin, &name, &TABLES, &data, work::Clock::System.now()).await;
    door.close().await;
    made.map_err(|error| backup_failed(&error))?;
    let whole = work.path().join("whole");
    pack(&record.folder, &data, &whole).map_err(|error| Failure::file("write", &whole, &error))?;
    std::fs::rename(&whole, &output).map_err(|error| Failure::file("write", &output, &error))?;
    printer.note(&format!("{name} is backed up"));
    printer.data(&output.display().to_string());
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
    unpack(file, work.path()).map_err(|error| {
        Failure::new(
            Kind::Backup,
            format!("{} cannot be read as a backup: {error}", file.display()),
            "Use another copy of it; nothing was changed.",
        )
    })?;
    let unpacked = Folder::at(&work.path().join(FOLDER))?;
    let (mut blueprint, _) = unpacked.read()?;
    if let Some(name) = name {
        blueprint.metadata.name = Some(name);
        let text = blueprint::write_with_schema_line(&blueprint, SCHEMA);
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
    let door = Door::open(home, false, printer).await?;
    let brought = bring_back(&door.admin, &name, home, &work.path().join(DATA)).await;
    door.close().await;
    brought?;
    std::fs::rename(unpacked.path(), folder.path())
        .map_err(|error| Failure::file("make", folder.path(), &error))?;
    records::remember(home, &name, &folder, false)?;
    printer.note(&format!("{name} is restored. Run it: create-ai-platform {name}"));
    Ok(())
}

async fn bring_back(admin: &Admin, name: &BlueprintName, home: &Home, data: &Path) -> Result<()> {
    let key = RootKey::read_or_create(&home.root_key())
        .map_err(|error| unexpected(&format!("read the root key: {error}")))?;
    tenant::provision(admin, name, &TABLES, &key).await.map_err(|error| {
        Failure::new(Kind::Database, error.to_string(), "Nothing was restored.")
    })?;
    if let Err(error) = export::import(admin, name, &TABLES, data).await {
        // An empty database must not stay behind.
        if let Err(error) = tenant::drop_tenant(admin, name).await {
            tracing::error!("remove the database of a failed restore: {error}");
        }
        return Err(backup_failed(&error));
    }
    Ok(())
}

/// Removes a platform with all it holds, after its name was typed.
pub async fn destroy(
    name: &str,
    confirm: Option<String>,
    yes: bool,
    home: &Home,
    printer: &Printer,
) -> Result<()> {
    let name = known(home, name)?;
    let record = record(home, &name)?;
    confirmed(&name, confirm, yes, &record.folder, printer)?;
    let others = records::names(home).iter().any(|other| other != name.as_str());
    let phase = printer.phase("destroy");
    if record.external || others {
        let door = Door::open(home, record.external, printer).await?;
        stop_quietly(&name, home).await?;
        let dropped = match Door::open(home, false, printer).await {
            // The host may have ended with its last platform; an external database has not.
            Ok(again) if !record.external => {
                let dropped = tenant::drop_tenant(&again.admin, &name).await;
                again.close().await;
                dropped
            }
            _ => tenant::drop_tenant(&door.admin, &name).await,
        };
        door.close().await;
        dropped.map_err(|error| {
            Failure::new(Kind::Database, error.to_string(), "Run the same command again.")
        })?;
    } else {
        stop_quietly(&name, home).await?;
    }
    remove(&record.folder)?;
    records::forget(home, name.as_str())?;
    if !others {
        // The last one takes the host's own things along.
        home.remove()?;
    }
    phase.done(&format!("{name} is gone"));
    Ok(())
}

fn confirmed(
    name: &BlueprintName,
    confirm: Option<String>,
    yes: bool,
    folder: &Path,
    printer: &Printer,
) -> Result<()> {
    let question = format!(
        "This removes {name}: its people, its conversations and the folder {}.\n\
         Type its name to go on:",
        folder.display()
    );
    let typed = match confirm {
        Some(typed) => Some(typed),
        None if yes => Some(name.to_string()),
        None => printer.ask(&question),
    };
    if typed.as_deref() == Some(name.as_str()) {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Declined,
        format!("{name} was not destroyed: its name was not typed"),
        format!("Without a terminal: create-ai-platform destroy {name} --confirm {name}"),
    ))
}

async fn stop_quietly(name: &BlueprintName, home: &Home) -> Result<()> {
    let quiet = Printer::silent();
    state::stop(Some(name.to_string()), home, &quiet).await
}

/// A way into the database: that of the running host, or one opened for the moment.
struct Door {
    admin: Admin,
    own: Option<(Postgres, crate::home::HostLock)>,
}

impl Door {
    async fn open(home: &Home, external: bool, printer: &Printer) -> Result<Self> {
        home.prepare()?;
        match control::ask(&home.socket(), &Request::Database).await? {
            Some(Reply::Database { url }) => {
                let admin = Admin::from_url(&SecretString::from(url))
                    .map_err(|error| unexpected(&format!("read the host's database: {error}")))?;
                return Ok(Self { admin, own: None });
            }
            Some(other) => return Err(unexpected(&format!("the host answered {other:?}"))),
            None if external => {
                return Err(Failure::new(
                    Kind::Host,
                    "the platform's data is in a database of yours, and it does not run",
                    "Run the platform with its --database-url, then this command again.",
                ));
            }
            None => {}
        }
        let lock = home.lock()?.ok_or_else(|| {
            Failure::new(
                Kind::Host,
                "the host process is starting or ending",
                "Wait a moment and run the same command again.",
            )
        })?;
        let postgres = Postgres::start(home, None, printer).await?;
        Ok(Self { admin: postgres.admin.clone(), own: Some((postgres, lock)) })
    }

    async fn close(self) {
        if let Some((postgres, lock)) = self.own {
            postgres.stop().await;
            drop(lock);
        }
    }
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

/// The folder's files without their state, and the data, as one tar.
fn pack(folder: &Path, data: &Path, whole: &Path) -> std::io::Result<()> {
    let mut tar = tar::Builder::new(std::fs::File::create(whole)?);
    tar.follow_symlinks(false);
    tar.append_path_with_name(data, DATA)?;
    tar.append_dir_all(FOLDER, folder)?;
    tar.into_inner()?.sync_all()
}

/// Unpacks only what [`pack`] writes: plain files and folders at their places.
fn unpack(file: &Path, to: &Path) -> std::io::Result<()> {
    let bad = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned());
    let mut archive = tar::Archive::new(std::fs::File::open(file)?);
    let mut folder_bytes = 0;
    let mut found = (false, false);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let kind = entry.header().entry_type();
        if !plain || !(kind.is_file() || kind.is_dir()) {
            return Err(bad("it holds something that is no plain file"));
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
                return Err(bad("its folder is too large"));
            }
        } else {
            return Err(bad("it holds something unknown"));
        }
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let size = entry.size();
        let mut out = std::fs::File::create(&target)?;
        let written = std::io::copy(&mut entry.by_ref().take(size), &mut out)?;
        if written != size {
            return Err(bad("it is cut short"));
        }
    }
    if found == (true, true) { Ok(()) } else { Err(bad("it is not whole")) }
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
