//! What is remembered of each platform between runs: where its folder is, and its data.

use std::path::PathBuf;

use blueprint::BlueprintName;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind, Result};
use crate::folder::Folder;
use crate::home::{self, Home};

/// What is remembered of one platform.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its folder.
    pub folder: PathBuf,
    /// Where its data is.
    #[serde(flatten)]
    pub kept: Kept,
}

/// Which Postgres server keeps data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Whether it is not ours to start and stop.
    #[serde(default)]
    pub external: bool,
    /// What tells one of the person's servers from another, without secrets; `None` where that
    /// is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// Whether a platform was known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// It was.
    Known,
    /// It is new here.
    Unknown,
}

/// Remembers where a platform lives. A name belongs to one folder as long as that describes it, or
/// might once its blueprint is mended, and to one database for good.
pub fn remember(home: &Home, name: &BlueprintName, folder: &Folder, kept: &Kept) -> Result<Before> {
    let known = find(home, name.as_str())?;
    if let Some(known) = &known {
        let there = Folder::at(&known.folder)?;
        let taken = there.exists() && there.described().is_none_or(|described| described == *name);
        if there != *folder && taken {
            return Err(elsewhere(name.as_str(), &known.folder));
        }
        known.in_database(name, kept)?;
    }
    let before = if known.is_some() { Before::Known } else { Before::Unknown };
    let path = path(home, name.as_str());
    let record = Record { folder: folder.path().to_owned(), kept: kept.clone() };
    home::private_folder(&home.platforms())?;
    let written = serde_json::to_vec(&record)
        .map_err(std::io::Error::from)
        .and_then(|text| crate::files::write_whole(&path, &text));
    written.map_err(|error| Failure::file("write", &path, &error))?;
    home::protect(&path, 0o600)?;
    Ok(before)
}

impl Record {
    /// Refuses another database than the one its data is in: there the platform would seem to be
    /// empty, or would be somebody else's of the same name.
    pub fn in_database(&self, name: &BlueprintName, kept: &Kept) -> Result<()> {
        let (known, given) = (&self.kept, kept);
        let (what, hint) = if known.external && given.external {
            // One that is not known yet is taken at its word.
            let (Some(server), Some(other)) = (&known.server, &given.server) else { return Ok(()) };
            if server == other {
                return Ok(());
            }
            (
                format!(
                    "{name} keeps its data in another database server of yours ({server}) than \
                     this one ({other})"
                ),
                format!(
                    "Give the same --database-url as before: create-ai-platform stop --all, then \
                     create-ai-platform {name} --database-url URL. If you moved its data to this \
                     server, remove platforms/{name}.json in the home folder and run it once more."
                ),
            )
        } else if known.external == given.external {
            return Ok(());
        } else if known.external {
            (
                format!("{name} keeps its data in a database of yours, not in the embedded one"),
                format!(
                    "Give the same --database-url again: create-ai-platform stop --all, then \
                     create-ai-platform {name} --database-url URL"
                ),
            )
        } else {
            (
                format!("{name} keeps its data in the embedded database, not in one of yours"),
                format!(
                    "Run it without --database-url: create-ai-platform stop --all, then \
                     create-ai-platform {name}. To move it, see `backup` and `restore`."
                ),
            )
        };
        Err(Failure::new(Kind::Database, what, hint))
    }
}

/// What is remembered under a name.
pub fn find(home: &Home, name: &str) -> Result<Option<Record>> {
    let path = path(home, name);
    match std::fs::read(&path) {
        // Not "no platform": its data is still there.
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
            Failure::new(
                Kind::Files,
                format!("{} is damaged: {error}", path.display()),
                "Remove that file and run the platform once more from its folder.",
            )
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", &path, &error)),
    }
}

/// The names of all platforms there are, running or not.
pub fn names(home: &Home) -> Result<Vec<String>> {
    let path = home.platforms();
    let unread = |error| Failure::file("read", &path, &error);
    let files = match std::fs::read_dir(&path) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unread(error)),
    };
    let mut names = Vec::new();
    for file in files {
        let file = file.map_err(unread)?.file_name();
        names.extend(file.to_str().and_then(|file| file.strip_suffix(".json")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// The names of the platforms that live in a folder.
pub fn in_folder(home: &Home, folder: &Folder) -> Result<Vec<String>> {
    let Ok(place) = folder.path().canonicalize() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for name in names(home)? {
        let record = find(home, &name)?;
        if record.is_some_and(|record| record.folder.canonicalize().is_ok_and(|at| at == place)) {
            found.push(name);
        }
    }
    Ok(found)
}

/// Forgets a platform.
pub fn forget(home: &Home, name: &str) -> Result<()> {
    let path = path(home, name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("remove", &path, &error))
        }
        _ => Ok(()),
    }
}

/// A name that another folder has.
pub fn elsewhere(name: &str, folder: &std::path::Path) -> Failure {
    Failure::new(
        Kind::Name,
        format!("there is a platform named {name} already, in {}", folder.display()),
        "Choose another name, or run the command in the folder above that one.",
    )
}

fn path(home: &Home, name: &str) -> PathBuf {
    home.platforms().join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use blueprint::templates::{self, Overrides};

    use super::*;
    use crate::cli::Places;

    #[test]
    fn a_name_is_free_once_its_folder_describes_another_platform() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::find(&Places {
            home: Some(place.path().join("home")),
            cache: Some(place.path().join("cache")),
        });
        let name: BlueprintName = "acme".parse().unwrap();
        let template = templates::get("creator").unwrap();
        let blueprint =
            templates::from_template(template, &Overrides::named(name.clone())).unwrap();
        let [old, new] = ["old", "new"].map(|at| Folder::at(&place.path().join(at)).unwrap());
        old.create(template, &blueprint).unwrap();
        let kept = Kept { external: false, server: None };
        let remembered = |folder| remember(&home, &name, folder, &kept);
        assert_eq!(remembered(&old).unwrap(), Before::Unknown);
        assert_eq!(remembered(&old).unwrap(), Before::Known);

        let text = old.text().unwrap();
        assert_eq!(remembered(&new).unwrap_err().kind, Kind::Name);
        // Half-edited, it is still its own.
        std::fs::write(old.blueprint_file(), "spec: [").unwrap();
        assert_eq!(remembered(&new).unwrap_err().kind, Kind::Name);
        let renamed = text.replacen("name: acme\n", "name: beta\n", 1);
        assert_ne!(renamed, text);
        std::fs::write(old.blueprint_file(), renamed).unwrap();
        assert_eq!(remembered(&new).unwrap(), Before::Known);
        assert_eq!(find(&home, "acme").unwrap().unwrap().folder, new.path());
    }

    #[test]
    fn a_record_from_before_takes_the_first_server_it_meets() {
        let record: Record =
            serde_json::from_str(r#"{"folder":"/srv/acme","external":true}"#).unwrap();
        let name = "acme".parse().unwrap();
        let at = |server: &str| Kept { external: true, server: Some(server.to_owned()) };
        record.in_database(&name, &at("number 1")).unwrap();
        let record = Record { kept: at("number 1"), ..record };
        record.in_database(&name, &at("number 1")).unwrap();
        let refused = record.in_database(&name, &at("number 2")).unwrap_err();
        assert_eq!(refused.kind, Kind::Database);
        let embedded = Kept { external: false, server: None };
        assert_eq!(record.in_database(&name, &embedded).unwrap_err().kind, Kind::Database);
    }
}
