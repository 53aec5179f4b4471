//! `models verify`: is every file still what it was?

use std::path::PathBuf;

use inference::models::{Store, Stored, Verdict, in_words};
use serde::Serialize;

use super::{blocking, names, unusable};
use crate::failure::{Failure, Kind, Result};
use crate::home::Home;
use crate::printer::Printer;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    sha256: String,
    bytes: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_to: Option<PathBuf>,
}

/// Reads every file; a broken one is moved away, and that is a failure.
pub async fn run(home: &Home, printer: &Printer) -> Result<()> {
    let store = Store::new(home.models());
    let (names, mut broken) = (names(), 0);
    let files = store.stored().map_err(|error| unusable(&store, &error))?;
    if !printer.is_json() && !files.is_empty() {
        printer.data("NAME                              SIZE  STATE");
    }
    for file in files {
        let name = names.get(&file.sha256).cloned();
        let (at, asked) = (store.clone(), file.clone());
        let read = move || at.verify(&asked).map_err(|error| unusable(&at, &error));
        let verdict = blocking(read).await?;
        let row = Row::of(name, file, &verdict);
        broken += usize::from(matches!(verdict, Verdict::Quarantined { .. }));
        if printer.is_json() {
            printer.json(&row);
        } else {
            printer.data(&row.line());
        }
    }
    if broken == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Model,
        format!("{broken} of the files were broken and have been moved away"),
        "They are fetched again when they are needed, or now: create-ai-platform models pull NAME",
    ))
}

impl Row {
    /// `name` is none for a file that the catalogue does not know any more.
    fn of(name: Option<String>, file: Stored, verdict: &Verdict) -> Self {
        let (state, why, moved_to) = match verdict {
            Verdict::Sound => ("sound", None, None),
            Verdict::Quarantined { to, why } => {
                ("quarantined", Some(why.clone()), Some(to.clone()))
            }
            Verdict::Busy => ("busy", None, None),
        };
        let short = || format!("{}…", &file.sha256[..12]);
        Self {
            name: name.unwrap_or_else(short),
            bytes: file.bytes,
            state,
            why,
            moved_to,
            sha256: file.sha256,
        }
    }

    fn line(&self) -> String {
        let Self { name, state, .. } = self;
        let (size, why) = (in_words(self.bytes), self.why.as_deref().unwrap_or_default());
        format!("{name:<28} {size:>9}  {state} {why}").trim_end().to_owned()
    }
}
