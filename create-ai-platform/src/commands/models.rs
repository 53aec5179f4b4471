//! `models`: which there are, what each needs, and which one answers; and looking after the files.

mod gc;
mod pull;
mod verify;

use std::collections::BTreeMap;

use inference::models::{Entry, Store, better_for, catalogue, embedding_models, in_words};
use serde::Serialize;

use crate::cli::Models;
use crate::failure::{Failure, Result};
use crate::home::Home;
use crate::host::models::{by_default, cores, memory};
use crate::printer::Printer;

/// Does what was asked for.
pub async fn run(what: Option<Models>, home: &Home, printer: &Printer) -> Result<()> {
    match what {
        None | Some(Models::List) => list(home, printer),
        Some(Models::Pull { model }) => pull::run(&model, home, printer).await,
        Some(Models::Verify) => verify::run(home, printer).await,
        Some(Models::Gc { days }) => gc::run(days, home, printer).await,
    }
}

/// The names of files by their SHA-256.
fn names() -> BTreeMap<String, String> {
    let embeddings = embedding_models().into_iter().flat_map(|it| [it.numbers, it.tokenizer]);
    let all = catalogue().into_iter().chain(embeddings);
    all.filter_map(|entry| Some((entry.sha256?, entry.id))).collect()
}

/// The folder of models could not be used.
fn unusable(store: &Store, error: &std::io::Error) -> Failure {
    Failure::file("use", store.folder(), error)
}

/// Runs what reads whole files.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(crate::host::unexpected(&error.to_string())))
}

/// What a model is for.
#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum Makes {
    Answers,
    Vectors,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    title: String,
    makes: Makes,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<u64>,
    download_bytes: u64,
    memory_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    fetched: bool,
    default: bool,
    tried: bool,
}

/// Lists the catalogue, and the person's own model where that is the default.
fn list(home: &Home, printer: &Printer) -> Result<()> {
    let default = by_default(home, printer)?;
    let mut entries = catalogue();
    if !entries.contains(&default) {
        entries.push(default.clone());
    }
    let store = Store::new(home.models());
    let row = |entry: Entry, makes| Row {
        fetched: store.has(&entry),
        default: entry == default,
        makes,
        name: entry.id,
        title: entry.title,
        parameters: entry.parameters,
        download_bytes: entry.size_bytes,
        memory_bytes: entry.memory_bytes,
        license: entry.license,
        tried: entry.tried,
    };
    let mut rows: Vec<Row> = entries.into_iter().map(|it| row(it, Makes::Answers)).collect();
    let vectors = embedding_models().into_iter();
    rows.extend(vectors.map(|model| row(model.numbers, Makes::Vectors)));
    if printer.is_json() {
        for row in &rows {
            printer.json(row);
        }
        return Ok(());
    }
    printer.data("NAME              PARAMETERS  DOWNLOAD   MEMORY  LICENSE");
    for row in &rows {
        printer.data(row.line().trim_end());
    }
    for line in advice(&rows) {
        printer.note(&line);
    }
    Ok(())
}

impl Row {
    fn line(&self) -> String {
        let parameters = self.parameters.map_or_else(|| "?".to_owned(), count);
        let (download, memory) = (in_words(self.download_bytes), in_words(self.memory_bytes));
        let license = self.license.as_deref().unwrap_or("your own");
        let vectors = self.makes == Makes::Vectors;
        let marks = [(vectors, "vectors"), (self.fetched, "fetched"), (self.default, "default")];
        let marks: Vec<_> = marks.iter().filter(|mark| mark.0).map(|mark| mark.1).collect();
        let marks = marks.join(", ");
        let Self { name, .. } = self;
        format!("{name:<17} {parameters:>10}  {download:>8}  {memory:>7}  {license:<11} {marks}")
    }
}

/// `135 M`, `1.7 B`.
fn count(parameters: u64) -> String {
    let (millions, tenths) =
        ((parameters + 500_000) / 1_000_000, (parameters + 50_000_000) / 100_000_000);
    if millions < 1000 {
        format!("{millions} M")
    } else {
        format!("{}.{} B", tenths / 10, tenths % 10)
    }
}

fn advice(rows: &[Row]) -> Vec<String> {
    let tried = rows.iter().filter(|row| row.tried && row.makes == Makes::Answers);
    let tried: Vec<_> = tried.map(|row| row.name.as_str()).collect();
    let suits = better_for(memory(), cores())
        .map(|better| format!("This computer could run {}.", better.id))
        .unwrap_or_default();
    vec![
        String::new(),
        format!("More parameters answer better, and more slowly. {suits}").trim_end().to_owned(),
        "Choose with --model NAME or --model path/to/file.gguf when a platform is started; it stays"
            .to_owned(),
        "chosen. Files are fetched once and checked by their SHA-256.".to_owned(),
        format!("We ran {} only; the others are listed from public records.", tried.join(", ")),
        "What makes vectors of texts is fetched when it is first asked for.".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_as_people_count_them() {
        assert_eq!(
            [134_515_008, 1_711_376_384, 4_022_468_096].map(count),
            ["135 M", "1.7 B", "4.0 B"]
        );
    }
}
