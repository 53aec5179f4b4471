//! `models pull`: a model's file, before anybody waits for it.

use std::path::{Path, PathBuf};

use inference::models::{Entry, Source, Store, embedding_models};
use serde::Serialize;

use super::blocking;
use crate::failure::{Failure, Kind, Result};
use crate::home::{self, Home};
use crate::host::models::{choose, fetch, fetch_embeddings};
use crate::printer::{Phase, Printer};

#[derive(Serialize)]
struct Pulled<'a> {
    name: &'a str,
    path: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
    bytes: u64,
}

/// Fetches a model that makes answers or vectors, and says where it is.
pub async fn run(model: &str, home: &Home, printer: &Printer) -> Result<()> {
    home::private_folder(&home.cache)?;
    let store = Store::new(home.models());
    let phase = printer.phase("model");
    let vectors = embedding_models().into_iter().find(|known| known.numbers.id == model);
    let (entry, path) = if let Some(model) = vectors {
        let path = fetch_embeddings(&store, &model, printer, &phase).await;
        (model.numbers, path)
    } else {
        let entry = choose(Some(model), home, printer)?;
        let path = checked(&store, &entry, printer, &phase).await;
        (entry, path)
    };
    let path = path?;
    phase.done(&entry.title);
    let sha256 = entry.sha256.as_deref();
    let pulled = Pulled { name: &entry.id, path: &path, sha256, bytes: entry.size_bytes };
    if printer.is_json() {
        printer.json(&pulled);
    } else {
        printer.data(&path.display().to_string());
    }
    Ok(())
}

/// A person's own file is not fetched, and so it has not been checked yet.
async fn checked(
    store: &Store,
    entry: &Entry,
    printer: &Printer,
    phase: &Phase,
) -> Result<PathBuf> {
    let path = fetch(store, entry, printer, phase).await?;
    if let [Source::File(own)] = entry.sources.as_slice() {
        let own = own.clone();
        blocking(move || {
            inference::models::gguf::check(&own).map(|_| ()).map_err(|error| {
                let what = format!("{} cannot be used: {error}", own.display());
                Failure::new(Kind::Model, what, "Choose another file, or a name of the list.")
            })
        })
        .await?;
    }
    Ok(path)
}
