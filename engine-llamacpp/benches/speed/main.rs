//! How quick the engine is beside bare llama.cpp: the same file, threads and minutes.
//!
//! `cargo bench -p engine-llamacpp [-- ROUNDS]` prints a row for each measure: its name, the
//! median, the unit, the rounds, and the quarters below and above the median. Each round measures
//! everything once, in turns, so that what disturbs one disturbs the other.

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
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(5);
    let entry = find(MODEL)?;
    let store = Store::of_this_person().ok_or("there is no folder for models")?;
    let path = store.ensure(&entry, &|_| {}).await?;
    let engine = LlamaEngine::load(&path, MODEL, Options::new(&entry.title)).await?;
    let bare = Bare::load(&path)?;

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
