//! The process is killed while it answers, again and again. What was acknowledged is recorded, as
//! many tokens as were told, once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use inference::prices::Prices;
use inference::till::Till;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::person::Person;
use crate::rows::Rows;
use crate::server::Server;
use crate::{Error, MODEL};

const SEED: u64 = 1;
/// People who ask at once.
const PEOPLE: usize = 8;

/// What became of a question.
enum Outcome {
    /// So many tokens, as the answer said at its end.
    Acknowledged(u64),
    /// It broke off, or was never taken.
    Broken,
}

/// So many kills, each at a moment of chance while answers are made.
pub(crate) async fn measure(kills: usize, rows: &mut Rows) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let mut chance = Chance::of(SEED);
    let mut asked = BTreeMap::new();
    for kill in 0..kills {
        let server = Server::start(folder.path(), "fastest", &["acme"]).await?;
        let mut people = JoinSet::new();
        for person in 0..PEOPLE {
            let seed = chance.between(0, usize::try_from(u32::MAX)?);
            let ask = |question: usize| {
                let user = format!("{kill}-{person}-{question}");
                (user.clone(), server.person("acme", &user))
            };
            // More than it can answer in time.
            let questions: Vec<_> = (0..400).map(ask).collect();
            people.spawn(ask_on(questions, Chance::of(u64::try_from(seed)?)));
        }
        let long = chance.between(500, 3500);
        tokio::time::sleep(Duration::from_millis(u64::try_from(long)?)).await;
        server.kill()?;
        while let Some(outcomes) = people.join_next().await {
            asked.extend(outcomes?);
        }
    }

    let used = recorded(&folder.path().join("usage")).await?;
    let (mut acknowledged, mut lost, mut wrong, mut unheard) = (0, 0, 0, 0);
    for (user, outcome) in &asked {
        match (outcome, used.get(user)) {
            (Outcome::Acknowledged(told), Some(tokens)) => {
                acknowledged += 1;
                wrong += usize::from(told != tokens);
            }
            (Outcome::Acknowledged(_), None) => (acknowledged, lost) = (acknowledged + 1, lost + 1),
            (Outcome::Broken, Some(_)) => unheard += 1,
            (Outcome::Broken, None) => {}
        }
    }
    let strangers = used.keys().filter(|user| !asked.contains_key(*user)).count();
    rows.count("killed while answering", kills, kills, SEED);
    rows.count("acknowledged and not recorded", lost, acknowledged, SEED);
    rows.count("recorded with another number of tokens", wrong, acknowledged, SEED);
    rows.count("recorded and broken off before it was told", unheard, asked.len(), SEED);
    rows.count("recorded and never asked", strangers, used.len(), SEED);
    Ok(())
}

/// One question after the other, until one breaks off. Everybody's every question is of another
/// name, so that the book of people shows each answer by itself.
async fn ask_on(questions: Vec<(String, Person)>, mut chance: Chance) -> Vec<(String, Outcome)> {
    let mut outcomes = Vec::new();
    for (user, person) in questions {
        let (words, tokens) = (chance.between(1, 8), chance.between(1, 12));
        let question = chance.words(words);
        if let Ok(heard) = person.chat(&[("user", &question)], tokens).await {
            let tokens = heard.prompt_tokens + heard.completion_tokens;
            let tokens = u64::try_from(tokens).unwrap_or(u64::MAX);
            outcomes.push((user, Outcome::Acknowledged(tokens)));
        } else {
            outcomes.push((user, Outcome::Broken));
            return outcomes;
        }
    }
    outcomes
}

/// What the records say, by person.
async fn recorded(folder: &Path) -> Result<BTreeMap<String, u64>, Error> {
    let free = serde_json::json!({
        MODEL: {"currency": "USD", "prompt": 0, "cachedPrompt": 0, "completion": 0},
    });
    let prices: Prices = serde_json::from_value(free)?;
    let (_till, local, keeper) = Till::open_local(folder, prices, Arc::new(now)).await?;
    let used = local.used_today().into_iter().map(|(_, user, tokens)| (user, tokens)).collect();
    keeper.close().await;
    Ok(used)
}

#[expect(clippy::disallowed_methods, reason = "the program has the system's clock too")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
