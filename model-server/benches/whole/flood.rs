//! How much later somebody's first word comes while another tenant floods the same model.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use inference::virtual_time::percentile;
use tokio::task::JoinSet;

use crate::Error;
use crate::chance::Chance;
use crate::person::Person;
use crate::rows::{Rows, millis};
use crate::server::Server;

/// As in virtual time: tokens of answers, and people of the tenant that floods.
const ANSWER: usize = 32;
const FLOODING: usize = 20;
/// Questions in one round, alone and beside the flood.
const QUESTIONS: usize = 12;
/// Between them: so the victim wants about a fifth of what the engine can do, less than its half.
const THINKS: Duration = Duration::from_millis(2500);
const SEED: u64 = 1;

/// So many rounds with long prompts, and as many with short ones. Who floods asks again as soon as
/// answered, or as soon as it may after having been refused.
pub(crate) async fn measure(rounds: usize, rows: &mut Rows) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(folder.path(), "fastest", &["victim", "flood"]).await?;
    // Words are about a token each; a conversation has some more around them.
    for (low, high, name) in [(30, 750, "prompts of 50 to 800"), (30, 40, "prompts of 50 to 61")] {
        let mut chance = Chance::of(SEED);
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        let mut flooded = 0;
        let victim = server.person("victim", "person");
        for _ in 0..rounds {
            alone.extend(ask(&victim, &mut chance, (low, high)).await?);
            let flood = Flood::begin(&server, &mut chance);
            flood.wait_until_it_runs().await;
            beside.extend(ask(&victim, &mut chance, (low, high)).await?);
            flooded += flood.end().await;
        }
        for (percent, which) in [(50, "p50"), (99, "p99")] {
            let of = |times: &[Duration]| {
                let spread = (millis(percentile(times, 0)), millis(percentile(times, 100)));
                (millis(percentile(times, percent)), times.len(), spread)
            };
            let (alone, beside) = (of(&alone), of(&beside));
            let name = format!("first token {which}, {name}");
            rows.once(&format!("{name}, alone"), "ms", alone, SEED);
            rows.once(&format!("{name}, under a flood"), "ms", beside, SEED);
            let ratio = beside.0 / alone.0;
            let told = (ratio, beside.1, (ratio, ratio));
            rows.once(&format!("{name}, under a flood to alone"), "x", told, SEED);
        }
        rows.count(&format!("answers to the flood, {name}"), flooded, rounds, SEED);
    }
    Ok(())
}

async fn ask(
    victim: &Person,
    chance: &mut Chance,
    (low, high): (usize, usize),
) -> Result<Vec<Duration>, Error> {
    let mut times = Vec::new();
    for _ in 0..QUESTIONS {
        let words = chance.between(low, high);
        let question = chance.words(words);
        times.push(victim.chat(&[("user", &question)], ANSWER).await?.first);
        tokio::time::sleep(THINKS).await;
    }
    Ok(times)
}

/// People who ask without end, until dropped.
struct Flood {
    answered: Arc<AtomicUsize>,
    people: JoinSet<()>,
}

impl Flood {
    fn begin(server: &Server, chance: &mut Chance) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let mut people = JoinSet::new();
        for user in 0..FLOODING {
            let person = server.person("flood", &user.to_string());
            let answered = Arc::clone(&answered);
            let seed = chance.between(0, usize::try_from(u32::MAX).unwrap_or(usize::MAX));
            people.spawn(async move {
                let mut chance = Chance::of(u64::try_from(seed).unwrap_or_default());
                loop {
                    let words = chance.between(30, 750);
                    let question = chance.words(words);
                    match person.chat(&[("user", &question)], ANSWER).await {
                        Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
                    }
                }
            });
        }
        Self { answered, people }
    }

    /// Its first answer shows that it has filled all places.
    async fn wait_until_it_runs(&self) {
        while self.answered.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many were answered.
    async fn end(mut self) -> usize {
        self.people.shutdown().await;
        // What the server was at when they left ends within a step or two.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.answered.load(Ordering::Relaxed)
    }
}
