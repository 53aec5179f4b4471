use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::engine::Prompt;
use crate::simulator::{SIMULATED_MODEL, Simulator};

const MS: Duration = Duration::from_millis(1);
const WORDS: usize = 20;

const VIGILANCE: Vigilance = Vigilance {
    silence: Duration::from_secs(1),
    loads: 3,
    load: Duration::from_secs(10),
    wait: Duration::from_millis(100),
    longest_wait: Duration::from_secs(2),
    patience: Duration::from_secs(20),
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// Does nothing any more.
    Hangs,
    /// All its streams end without a word.
    Dies,
    /// Panics at the next job; the others hang.
    Panics,
    /// Nothing can be asked of it.
    Gone,
    /// Breaks at every job.
    Breaks,
    /// Does nothing for long, and then goes on as if nothing had been.
    Sleeps,
}

/// A job whose prompt may be read for long without a word.
const LONG: &str = "long";

/// All engines that were loaded, and what they did.
#[derive(Default)]
struct World {
    engines: Mutex<Vec<watch::Sender<Mood>>>,
    jobs: Mutex<HashMap<String, Done>>,
    /// So many loads fail from now on.
    failing_loads: AtomicUsize,
    loads: AtomicUsize,
}

/// What all engines together did for a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Done {
    given: usize,
    started: usize,
    usage: Usage,
}

impl World {
    fn engine(self: &Arc<Self>) -> Arc<dyn Engine> {
        let mood = watch::Sender::new(Mood::Well);
        self.engines.lock().unwrap().push(mood.clone());
        Arc::new(Mortal { world: Arc::clone(self), mood })
    }

    /// The present engine is from now on in this mood.
    fn set(&self, mood: Mood) {
        self.engines.lock().unwrap().last().unwrap().send_replace(mood);
    }

    fn done(&self, job: &str) -> Done {
        self.jobs.lock().unwrap().get(job).copied().unwrap_or_default()
    }

    fn note(&self, job: &str, note: impl FnOnce(&mut Done)) {
        note(self.jobs.lock().unwrap().entry(job.to_owned()).or_default());
    }
}

struct Factory(Arc<World>);

#[async_trait]
impl Load for Factory {
    async fn load(&self) -> Result<Arc<dyn Engine>, String> {
        self.0.loads.fetch_add(1, Ordering::Relaxed);
        sleep(50 * MS).await;
        let failing = &self.0.failing_loads;
        let fails =
            failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if fails.is_ok() { Err("as told".to_owned()) } else { Ok(self.0.engine()) }
    }
}

/// Reads for a while, then says its job's name again and again.
struct Mortal {
    world: Arc<World>,
    mood: watch::Sender<Mood>,
}

#[async_trait]
impl Engine for Mortal {
    fn models(&self) -> Vec<ModelCard> {
        Simulator::echo().models()
    }

    fn room(&self) -> watch::Receiver<usize> {
        watch::Sender::new(4).subscribe()
    }

    fn reads_silently(&self, job: &Job) -> Duration {
        let is_long = job.prompt == Prompt::Text(LONG.to_owned());
        if is_long { VIGILANCE.silence * 8 } else { Duration::ZERO }
    }

