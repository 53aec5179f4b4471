//! `cargo xtask generate`: renews what is committed but made from other files.

mod api;
mod blueprint;
mod queries;
mod stripe;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::process::Deadline;
use crate::project::Project;
use crate::say;

/// The folders that hold nothing else than generated files.
const GENERATED: [&str; 4] =
    [".sqlx", "blueprint/generated", "control-plane/generated", "stripe-sim/generated"];

/// Renews everything and says what changed.
pub(crate) fn run(project: &Project) -> Result<()> {
    let changed = all(project, Deadline::in_minutes(40))?;
    for file in &changed {
        say::line(&format!("renewed {}", file.display()));
    }
    if changed.is_empty() {
        say::line("everything generated was up to date");
    }
    Ok(())
}

/// Renews everything and gives the files that are not what they were, relative to the root.
pub(crate) fn all(project: &Project, deadline: Deadline) -> Result<Vec<PathBuf>> {
    let before = generated_files(&project.root)?;
    blueprint::generate(project, deadline)?;
    stripe::generate(project, deadline)?;
    queries::generate(project, deadline)?;
    // After that: it is compiled with the queries.
    api::generate(project, deadline)?;
    Ok(differences(&before, &generated_files(&project.root)?))
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn generated_files(root: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut folders: Vec<PathBuf> = GENERATED.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root)?.to_owned(), fs::read(&path)?);
            }
        }
    }
    Ok(files)
}

fn differences(before: &Files, after: &Files) -> Vec<PathBuf> {
    let mut paths: Vec<_> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_changed_and_removed_files_differ() {
        let files = |list: &[(&str, &str)]| -> Files {
            list.iter().map(|(path, text)| (path.into(), text.as_bytes().to_vec())).collect()
        };
        let before = files(&[("gone", "1"), ("kept", "1"), ("new text", "1")]);
        let after = files(&[("added", "1"), ("kept", "1"), ("new text", "2")]);
        let expected: Vec<PathBuf> = ["added", "gone", "new text"].map(PathBuf::from).into();
        assert_eq!(differences(&before, &after), expected);
    }
}
