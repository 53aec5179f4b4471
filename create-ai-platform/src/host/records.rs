//! What is remembered of each platform between runs: where its folder is.

use std::path::PathBuf;

use blueprint::BlueprintName;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind, Result};
use crate::folder::Folder;
use crate::home::Home;

/// What is remembered of one platform.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its folder.
    pub folder: PathBuf,
    /// Whether its data is in a database that is not ours to start and stop.
    #[serde(default)]
    pub external: bool,
}

/// Remembers where a platform lives. A name belongs to one folder as long as that describes it.
pub fn remember(home: &Home, name: &BlueprintName, folder: &Folder, external: bool) -> Result<()> {
    if let Some(known) = find(home, name.as_str())?
        && known.folder != folder.path()
        && known.folder.join("blueprint.yaml").exists()
    {
        return Err(elsewhere(name.as_str(), &known.folder));
    }
    let path = path(home, name.as_str());
    let record = Record { folder: folder.path().to_owned(), external };
    let text = serde_json::to_vec(&record).unwrap_or_default();
    let written = std::fs::create_dir_all(home.platforms())
        .and_then(|()| crate::files::write_whole(&path, &text));
    written.map_err(|error| Failure::file("write", &path, &error))
}

/// What is remembered under a name.
pub fn find(home: &Home, name: &str) -> Result<Option<Record>> {
    let path = path(home, name);
    match std::fs::read(&path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", &path, &error)),
    }
}

/// The names of all platforms there are, running or not.
pub fn names(home: &Home) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(home.platforms()) else { return Vec::new() };
    let mut names: Vec<String> = files
        .flatten()
        .filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".json")?.to_owned()))
        .collect();
    names.sort();
    names
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
