//! `backup`, `restore` and `destroy`: everything a platform holds, out, back, and away.

use std::path::{Path, PathBuf};

use blueprint::BlueprintName;
use database::{Admin, export, tenant};
use secrecy::SecretString;
use tenant_runtime::SCHEMA as TABLES;
use work::sealed::RootKey;

use super::archive::{DATA, FOLDER, pack, unpack};
use super::state;
use crate::failure::{Failure, Kind, Result};
use crate::folder::{self, Folder, SCHEMA};
use crate::home::{Home, HostLock};
use crate::host::control::{self, Reply, Request};
use crate::host::postgres::Postgres;
use crate::host::records::Kept;
use crate::host::{records, resources, unexpected};
use crate::printer::Printer;

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
    resources::forget(home, name.as_str())?;
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
