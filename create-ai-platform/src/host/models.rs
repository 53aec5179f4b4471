//! The host's model: found, fetched, re-encoded once, loaded.

use std::sync::Arc;

use engine_mistralrs::{MistralEngine, Options};
use inference::Inference;
use inference::models::{Entry, Progress, Store, default_for_memory, find};

use super::unexpected;
use crate::failure::{Failure, Kind, Result};
use crate::home::Home;
use crate::printer::Printer;

/// The model a person means, or the one for this machine.
pub fn choose(wanted: Option<&str>) -> Result<Entry> {
    match wanted {
        Some(name) => find(name).map_err(|error| {
            Failure::new(Kind::Model, error.to_string(), "For example: --model smollm2-135m")
        }),
        None => default_for_memory(memory())
            .ok_or_else(|| unexpected("the catalogue of models is empty")),
    }
}

/// Fetches the model if it is not there, loads it, and lets the model server answer with it.
pub async fn load(
    home: &Home,
    entry: &Entry,
    inference: &Inference,
    printer: &Printer,
) -> Result<()> {
    let phase = printer.phase("model");
    let outcome = bring(home, entry, inference, printer).await;
    match &outcome {
        Ok(()) => phase.done(&entry.title),
        Err(failure) => phase.failed(&failure.what),
    }
    outcome
}

async fn bring(home: &Home, entry: &Entry, inference: &Inference, printer: &Printer) -> Result<()> {
    let store = Store::new(home.cache.join("models"));
    let teller = printer.clone();
    let tell = move |progress| match progress {
        Progress::Asking(source) => teller.note(&format!("fetching the model from {source}")),
        Progress::Fetching { bytes, of } => teller.progress(bytes, (of > 0).then_some(of)),
        Progress::Failed(source, why) => teller.note(&format!("{source}: {why}")),
        Progress::Checking => {}
    };
    let file = store.ensure(entry, &tell).await.map_err(|error| {
        Failure::new(
            Kind::Model,
            error.to_string(),
            "What came so far is kept: run the same command again, or give a file: --model x.gguf",
        )
    })?;
    let options = Options::new(&entry.title, store.folder());
    let engine = MistralEngine::load(&file, &entry.id, options).await.map_err(|error| {
        Failure::new(
            Kind::Model,
            error.to_string(),
            "Remove that file and run the same command again, or choose another with --model.",
        )
    })?;
    inference.set_engine(Arc::new(engine));
    Ok(())
}

/// Bytes of memory this machine has.
fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    #[expect(clippy::useless_conversion, reason = "its width differs between platforms")]
    let total = u64::from(info.totalram);
    total.saturating_mul(u64::from(info.mem_unit))
}
