//! The host's model: found, fetched, re-encoded once, loaded.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use inference::Inference;
use inference::models::{
    EmbeddingModel, Entry, FetchError, Progress, Source, Store, better_for, find, in_words,
    smallest,
};
use model_server::engines::{self, Choice};

use super::unexpected;
use crate::failure::{Failure, Kind, Result};
use crate::home::Home;
use crate::printer::{Phase, Printer};

/// The model a person means, or the default.
pub fn choose(wanted: Option<&str>, home: &Home, printer: &Printer) -> Result<Entry> {
    match wanted {
        Some(name) => find(name).map_err(|error| {
            let hint = "Take one of these names, or the path of a file: --model path/to/file.gguf";
            Failure::new(Kind::Model, error.to_string(), hint)
        }),
        None => by_default(home, printer),
    }
}

/// The model chosen last; at first the smallest, whatever the machine has: nobody should wait for
/// gigabytes before the first page.
pub fn by_default(home: &Home, printer: &Printer) -> Result<Entry> {
    if let Some(name) = remembered(home)? {
        // A path need not be text.
        let known = name.to_str().and_then(|name| find(name).ok());
        if let Some(entry) = known.or_else(|| Entry::from_path(Path::new(&name))) {
            return Ok(entry);
        }
        let name = name.display();
        printer
            .note(&format!("The model chosen last is gone: {name}. The smallest takes its place."));
    }
    smallest().ok_or_else(|| unexpected("the catalogue of models is empty"))
}

/// The name or path chosen last, without what an editor leaves around it.
fn remembered(home: &Home) -> Result<Option<OsString>> {
    let path = home.chosen_model();
    match std::fs::read(&path) {
        Ok(name) => Ok(Some(OsString::from_vec(name.trim_ascii().to_vec()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", &path, &error)),
    }
}

/// Keeps the choice for the next start.
pub fn remember(home: &Home, entry: &Entry) {
    let name = match entry.sources.as_slice() {
        [Source::File(path)] => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        _ => entry.id.clone().into(),
    };
    if let Err(error) = std::fs::write(home.chosen_model(), name.as_os_str().as_encoded_bytes()) {
        tracing::warn!(%error, "the chosen model is not remembered");
    }
}

/// One line for somebody who chose none, if this machine could do better.
pub fn advice(used: &Entry, platform: &str) -> Option<String> {
    let better = better_for(memory(), cores()).filter(|_| Some(used) == smallest().as_ref())?;
    let (id, size) = (&better.id, in_words(better.size_bytes));
    Some(format!(
        "This computer could run a better model. Stop this, then: \
         create-ai-platform {platform} --model {id} (fetches {size})"
    ))
}

/// Fetches the model if it is not there, loads it, and lets the model server answer with it.
pub async fn load(
    home: &Home,
    entry: &Entry,
    inference: &Inference,
    printer: &Printer,
) -> Result<()> {
    let phase = printer.phase("model");
    let outcome = bring(home, entry, inference, printer, &phase).await;
    match &outcome {
        Ok(()) => phase.done(&entry.title),
        Err(failure) => phase.failed(&failure.what),
    }
    outcome
}

async fn bring(
    home: &Home,
    entry: &Entry,
    inference: &Inference,
    printer: &Printer,
    phase: &Phase,
) -> Result<()> {
    let store = Store::new(home.models());
    let file = fetch(&store, entry, printer, phase).await?;
    let engine =
        engines::open(entry, &file, store.folder(), Choice::default()).await.map_err(|error| {
            Failure::new(
                Kind::Model,
                error.to_string(),
                "Remove that file and run the same command again, or choose another with --model.",
            )
        })?;
    inference.set_engine(engine);
    if let Some(embedder) = engines::embedder(&store) {
        inference.set_embedder(embedder);
    }
    Ok(())
}

/// The model's file, fetched if it is not there.
pub async fn fetch(
    store: &Store,
    entry: &Entry,
    printer: &Printer,
    phase: &Phase,
) -> Result<PathBuf> {
    let tell = |progress| tell(progress, printer, phase);
    store.ensure(entry, &tell).await.map_err(|error| not_fetched(&error))
}

/// Both files of an embedding model, fetched if they are not there; that of its numbers.
pub async fn fetch_embeddings(
    store: &Store,
    model: &EmbeddingModel,
    printer: &Printer,
    phase: &Phase,
) -> Result<PathBuf> {
    let tell = |progress| tell(progress, printer, phase);
    let files = store.ensure_embeddings(model, &tell).await;
    files.map(|(numbers, _)| numbers).map_err(|error| not_fetched(&error))
}

fn tell(progress: Progress, printer: &Printer, phase: &Phase) {
    match progress {
        Progress::Asking(source) => printer.note(&format!("fetching the model from {source}")),
        Progress::Fetching { bytes, of } => phase.progress(bytes, (of > 0).then_some(of)),
        Progress::Failed(source, why) => printer.note(&format!("{source}: {why}")),
        Progress::Checking => {}
    }
}

fn not_fetched(error: &FetchError) -> Failure {
    let hint = match error {
        FetchError::NoSpace { .. } => {
            "Make room, choose a smaller one (create-ai-platform models), or put the cache \
             elsewhere with --cache."
        }
        FetchError::NoSource { .. } | FetchError::Folder { .. } => {
            "Run the same command again, it goes on from what came; or give a file: \
             --model path/to/file.gguf"
        }
    };
    Failure::new(Kind::Model, error.to_string(), hint)
}

/// Processor cores this process may use.
pub fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

/// Bytes of memory this machine has.
pub fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    #[expect(clippy::useless_conversion, reason = "its width differs between platforms")]
    let total = u64::from(info.totalram);
    total.saturating_mul(u64::from(info.mem_unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Places;

    #[test]
    fn a_choice_stays_until_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { home: Some(folder.path().into()), cache: Some(folder.path().into()) };
        let (home, printer) = (Home::find(&places), Printer::silent());
        let default = || by_default(&home, &printer).unwrap();
        assert_eq!(default().id, "smollm2-135m");

        remember(&home, &choose(Some("qwen2.5-7b"), &home, &printer).unwrap());
        assert_eq!(default().id, "qwen2.5-7b");

        // Somebody looked into it with an editor.
        std::fs::write(home.chosen_model(), "qwen2.5-1.5b\n").unwrap();
        assert_eq!(default().id, "qwen2.5-1.5b");

        // A file of one's own, in a folder whose name is no text.
        let odd = folder.path().join(OsString::from_vec(b"odd-\xff".to_vec()));
        std::fs::create_dir(&odd).unwrap();
        let file = odd.join("mine.gguf");
        std::fs::write(&file, "GGUF").unwrap();
        remember(&home, &Entry::from_path(&file).unwrap());
        assert_eq!(default().sources, [Source::File(file)]);

        // A file of one's own, and then it is gone.
        let file = folder.path().join("mine.gguf");
        std::fs::write(&file, "GGUF").unwrap();
        remember(&home, &choose(file.to_str(), &home, &printer).unwrap());
        assert_eq!(default().sources, [Source::File(file.clone())]);
        std::fs::remove_file(file).unwrap();
        assert_eq!(default().id, "smollm2-135m");
    }

    #[test]
    fn who_chose_a_better_model_gets_no_advice() {
        assert_eq!(advice(&find("qwen2.5-0.5b").unwrap(), "acme"), None);
    }
}
