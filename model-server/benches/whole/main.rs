//! The whole model server as its users meet it: the real program, HTTP, a real model.
//!
//! `cargo bench -p model-server --features llamacpp --bench whole -- MEASURE [ROUNDS [THREADS]]`
//! prints a row for each measure: its name, the median, the unit, how many, the quarters below and
//! above the median, and a seed where chance was used. What is compared is measured in turns in one
//! run, so that what disturbs one disturbs the other.
//!
//! `llama`, `mistral`: our engines behind the server beside bare llama.cpp and plain mistral.rs. `flood`: how
//! long one waits while another tenant floods. `slow-reader`: what it costs others that one takes
//! an answer byte by byte. `probe`: whether one tenant can tell what another has asked. `kills`:
//! the records after the process was killed a hundred times.

#![expect(clippy::print_stdout, reason = "its rows are its purpose")]

mod bare;
mod chance;
mod flood;
mod kills;
mod person;
mod plain;
mod probe;
mod rows;
mod server;
mod slow_reader;
mod speed;

use crate::rows::Rows;

const MODEL: &str = "smollm2-135m";

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Who measures wants all that follows; a bench that is only tried gets no argument.
#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<usize>().ok());
    let (rounds, threads) = (numbers.next(), numbers.next());
    for argument in &arguments {
        let mut rows = Rows::default();
        match argument.as_str() {
            "llama" => speed::llama(rounds.unwrap_or(5), threads, &mut rows).await?,
            "mistral" => speed::mistral(rounds.unwrap_or(5), threads, &mut rows).await?,
            "flood" => flood::measure(rounds.unwrap_or(6), &mut rows).await?,
            "slow-reader" => slow_reader::measure(rounds.unwrap_or(8), &mut rows).await?,
            "probe" => probe::measure(rounds.unwrap_or(2_000), &mut rows).await?,
            "kills" => kills::measure(rounds.unwrap_or(100), &mut rows).await?,
            _ => {}
        }
        for row in rows.told() {
            println!("{row}");
        }
    }
    Ok(())
}
