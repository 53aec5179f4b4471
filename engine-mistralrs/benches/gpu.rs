//! How quick the engine is on a GPU: tokens of prompts and answers a second, one at a time and
//! eight at once.
//!
//! `cargo bench -p engine-mistralrs --features cuda --bench gpu [-- ROUNDS]` prints a row for each
//! measure: its name, the median, the unit, the rounds, the least and the most. Without a GPU it
//! measures nothing.

#![expect(clippy::print_stdout, reason = "its rows are its purpose")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_mistralrs::{MistralEngine, Options, has_gpu};
use inference::models::{Store, find};
use inference::{Engine, Job, Meter, Piece, Prompt, Reason, Usage};
use tokio::task::JoinSet;

type Error = Box<dyn std::error::Error + Send + Sync>;

const MODEL: &str = "smollm2-135m";
/// Tokens of prompts: a question, a page, a long conversation.
const PROMPTS: [usize; 3] = [61, 512, 1400];
/// Tokens of answers.
const ANSWER: usize = 64;
const AT_ONCE: [usize; 2] = [1, 8];

#[tokio::main]
async fn main() -> Result<(), Error> {
    if !has_gpu() {
        println!("not run: no device");
        return Ok(());
    }
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(5);
    let entry = find(MODEL)?;
    let store = Store::of_this_person().ok_or("there is no folder for models")?;
    let path = store.ensure(&entry, &|_| {}).await?;
    let longest = 2 * PROMPTS[2];
    let options = Options { prompt_tokens: longest, ..Options::new(&entry.title, store.folder()) };
    let engine = Arc::new(MistralEngine::load(&path, MODEL, options).await?);
    // Lanes open when they are needed first.
    together(&engine, 0, PROMPTS[0], AT_ONCE[1]).await?;

    let mut rows = BTreeMap::<String, Vec<f64>>::new();
    for round in 1..=rounds {
        for tokens in PROMPTS {
            for people in AT_ONCE {
                let Rates { prompt, decode } = together(&engine, round, tokens, people).await?;
                let at = format!("at {tokens}, {people} at once");
                rows.entry(format!("GPU, prompt {at}")).or_default().push(prompt);
                rows.entry(format!("GPU, decode {at}")).or_default().push(decode);
            }
        }
    }
    for (name, mut values) in rows {
        values.sort_by(f64::total_cmp);
        let (middle, most) = (values[values.len() / 2], values[values.len() - 1]);
        let (count, least) = (values.len(), values[0]);
        println!("{name}\t{middle:.1}\ttokens/s\t{count}\t{least:.1} to {most:.1}");
    }
    Ok(())
}

/// Tokens a second, of all who ask together.
struct Rates {
    prompt: f64,
    decode: f64,
}

/// So many people ask at once; until the last first text is reading, from then on writing.
async fn together(
    engine: &Arc<MistralEngine>,
    round: usize,
    tokens: usize,
    people: usize,
) -> Result<Rates, Error> {
    let begun = Instant::now();
    let mut asked = JoinSet::new();
    for person in 0..people {
        asked.spawn(answer(Arc::clone(engine), text(&format!("{round} of {person}"), tokens)));
    }
    let (mut read, mut made) = (0, 0);
    let (mut reading, mut writing) = (Duration::ZERO, Duration::ZERO);
    while let Some(answered) = asked.join_next().await {
        let (first, last, usage) = answered??;
        read += usage.prompt_tokens;
        made += usage.completion_tokens.saturating_sub(1);
        reading = reading.max(first - begun);
        writing = writing.max(last - first);
    }
    Ok(Rates { prompt: rate(read, reading), decode: rate(made, writing) })
}

/// When its first text came, when it ended, what it used.
async fn answer(
    engine: Arc<MistralEngine>,
    text: String,
) -> Result<(Instant, Instant, Usage), Error> {
    let job = Job { temperature: Some(0.0), ..Job::new(MODEL, Prompt::Text(text), ANSWER) };
    let mut stream = engine.generate(job, Meter::default()).await?;
    let mut first = None;
    while let Some(piece) = stream.next().await {
        match piece {
            Piece::End { reason: Reason::Failed(error), .. } => return Err(error.into()),
            Piece::End { usage, .. } => {
                let now = Instant::now();
                return Ok((first.unwrap_or(now), now, usage));
            }
            Piece::Text(_) | Piece::Token(_) => {
                first.get_or_insert_with(Instant::now);
            }
        }
    }
    Err("no end".into())
}

/// About so many tokens that no other text begins like; how many it had is counted afterwards.
fn text(unique: &str, tokens: usize) -> String {
    let words = [" the", " sea", " is", " wide", " and", " blue"].iter().cycle();
    let words = words.take(tokens.saturating_sub(6)).copied();
    format!("Story {unique}:{}", words.collect::<String>())
}

fn rate(tokens: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(tokens).unwrap_or(u32::MAX)) / took.as_secs_f64()
}
