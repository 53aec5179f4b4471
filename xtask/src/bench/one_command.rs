//! The one command, measured as a person meets it: how soon there is a page, how soon the first
//! words, how both hold with four people at once, and what it costs in memory.

use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use super::figures::{self, Row, Spread, seconds};
use super::http::Site;
use super::machine;
use super::memory::{self, Watch};
use super::person::{Heard, Person};
use super::platform::{Places, Platform};
use crate::process::Deadline;
use crate::project::Project;
use crate::{say, tools};

const COMMAND: &str = "cargo xtask bench one-command";
/// How often the platform is created, and how often started again.
const STARTS: usize = 7;
const PEOPLE: usize = 4;
/// Messages of each of the people.
const ROUNDS: usize = 10;
const PAGE_TARGET: Duration = Duration::from_secs(5);
/// How much later than the first page the first words may come.
const WORDS_AFTER_PAGE: Duration = Duration::from_secs(2);
const PEOPLE_TARGET: Duration = Duration::from_secs(2);

/// Measures everything, in the order in which it happens to a person.
pub(super) fn run(project: &Project) -> Result<()> {
    let deadline = Deadline::in_minutes(90);
    let program = project.build(&[], "create-ai-platform", deadline)?;
    tools::debian(project, "setpriv", "util-linux", deadline)?;
    say::head("fill the caches");
    let (places, mut platform) = created(project, &program)?;
    platform.phases()?;
    platform.stop()?;
    drop(places);
    let load = machine::wait_until_quiet();

    say::head(&format!("create {STARTS} times"));
    let mut created_pages = Vec::new();
    let mut created_phases = Vec::new();
    for _ in 0..STARTS {
        let (_places, mut platform) = created(project, &program)?;
        created_pages.push(platform.first_page());
        created_phases.push(platform.phases()?);
        platform.stop()?;
    }

    say::head(&format!("start {STARTS} times"));
    let (places, mut platform) = created(project, &program)?;
    let admin_link = platform.admin_link()?;
    let owner = Person::welcome(platform.site(), &admin_link)?;
    platform.stop()?;
    let mut starts = Starts::default();
    for _ in 0..STARTS {
        starts.measure(project, &program, &places, &owner)?.stop()?;
    }

    say::head(&format!("one person, then {PEOPLE} at once"));
    let mut platform = Platform::start(project, &program, &places)?;
    platform.phases()?;
    let watch = Watch::begin(platform.pid());
    let people = people(platform.site())?;
    let alone = talk(platform.site(), &people[..1], 0..ROUNDS)?;
    let met = talk(platform.site(), &people, 0..1)?;
    let crowd = talk(platform.site(), &people, 1..ROUNDS + 1)?;
    let (host, postgres) = (memory::peak(platform.pid())?, watch.end()?);
    platform.stop()?;

    let binary = program.metadata()?.len();
    let mut rows = vec![
        page_row("start to first page, the platform exists, warm caches", &starts.pages),
        page_row("first creation to first page, new folder and home, warm caches", &created_pages),
        starts.row(),
    ];
    rows.extend(talk_rows(&crowd, &met, &alone)?);
    rows.extend(memory_rows(host, postgres, binary));
    say::head(&machine::description(load));
    for line in figures::table(&rows, &machine::today()?, COMMAND) {
        say::line(&line);
    }
    say::line("");
    say::line(&format!("Phases of a creation, medians: {}.", figures::phases(&created_phases)));
    say::line(&format!("Phases of a start, medians: {}.", figures::phases(&starts.phases)));
    Ok(())
}

/// A platform that was not there before, up, in places that end with it.
fn created(project: &Project, program: &Path) -> Result<(Places, Platform)> {
    let places = Places::fresh()?;
    let platform = Platform::start(project, program, &places)?;
    Ok((places, platform))
}

/// What starts of a platform that was there already came to.
#[derive(Default)]
struct Starts {
    pages: Vec<Duration>,
    words: Vec<Duration>,
    /// From the page to the words, each of the same start.
    between: Vec<Duration>,
    /// Messages that were refused because the model was not there yet.
    refused: usize,
    phases: Vec<Vec<(String, Duration)>>,
}

impl Starts {
    fn measure(
        &mut self,
        project: &Project,
        program: &Path,
        places: &Places,
        owner: &Person,
    ) -> Result<Platform> {
        let mut platform = Platform::start(project, program, places)?;
        // A refusal asks the person to try again; so does this one, until there are words.
        let words = loop {
            let asked = platform.age();
            let heard = owner.ask(platform.site(), "Say hello in one short sentence.")?;
            if let Some(first) = heard.first {
                break asked + first;
            }
            self.refused += 1;
            if platform.age() > Duration::from_mins(2) {
                bail!("no words two minutes after the start: {}", heard.ending);
            }
            thread::sleep(Duration::from_millis(50));
        };
        let page = platform.first_page();
        say::line(&format!("first page {}, first words {}", seconds(page), seconds(words)));
        self.pages.push(page);
        self.words.push(words);
        self.between.push(words.saturating_sub(page));
        self.phases.push(platform.phases()?);
        Ok(platform)
    }

    fn row(&self) -> Row {
        let between = Spread::of(&self.between);
        let refused = match self.refused {
            0 => String::new(),
            count => format!("; {count} messages refused before the model was loaded, sent again"),
        };
        let kept = between.median <= WORDS_AFTER_PAGE;
        let spread = Spread::of(&self.words);
        Row {
            measure: "start to first token, sent as soon as the page is there, warm caches".into(),
            target: format!("first page + {} s", WORDS_AFTER_PAGE.as_secs()),
            measured: figures::judged(
                &format!(
                    "{} median (first page + {})",
                    seconds(spread.median),
                    seconds(between.median)
                ),
                kept,
            ),
            spread: format!("{}{refused}", spread.range()),
        }
    }
}