    async fn generate(&self, job: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        assert_ne!(*self.mood.borrow(), Mood::Panics, "as told");
        match *self.mood.borrow() {
            Mood::Gone => return Err(EngineError::Gone),
            Mood::Breaks => return Err(EngineError::Broken("as told".to_owned())),
            _ => {}
        }
        let Prompt::Text(name) = job.prompt else { panic!("a job of these tests is a text") };
        let (out, stream) = token_stream();
        let (world, mut mood) = (Arc::clone(&self.world), self.mood.subscribe());
        world.note(&name, |done| done.given += 1);
        tokio::spawn(async move {
            let mut slept = false;
            for token in 0..=WORDS {
                let pace = if token == 0 { 150 * MS } else { 10 * MS };
                tokio::select! {
                    () = sleep(pace) => {}
                    mood = changed(&mut mood), if !slept => match mood {
                        Mood::Dies => return,
                        Mood::Sleeps => {
                            slept = true;
                            sleep(VIGILANCE.silence * 4).await;
                        }
                        _ => std::future::pending().await,
                    }
                }
                if out.is_cancelled() {
                    return out.end(Reason::Cancelled, meter.usage());
                }
                if token == 0 {
                    meter.read(7);
                    world.note(&name, |done| {
                        done.started += 1;
                        done.usage.prompt_tokens += 7;
                    });
                } else {
                    meter.made(1);
                    world.note(&name, |done| done.usage.completion_tokens += 1);
                    out.text(format!("{name} "));
                }
            }
            out.end(Reason::Stop, meter.usage());
        });
        Ok(stream)
    }
}

async fn changed(mood: &mut watch::Receiver<Mood>) -> Mood {
    mood.wait_for(|mood| *mood != Mood::Well).await.map_or(Mood::Hangs, |mood| *mood)
}

fn watched(world: &Arc<World>) -> Watched {
    Watched::new(world.engine(), Factory(Arc::clone(world)), VIGILANCE)
}

#[derive(Debug)]
struct Answer {
    text: String,
    reason: Reason,
    usage: Usage,
    metered: Usage,
}

async fn answer(engine: Watched, name: String) -> Answer {
    let meter = Meter::default();
    let job = Job::new(SIMULATED_MODEL, Prompt::Text(name), 100);
    let mut stream = engine.generate(job, meter.clone()).await.unwrap();
    let mut text = String::new();
    loop {
        match stream.next().await.unwrap() {
            Piece::Text(more) => text.push_str(&more),
            Piece::Token(_) => {}
            Piece::End { reason, usage } => {
                assert_eq!(stream.next().await, None);
                return Answer { text, reason, usage, metered: meter.usage() };
            }
        }
    }
}

