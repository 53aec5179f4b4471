//! `.sqlx/`: what Postgres says about every checked query, so that builds need no database.
//!
//! sqlx's macros write it themselves while they are expanded against a live database. Cargo
//! does not know that they read one, so the crates that use sqlx are made to look changed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::postgres::Postgres;
use crate::process::{self, Deadline};
use crate::project::{Member, Project};
use crate::suites::{CHECKED_TOGETHER, OF_CLUSTERS};
use crate::tools;

pub(crate) fn generate(project: &Project, deadline: Deadline) -> Result<()> {
    let members = project.members()?;
    let postgres = Postgres::start(project, deadline)?;
    for member in &members {
        migrate(project, member, &postgres, deadline)?;
    }

    // Beside the build first, so that what is stale can be told from what is fresh.
    let fresh = project.root.join("target/sqlx");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    fs::create_dir_all(&fresh)?;
    let changed = LookChanged::new(&members)?;
    // The selection and profile of the lint suite: only our own crates are checked again.
    tools::llamacpp(project, deadline)?;
    let check = |selection: &[&str]| {
        let mut check = project.cargo(["check", "--release", "--all-targets", "--keep-going"]);
        check.args(selection);
        check.env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", &fresh);
        check.env("DATABASE_URL", postgres.url("postgres"));
        process::run(&mut check, deadline).context("check the queries against Postgres")
    };
    let checked = check(&CHECKED_TOGETHER).and(check(&OF_CLUSTERS));
    drop(changed);

    let folder = project.root.join(".sqlx");
    add(&folder, &fresh)?;
    // What did not compile may still need its old files.
    checked?;
    remove_stale(&folder, &fresh)?;
    Ok(fs::remove_dir_all(fresh)?)
}

/// Applies a crate's migrations in order, as its migrator would.
fn migrate(
    project: &Project,
    member: &Member,
    postgres: &Postgres,
    deadline: Deadline,
) -> Result<()> {
    let folder = member.folder.join("migrations");
    if !folder.exists() {
        return Ok(());
    }
    tools::debian(project, "psql", "postgresql-client", deadline)?;
    let mut psql = project.command("psql");
    psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]);
    psql.envs(postgres.environment());
    // Without the notices of `if not exists`.
    psql.env("PGOPTIONS", "-c client_min_messages=warning");
    let settings = fs::read_to_string(member.folder.join("sqlx.toml")).unwrap_or_default();
    for schema in created_schemas(&settings) {
        psql.args(["--command", &format!("create schema if not exists {schema}")]);
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    for file in files.iter().filter(|file| is_migration(file)) {
        psql.arg("--file").arg(file);
    }
    process::run(&mut psql, deadline).with_context(|| format!("migrate {}", folder.display()))
}

fn is_migration(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".sql") && !name.ends_with(".down.sql")
}

/// The names in `create-schemas = ["one", "two"]` of a `sqlx.toml`.
fn created_schemas(settings: &str) -> Vec<&str> {
    let value = |line: &'_ str| line.trim_start().starts_with("create-schemas");
    settings
        .lines()
        .filter(|line| value(line))
        .flat_map(|l| l.split('"').skip(1).step_by(2))
        .collect()
}

/// Puts every fresh file into the folder, touching none that is the same.
fn add(folder: &Path, fresh: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(fresh)? {
        let entry = entry?;
        let (text, target) = (fs::read(entry.path())?, folder.join(entry.file_name()));
        if fs::read(&target).ok().as_ref() != Some(&text) {
            fs::write(target, text)?;
        }
    }
    Ok(())
}

/// Removes what no query asks for any more.
fn remove_stale(folder: &Path, fresh: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !fresh.join(entry.file_name()).exists() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// While it lives, the crates that use sqlx carry the time of its making; afterwards their own
/// again, so that no other build has to follow. A file saved meanwhile keeps its new time.
struct LookChanged {
    now: SystemTime,
    files: Vec<(PathBuf, SystemTime)>,
}

impl LookChanged {
    fn new(members: &[Member]) -> Result<Self> {
        let now = SystemTime::now();
        let mut changed = Self { now, files: Vec::new() };
        let uses_sqlx = |m: &&Member| m.dependencies.iter().any(|name| name == "sqlx");
        for root in members.iter().filter(uses_sqlx).flat_map(|member| &member.roots) {
            let own = fs::metadata(root)?.modified()?;
            File::options().append(true).open(root)?.set_modified(now)?;
            changed.files.push((root.clone(), own));
        }
        Ok(changed)
    }
}

impl Drop for LookChanged {
    fn drop(&mut self) {
        for (file, own) in &self.files {
            let is_ours =
                fs::metadata(file).and_then(|m| m.modified()).is_ok_and(|t| t == self.now);
            if let (true, Ok(file)) = (is_ours, File::options().append(true).open(file)) {
                let _ = file.set_modified(*own);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_read_from_the_settings() {
        let settings = "[migrate]\ncreate-schemas = [\"work\", \"more\"]\ntable-name = \"x._m\"\n";
        assert_eq!(created_schemas(settings), ["work", "more"]);
        assert!(created_schemas("[migrate]\n").is_empty());
    }

    #[test]
    fn the_way_back_is_no_migration() {
        assert!(is_migration(Path::new("m/0001_first.sql")));
        assert!(is_migration(Path::new("m/0002_second.up.sql")));
        assert!(!is_migration(Path::new("m/0002_second.down.sql")));
        assert!(!is_migration(Path::new("m/README.md")));
    }
}
