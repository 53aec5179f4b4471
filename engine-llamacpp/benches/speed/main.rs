//! How quick the engine is beside bare llama.cpp: the same file, threads and minutes.
//!
//! `cargo bench -p engine-llamacpp [-- ROUNDS [THREADS]]` prints a row for each measure: its name,
//! the median, the unit, the rounds, and the quarters below and above the median. Each round
//! measures everything once, in turns, so that what disturbs one disturbs the other.

#![expect(clippy::print_stdout, reason = "its rows are its purpose")]

mod bare;
mod measures;
mod rows;

use engine_llamacpp::{LlamaEngine, Options};
use inference::models::{Store, find};

use crate::bare::Bare;
use crate::measures::Measures;
use crate::rows::Rows;

const MODEL: &str = "smollm2-135m";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let rounds = numbers.next().unwrap_or(5);
    let threads = match numbers.next() {
        Some(threads) => threads,
        None => std::thread::available_parallelism()?.get(),
    };
    let entry = find(MODEL)?;
    let store = Store::of_this_person().ok_or("there is no folder for models")?;
    let path = store.ensure(&entry, &|_| {}).await?;
    let cache = tempfile::tempdir()?;
    let options = Options { threads: Some(threads), ..Options::new(&entry.title, cache.path()) };
    let engine = LlamaEngine::load(&path, MODEL, options).await?;
    // Of the same weights: the engine's own copy, if it has made one.
    let copy = std::fs::read_dir(cache.path())?.next().transpose()?.map(|copy| copy.path());
    let bare = Bare::load(&copy.unwrap_or(path), threads)?;

    let mut rows = Rows::default();
    let mut measures = Measures { engine: &engine, bare: &bare, rows: &mut rows };
    for round in 0..rounds {
        measures.round(round).await?;
    }
    for row in rows.told() {
        println!("{row}");
    }
    Ok(())
}