fn spawn(engine: &Watched, name: &str) -> tokio::task::JoinHandle<Answer> {
    tokio::spawn(answer(engine.clone(), name.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_job_that_had_not_started_is_answered_by_the_next_engine_and_one_that_had_fails() {
    for mood in [Mood::Hangs, Mood::Dies, Mood::Sleeps] {
        let world = Arc::<World>::default();
        let engine = watched(&world);
        let started = spawn(&engine, "a");
        sleep(200 * MS).await;
        let waiting = spawn(&engine, "b");
        sleep(5 * MS).await;
        world.set(mood);
        let (started, waiting) = (started.await.unwrap(), waiting.await.unwrap());
        let broken = Reason::Failed(EngineError::Broken("the engine died".to_owned()));
        assert_eq!(started.reason, broken, "{mood:?}");
        assert!((1..WORDS).contains(&started.usage.completion_tokens), "{started:?}");
        assert_eq!(started.usage, started.metered);
        assert_eq!(waiting.text, "b ".repeat(WORDS), "{mood:?}");
        assert_eq!((waiting.usage, waiting.reason), (waiting.metered, Reason::Stop));
        assert_eq!((world.loads.load(Ordering::Relaxed), engine.health().deaths), (1, 1));
        // One that wakes up later changes nothing any more.
        sleep(VIGILANCE.silence * 9).await;
        assert_eq!(started.text, "a ".repeat(started.usage.completion_tokens));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_panics_is_dead() {
    let world = Arc::<World>::default();
    let engine = watched(&world);
    let started = spawn(&engine, "a");
    sleep(200 * MS).await;
    world.set(Mood::Panics);
    let next = answer(engine.clone(), "b".to_owned()).await;
    assert_eq!((next.text, next.reason), ("b ".repeat(WORDS), Reason::Stop));
    assert!(matches!(started.await.unwrap().reason, Reason::Failed(_)));
}

#[tokio::test(start_paused = true)]
async fn an_engine_without_jobs_or_with_slow_ones_lives() {
    let world = Arc::<World>::default();
    let engine = watched(&world);
    sleep(VIGILANCE.silence * 20).await;
    for _ in 0..20 {
        assert_eq!(answer(engine.clone(), "a".to_owned()).await.reason, Reason::Stop);
        sleep(VIGILANCE.silence * 2 / 3).await;
    }
    assert_eq!((world.loads.load(Ordering::Relaxed), engine.health().deaths), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_reads_a_long_prompt_in_one_piece_lives() {
    let world = Arc::<World>::default();
    let engine = watched(&world);
    let (short, long) = (spawn(&engine, "a"), spawn(&engine, LONG));
    sleep(MS).await;
    // Four times as long as an engine may be silent, but not over such a prompt.
    world.set(Mood::Sleeps);
    assert_eq!(long.await.unwrap().reason, Reason::Stop);
    assert_eq!(short.await.unwrap().reason, Reason::Stop);
    assert_eq!((world.done(LONG).given, world.loads.load(Ordering::Relaxed)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_never_reads_a_long_prompt_or_falls_silent_after_it_is_dead_all_the_same() {
    for (before, silence) in [(MS, 8900 * MS), (200 * MS, 900 * MS)] {
        let world = Arc::<World>::default();
        let engine = watched(&world);
        let long = spawn(&engine, LONG);
        sleep(before).await;
        world.set(Mood::Hangs);
        sleep(silence).await;
        assert_eq!(world.loads.load(Ordering::Relaxed), 0, "{before:?}");
        sleep(VIGILANCE.silence / 4 + 200 * MS).await;
        assert_eq!(world.loads.load(Ordering::Relaxed), 1, "{before:?}");
        let is_read = before > 150 * MS;
        assert_eq!(matches!(long.await.unwrap().reason, Reason::Failed(_)), is_read);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_replayed_once_only() {
    let world = Arc::<World>::default();
    let engine = watched(&world);
    let waiting = spawn(&engine, "a");
    for _ in 0..2 {
        sleep(100 * MS).await;
        world.set(Mood::Dies);
    }
    let waiting = waiting.await.unwrap();
    assert!(matches!(waiting.reason, Reason::Failed(_)), "{waiting:?}");
    assert_eq!((world.done("a").given, waiting.metered), (2, Usage::default()));
    assert_eq!(engine.health().deaths, 2);
}

#[tokio::test(start_paused = true)]
async fn when_none_can_be_loaded_jobs_are_refused_until_the_next_try() {
    let world = Arc::<World>::default();
    let engine = watched(&world);
    world.failing_loads.store(3, Ordering::Relaxed);
    let first = spawn(&engine, "a");
    sleep(MS).await;
    world.set(Mood::Dies);
    let busy = |answer: Answer| matches!(answer.reason, Reason::Failed(EngineError::Busy { .. }));
    assert!(busy(first.await.unwrap()));
    assert!(!engine.is_alive());
    assert_eq!(engine.models().len(), 1, "the models of the last one");
    assert!(busy(answer(engine.clone(), "b".to_owned()).await), "at once");
    assert_eq!(world.loads.load(Ordering::Relaxed), 3);
    sleep(VIGILANCE.longest_wait).await;
    let (one, other) = (spawn(&engine, "c"), spawn(&engine, "d"));
    assert_eq!(one.await.unwrap().reason, Reason::Stop);
    assert_eq!(other.await.unwrap().reason, Reason::Stop);
    assert_eq!(world.loads.load(Ordering::Relaxed), 4, "one flight for both");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_an_engine_is_loaded_or_hangs_is_not_kept() {
    for mood in [Mood::Dies, Mood::Hangs] {
        let world = Arc::<World>::default();
        let engine = watched(&world);
        let job = Job::new(SIMULATED_MODEL, Prompt::Text("a".to_owned()), 100);
        let mut stream = engine.generate(job, Meter::default()).await.unwrap();
        sleep(MS).await;
        world.set(mood);
        sleep(MS).await;
        stream.cancel();
        let end = stream.next().await;
        let cancelled = Piece::End { reason: Reason::Cancelled, usage: Usage::default() };
        assert_eq!(end, Some(cancelled), "{mood:?}");
        assert_eq!(world.done("a").given, 1, "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_a_hundred_times_every_job_ends_once_and_counts_what_was_made() {
    for seed in [1, 20, 300] {
        println!("seed {seed}");
        let mut chance = StdRng::seed_from_u64(seed);
        let world = Arc::<World>::default();
        let engine = watched(&world);
        let (mut jobs, mut next) = (Vec::new(), 0);
        let mut kills = 0;
        while kills < 100 {
            for _ in 0..chance.random_range(0..4) {
                let name = format!("{next}");
                jobs.push((name.clone(), spawn(&engine, &name)));
                next += 1;
                sleep(chance.random_range(0..60) * MS).await;
            }
            sleep(chance.random_range(0..300) * MS).await;
            if chance.random_bool(0.6) && engine.is_alive() {
                let moods = [Mood::Hangs, Mood::Dies, Mood::Panics];
                world.set(moods[chance.random_range(0..moods.len())]);
                kills += 1;
                // The kill is noticed by a job, so that there is one.
                jobs.push((format!("k{kills}"), spawn(&engine, &format!("k{kills}"))));
                sleep(chance.random_range(0..3000) * MS).await;
            }
        }
        let (mut answered, mut failed, mut replayed) = (0, 0, 0);
        for (name, job) in jobs {
            let answer = job.await.unwrap();
            let done = world.done(&name);
            assert_eq!(answer.metered, done.usage, "{name}, seed {seed}");
            assert_eq!(answer.usage, done.usage, "{name}, seed {seed}");
            assert!(done.started <= 1, "{name} was started twice, seed {seed}");
            let words = done.usage.completion_tokens;
            match answer.reason {
                Reason::Stop => {
                    answered += 1;
                    replayed += usize::from(done.given > 1);
                    assert_eq!(answer.text, format!("{name} ").repeat(WORDS), "seed {seed}");
                }
                Reason::Failed(EngineError::Broken(_)) => {
                    failed += 1;
                    // Of a started one everything or a little less was passed on, of an unstarted
                    // one two engines died.
                    assert!(format!("{name} ").repeat(words).starts_with(&answer.text), "{name}");
                    assert!(done.started == 1 || done.given <= 2, "{name}, seed {seed}");
                }
                reason => panic!("{name} ended with {reason:?}, seed {seed}"),
            }
        }
        println!("answered {answered}, of them replayed {replayed}; failed {failed}");
        assert!(replayed > 10 && failed > 10, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_of_which_nothing_can_be_asked_is_replaced_and_the_job_told_nothing_of_it() {
    let world = Arc::<World>::default();
    let engine = watched(&world);
    world.set(Mood::Gone);
    assert_eq!(spawn(&engine, "one").await.unwrap().reason, Reason::Stop);
    assert_eq!(world.loads.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_breaks_at_every_job_is_replaced_in_the_end() {
    let world = Arc::<World>::default();
    let engine = watched(&world);
    // Some may break, if others end well between them.
    for breaks in [BREAKS - 1, BREAKS] {
        assert_eq!(spawn(&engine, "well").await.unwrap().reason, Reason::Stop);
        world.set(Mood::Breaks);
        for _ in 0..breaks {
            let reason = spawn(&engine, "breaks").await.unwrap().reason;
            assert!(matches!(reason, Reason::Failed(EngineError::Broken(_))), "{reason:?}");
        }
        if breaks < BREAKS {
            assert_eq!(world.loads.load(Ordering::Relaxed), 0);
            world.set(Mood::Well);
        }
    }
    assert_eq!(spawn(&engine, "after").await.unwrap().reason, Reason::Stop);
    assert_eq!(world.loads.load(Ordering::Relaxed), 1);
}
