//! What the safety rules stop of the red-team set, and what they cost. Prints rows of
//! `name value unit N spread`, with tabs between.

#![expect(clippy::print_stdout, reason = "its rows are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "its numbers are small")]

#[path = "../tests/red-team/set.rs"]
mod set;

use std::time::{Duration, Instant};

use inference::safety::{Category, Checked, Level, Rules};
use inference::{Message, Prompt, Role};
use set::{Harmful, Set};

/// Plain prose, as a model would tell it.
const ANSWER: &str = include_str!("../../docs/architecture.md");
const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let rules = Rules::new()?;
    row("safety.compile", begun.elapsed().as_secs_f64() * 1e3, "ms", 1, 0.0);
    for (name, set) in [("known", Set::known()), ("unseen", Set::unseen())] {
        for level in Level::ALL {
            rates(name, &set, &rules, level);
        }
    }
    for level in Level::ALL {
        costs(&rules, level);
        longest_prompt(&rules, level);
    }
    Ok(())
}

fn rates(name: &str, set: &Set, rules: &Rules, level: Level) {
    let name = |what: &str| format!("safety.{what}.{name}.{}", level.name());
    let (due, missed) = set.missed(rules, level);
    row(&name("block"), percent(due - missed.len(), due), "%", due, 0.0);
    for category in Category::ALL {
        let is_of = |request: &&Harmful| request.category == category.name();
        let due = set.harmful.iter().filter(|request| request.level <= level).filter(is_of).count();
        let missed = missed.iter().filter(is_of).count();
        if due > 0 {
            let name = format!("{}.{}", name("block"), category.name());
            row(&name, percent(due - missed, due), "%", due, 0.0);
        }
    }
    let (wrong, all) = (set.wrongly_stopped(rules, level).len(), set.harmless.len());
    row(&name("false-block"), percent(wrong, all), "%", all, 0.0);
}

/// Time for each word of a plain answer, and how far behind what is shown is.
fn costs(rules: &Rules, level: Level) {
    let words: Vec<&str> = ANSWER.split_inclusive(' ').collect();
    let mut behind = Vec::new();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            behind.clear();
            let mut filter = rules.filter(level);
            let (mut pushed, mut shown) = (0, 0);
            let begun = Instant::now();
            for word in &words {
                pushed += word.len();
                match filter.push(word) {
                    Checked::More(text) => shown += text.len(),
                    Checked::Blocked(..) => filter = rules.filter(level),
                }
                behind.push(pushed - shown);
            }
            begun.elapsed()
        })
        .collect();
    times.sort();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / words.len() as f64;
    let spread = each(times[ROUNDS * 3 / 4]) - each(times[ROUNDS / 4]);
    let name = level.name();
    row(&format!("safety.word.{name}"), each(times[ROUNDS / 2]), "us", words.len(), spread);
    behind.sort_unstable();
    let at = |share: usize| behind[behind.len() * share / 100] as f64;
    row(&format!("safety.held.p50.{name}"), at(50), "bytes", words.len(), 0.0);
    row(&format!("safety.held.p95.{name}"), at(95), "bytes", words.len(), 0.0);
}

/// Time for the longest conversation that a body holds, every message of a person.
fn longest_prompt(rules: &Rules, level: Level) {
    const BYTES: usize = 512 * 1024;
    const MESSAGES: usize = 256;
    let mut prose = ANSWER.chars().filter(char::is_ascii).cycle();
    let message = |_| {
        let content = prose.by_ref().take(BYTES / MESSAGES).collect();
        Message { role: Role::User, content }
    };
    let prompt = Prompt::Chat((0..MESSAGES).map(message).collect());
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(rules.prompt(level, &prompt));
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let spread = times[ROUNDS * 3 / 4] - times[ROUNDS / 4];
    let name = format!("safety.longest-prompt.{}", level.name());
    row(&name, times[ROUNDS / 2], "ms", ROUNDS, spread);
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn row(name: &str, value: f64, unit: &str, n: usize, spread: f64) {
    println!("{name}\t{value:.3}\t{unit}\t{n}\t{spread:.3}");
}
