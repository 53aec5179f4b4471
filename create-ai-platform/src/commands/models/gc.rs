//! `models gc`: room for others.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use inference::models::{Removed, Store, catalogue, find, in_words};
use serde::Serialize;

use super::{blocking, names, unusable};
use crate::failure::Result;
use crate::folder::Folder;
use crate::home::Home;
use crate::host::models::by_default;
use crate::host::records;
use crate::printer::Printer;

#[derive(Serialize)]
struct Row<'a> {
    removed: &'a str,
    bytes: u64,
}

/// Removes what no platform uses and nobody asked for within so many days.
pub async fn run(days: u32, home: &Home, printer: &Printer) -> Result<()> {
    let store = Store::new(home.models());
    let keep = used(home, printer)?;
    let idle = Duration::from_hours(24) * days;
    let removed = blocking({
        let store = store.clone();
        move || {
            let removed = store.collect(&keep, idle, SystemTime::now());
            removed.map_err(|error| unusable(&store, &error))
        }
    })
    .await?;
    tell(&removed, printer);
    Ok(())
}

fn tell(removed: &[Removed], printer: &Printer) {
    let names = names();
    for Removed { name, bytes } in removed {
        if printer.is_json() {
            printer.json(&Row { removed: name, bytes: *bytes });
            continue;
        }
        let known = name.split('.').next().and_then(|sha256| names.get(sha256));
        let known = known.map(|known| format!(" ({known})")).unwrap_or_default();
        printer.data(&format!("{:>9}  {name}{known}", in_words(*bytes)));
    }
    let all = removed.iter().map(|gone| gone.bytes).sum();
    printer.note(&match removed.len() {
        0 => "Nothing to remove.".to_owned(),
        1 => format!("1 file removed, {}.", in_words(all)),
        count => format!("{count} files removed, {} together.", in_words(all)),
    });
}

/// The SHA-256 of each model that answers by default or that a platform's blueprint names.
fn used(home: &Home, printer: &Printer) -> Result<BTreeSet<String>> {
    let mut used: BTreeSet<_> = by_default(home, printer)?.sha256.into_iter().collect();
    for name in records::names(home)? {
        let Some(record) = records::find(home, &name)? else { continue };
        let folder = Folder::at(&record.folder)?;
        if !folder.exists() {
            continue;
        }
        let Ok((blueprint, _)) = folder.read() else {
            printer.note(&format!("The blueprint of {name} cannot be read: all models stay."));
            used.extend(catalogue().into_iter().filter_map(|entry| entry.sha256));
            continue;
        };
        let models = blueprint.spec.ai.models.iter().filter_map(|model| find(&model.id).ok());
        used.extend(models.filter_map(|entry| entry.sha256));
    }
    Ok(used)
}