/// People with accounts, before whom somebody has talked: the first answer of a process pays for
/// what all later ones share.
fn people(site: &Site) -> Result<Vec<Person>> {
    let people: Vec<Person> =
        (0..PEOPLE).map(|number| Person::sign_up(site, number)).collect::<Result<_>>()?;
    people[0].ask(site, "Answer with one word: ready?")?;
    Ok(people)
}

/// Each sends a message, waits for the end of its answer, and sends the next; all at once.
fn talk(site: &Site, people: &[Person], rounds: Range<usize>) -> Result<Vec<Heard>> {
    thread::scope(|scope| {
        let talks: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(number, person)| {
                let seat = people.len() * 20 + number;
                let mut rounds = rounds.clone();
                scope.spawn(move || -> Result<Vec<Heard>> {
                    rounds.try_fold(Vec::new(), |mut heard, round| {
                        heard.push(person.ask(site, &prompt(seat, round))?);
                        Ok(heard)
                    })
                })
            })
            .collect();
        let mut heard = Vec::new();
        for talk in talks {
            match talk.join() {
                Ok(answers) => heard.extend(answers?),
                Err(_) => bail!("somebody who talked panicked"),
            }
        }
        Ok(heard)
    })
}

/// About 64 tokens of a person's text, different each time so that nothing is remembered of it.
fn prompt(seat: usize, round: usize) -> String {
    const TOPICS: [&str; 10] = [
        "the sea",
        "old maps",
        "a garden",
        "trains",
        "the moon",
        "bread",
        "clocks",
        "a harbour",
        "wild birds",
        "the winter",
    ];
    let topic = TOPICS[round % TOPICS.len()];
    let number = 20 * seat + round;
    format!(
        "This is letter number {number}. Somebody wrote to me about {topic} and asked what I think \
         of it. They want neither a long letter nor a list, only the first thing that comes to \
         mind, said plainly, so that they can go on with their day. What is it? Answer \
         with one word."
    )
}

fn page_row(measure: &str, pages: &[Duration]) -> Row {
    let spread = Spread::of(pages);
    Row {
        measure: measure.into(),
        target: format!("< {} s", PAGE_TARGET.as_secs()),
        measured: figures::judged(
            &format!("{} median", seconds(spread.median)),
            spread.median < PAGE_TARGET,
        ),
        spread: spread.range(),
    }
}

fn talk_rows(crowd: &[Heard], met: &[Heard], alone: &[Heard]) -> Result<[Row; 4]> {
    let first = Spread::of(&firsts(crowd)?);
    // How long an answer keeps others waiting once it has begun.
    let speaking: Vec<Duration> =
        crowd.iter().filter_map(|heard| Some(heard.whole.saturating_sub(heard.first?))).collect();
    let without = match crowd.len() - first.count {
        0 => String::new(),
        count => format!(", {count} more without words"),
    };
    let percentiles = |Spread { median, p95, max, .. }: &Spread| {
        format!("p50 {}, p95 {}, max {}", seconds(*median), seconds(*p95), seconds(*max))
    };
    let met = Spread::of(&firsts(met)?);
    let alone = Spread::of(&firsts(alone)?);
    let speaking = Spread::of(&speaking);
    let cores = machine::cores();
    Ok([
        Row {
            measure: format!(
                "first token p95, 64-token prompt, {PEOPLE} people at once, {cores} cores"
            ),
            target: format!("< {} s", PEOPLE_TARGET.as_secs()),
            measured: figures::judged(&percentiles(&first), first.p95 < PEOPLE_TARGET),
            spread: format!("{}{without}", first.range()),
        },
        Row {
            measure: "the same, the first time they all talk at once: lanes open".into(),
            target: "—".into(),
            measured: percentiles(&met),
            spread: met.range(),
        },
        Row {
            measure: "the same prompts, first token to the end of the answer".into(),
            target: "—".into(),
            measured: percentiles(&speaking),
            spread: speaking.range(),
        },
        Row {
            measure: format!("first token, 64-token prompt, one person alone, {cores} cores"),
            target: "—".into(),
            measured: percentiles(&alone),
            spread: alone.range(),
        },
    ])
}

/// When the first words came, of the answers that had words.
fn firsts(heard: &[Heard]) -> Result<Vec<Duration>> {
    let firsts: Vec<Duration> = heard.iter().filter_map(|heard| heard.first).collect();
    if firsts.is_empty() {
        let endings: Vec<_> = heard.iter().map(|heard| heard.ending.as_str()).collect();
        bail!("no answer had words: {endings:?}");
    }
    Ok(firsts)
}

fn memory_rows(host: u64, postgres: u64, binary: u64) -> [Row; 3] {
    let row = |measure: &str, bytes: u64, how: &str| Row {
        measure: measure.into(),
        target: "—".into(),
        measured: format!("{} MiB", bytes / (1024 * 1024)),
        spread: format!("N = 1, {how}"),
    };
    [
        row("memory of the host with its model, peak", host, "resident (VmHWM)"),
        row("memory of Postgres, peak", postgres, "sum of proportional shares (PSS)"),
        row("size of the binary", binary, "as built"),
    ]
}
