use std::collections::VecDeque;

use super::priced::Candidate;
use super::*;
use crate::engine::Prompt;
use crate::simulator::{SIMULATED_MODEL, Simulator};

const SECOND: Duration = Duration::from_secs(1);

/// An engine that answers each request by the next line of its script, at the end by echoing.
struct Scripted {
    echo: Simulator,
    script: Mutex<VecDeque<Line>>,
    asked: Arc<Mutex<Vec<Instant>>>,
}

enum Line {
    Refuses(Kind),
    /// Reads the prompt, and breaks before the first word or after some.
    BreaksAfter(usize),
    Hangs,
    /// Is sent the prompt, and says nothing.
    IsSentAndHangs,
    Echoes,
}

#[async_trait]
impl Candidate for Scripted {
    fn engine(&self) -> &dyn Engine {
        &self.echo
    }

    async fn begin(&self, job: &Job, meter: Meter) -> Result<TokenStream, Failure> {
        self.asked.lock().unwrap().push(Instant::now());
        let line = self.script.lock().unwrap().pop_front().unwrap_or(Line::Echoes);
        let engine = match line {
            Line::Refuses(kind) => {
                let error = match kind {
                    Kind::Busy(after) => EngineError::Busy { after },
                    Kind::Refused => EngineError::PromptTooLong { limit: 3 },
                    _ => EngineError::Broken("as written".to_owned()),
                };
                return Err(Failure { error, kind });
            }
            Line::BreaksAfter(words) => Simulator::breaking_after(words),
            Line::Hangs => std::future::pending().await,
            Line::IsSentAndHangs => {
                meter.read(3);
                std::future::pending().await
            }
            Line::Echoes => self.echo.clone(),
        };
        engine.generate(job.clone(), meter).await.map_err(Failure::of_engine)
    }
}

struct All;

impl PriceTable for All {
    fn has(&self, _: &str) -> bool {
        true
    }
}

struct Leg {
    priced: Priced,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Leg {
    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn leg(name: &str, at_once: usize, script: Vec<Line>) -> Leg {
    let asked = Arc::<Mutex<Vec<Instant>>>::default();
    let candidate = Scripted {
        echo: Simulator::echo().with_at_once(at_once),
        script: Mutex::new(script.into()),
        asked: Arc::clone(&asked),
    };
    let entries = [(SIMULATED_MODEL.to_owned(), format!("{name}-price"))].into();
    let priced = Priced::checked(name.to_owned(), Arc::new(candidate), entries, &All).unwrap();
    Leg { priced, asked }
}

fn route(legs: &[&Leg]) -> Route {
    let engines = legs.iter().map(|leg| leg.priced.clone()).collect();
    Route::new(engines, Fuse::default(), Retries::default(), 7).unwrap()
}

fn job() -> Job {
    Job::new(SIMULATED_MODEL, Prompt::question("one two three"), 100)
}

async fn whole(mut stream: TokenStream) -> (String, Reason, Usage) {
    let mut text = String::new();
    loop {
        match stream.next().await.unwrap() {
            Piece::Text(more) => text.push_str(&more),
            Piece::Token(_) => {}
            Piece::End { reason, usage } => return (text, reason, usage),
        }
    }
}

async fn begin(route: &Route, job: Job, meter: Meter) -> TokenStream {
    route.generate(job, meter).await.unwrap()
}

async fn answer(route: &Route) -> (String, Reason) {
    let (text, reason, _) = whole(begin(route, job(), Meter::default()).await).await;
    (text, reason)
}

fn echoed() -> (String, Reason) {
    ("one two three".to_owned(), Reason::Stop)
}

#[tokio::test(start_paused = true)]
async fn the_first_that_can_answers() {
    let first = leg("first", 1, vec![Line::Echoes, Line::Refuses(Kind::Broken)]);
    let second = leg("second", 1, vec![]);
    let route = route(&[&first, &second]);
    for asked in [0, 1] {
        let meter = Meter::default();
        let (text, reason, usage) = whole(begin(&route, job(), meter.clone()).await).await;
        assert_eq!((text, reason, second.asked()), (echoed().0, Reason::Stop, asked));
        assert_eq!((usage, meter.usage().completion_tokens), (meter.usage(), 3));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_try_read_is_not_metered() {
    let first = leg("first", 1, vec![Line::BreaksAfter(0)]);
    let second = leg("second", 1, vec![]);
    let meter = Meter::default();
    let stream = begin(&route(&[&first, &second]), job(), meter.clone()).await;
    assert_eq!(whole(stream).await.2, meter.usage());
    assert_eq!(meter.usage(), Usage { prompt_tokens: 3, cached_tokens: 0, completion_tokens: 3 });
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_begun_is_never_begun_again() {
    let first = leg("first", 1, vec![Line::BreaksAfter(1)]);
    let second = leg("second", 1, vec![]);
    let (text, reason) = answer(&route(&[&first, &second])).await;
    assert_eq!(text, "one ");
    assert!(matches!(reason, Reason::Failed(_)));
    assert_eq!(second.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_may_help_is_tried_again_after_waits_that_grow_and_vary() {
    let script = || (0..3).map(|_| Line::Refuses(Kind::Unreachable));
    let only = leg("only", 1, script().chain([Line::Echoes]).collect());
    let fuse = Fuse { failures: 9, ..Fuse::default() };
    let route = Route::new(vec![only.priced.clone()], fuse, Retries::default(), 7).unwrap();
    assert_eq!(answer(&route).await, echoed());
    let asked = only.asked.lock().unwrap().clone();
    let waits: Vec<_> = asked.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    for (wait, most) in waits.iter().zip([250, 500, 1000]) {
        assert!((most / 2..=most + 1).contains(wait), "{waits:?}");
    }
    assert_eq!(waits.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_help_is_not_tried_again() {
    for (kind, tries) in [
        (Kind::Broken, 1),
        (Kind::Key, 1),
        (Kind::Refused, 1),
        // Longer than anybody should wait.
        (Kind::Busy(SECOND * 60), 1),
        (Kind::Busy(SECOND * 2), 2),
    ] {
        let only = leg("only", 1, vec![Line::Refuses(kind)]);
        let begun = Instant::now();
        let (_, reason) = answer(&route(&[&only])).await;
        assert_eq!(only.asked(), tries, "{kind:?}");
        assert_eq!(matches!(reason, Reason::Failed(_)), tries == 1, "{kind:?} {reason:?}");
        assert!(begun.elapsed() <= SECOND * 3, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_end_in_time() {
    let script = (0..99).map(|_| Line::Refuses(Kind::Unreachable)).collect();
    let only = leg("only", 1, script);
    let begun = Instant::now();
    let (_, reason) = answer(&route(&[&only])).await;
    assert!(matches!(reason, Reason::Failed(EngineError::Busy { .. } | EngineError::Broken(_))));
    assert!(begun.elapsed() <= Retries::default().within, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_that_keeps_failing_is_left_alone_and_then_tried_by_one() {
    let script = (0..3).map(|_| Line::Refuses(Kind::Broken)).collect();
    let first = leg("first", 1, script);
    let second = leg("second", 8, vec![]);
    let route = route(&[&first, &second]);
    let room = route.room();
    assert_eq!(*room.borrow(), 1);
    for _ in 0..6 {
        assert_eq!(answer(&route).await, echoed());
    }
    assert_eq!((first.asked(), second.asked()), (3, 6));
    assert_eq!(*room.borrow(), 8, "the room of the one that answers now");
    let states: Vec<_> = route.breakers().collect();
    assert_eq!(states, [("first", BreakerState::Open), ("second", BreakerState::Closed)]);
    assert_eq!(route.health().breakers[0], ("first".to_owned(), BreakerState::Open));

    sleep(SECOND * 6).await;
    assert_eq!(*room.borrow(), 1, "it may be tried");
    assert_eq!(answer(&route).await, echoed());
    assert_eq!((first.asked(), second.asked()), (4, 6));
    assert_eq!(route.breakers().next(), Some(("first", BreakerState::Closed)));
}

#[tokio::test(start_paused = true)]
async fn routes_that_share_a_breaker_leave_the_same_engine_alone() {
    let first = leg("first", 1, (0..3).map(|_| Line::Refuses(Kind::Broken)).collect());
    let second = leg("second", 8, vec![]);
    let shared = first.priced.clone().with_breaker(Breaker::new(Fuse::default()));
    let [one, other] = [(); 2].map(|()| {
        let legs = vec![shared.clone(), second.priced.clone()];
        Route::new(legs, Fuse::default(), Retries::default(), 7).unwrap()
    });
    for _ in 0..3 {
        assert_eq!(answer(&one).await, echoed());
    }
    assert_eq!(answer(&other).await, echoed());
    assert_eq!((first.asked(), second.asked()), (3, 4));
    assert_eq!(*other.room().borrow(), 8, "the room of the one that answers now");
}

#[tokio::test(start_paused = true)]
async fn one_that_breaks_in_the_middle_again_and_again_is_left_alone_too() {
    let first = leg("first", 1, (0..9).map(|_| Line::BreaksAfter(1)).collect());
    let second = leg("second", 1, vec![]);
    let route = route(&[&first, &second]);
    for _ in 0..3 {
        assert_eq!(answer(&route).await.0, "one ");
    }
    assert_eq!(answer(&route).await, echoed());
    assert_eq!((first.asked(), second.asked()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn of_several_failures_the_most_hopeful_is_told() {
    let broken = leg("broken", 1, vec![Line::Refuses(Kind::Broken)]);
    let long = leg("long", 1, vec![Line::Refuses(Kind::Refused)]);
    let (_, reason) = answer(&route(&[&broken, &long])).await;
    assert_eq!(reason, Reason::Failed(EngineError::PromptTooLong { limit: 3 }));
    let busy = leg("busy", 1, vec![Line::Refuses(Kind::Busy(SECOND * 30))]);
    let long = leg("long", 1, vec![Line::Refuses(Kind::Refused)]);
    let (_, reason) = answer(&route(&[&busy, &long])).await;
    assert_eq!(reason, Reason::Failed(EngineError::Busy { after: SECOND * 30 }));
}

#[tokio::test(start_paused = true)]
async fn what_one_filters_is_not_taken_to_the_next() {
    let first = leg("first", 1, vec![Line::Refuses(Kind::Filtered)]);
    let second = leg("second", 1, vec![]);
    assert_eq!(answer(&route(&[&first, &second])).await, (String::new(), Reason::Filtered));
    assert_eq!(second.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_not_kept_wherever_the_job_is() {
    let hangs = leg("hangs", 1, vec![Line::Hangs]);
    let refuses = (0..9).map(|_| Line::Refuses(Kind::Unreachable)).collect();
    let waits = leg("waits", 1, refuses);
    for legs in [&hangs, &waits] {
        let stream = begin(&route(&[legs]), job(), Meter::default()).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let begun = Instant::now();
        stream.cancel();
        let (_, reason, usage) = whole(stream).await;
        assert_eq!((reason, usage), (Reason::Cancelled, Usage::default()));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_before_the_answer_begins_pays_what_was_sent() {
    let first = leg("first", 1, vec![Line::Refuses(Kind::Broken)]);
    let second = leg("second", 1, vec![Line::IsSentAndHangs]);
    let meter = Meter::default();
    let stream = begin(&route(&[&first, &second]), job(), meter.clone()).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    stream.cancel();
    let (_, reason, usage) = whole(stream).await;
    assert_eq!((reason, usage.prompt_tokens, usage), (Reason::Cancelled, 3, meter.usage()));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_in_the_middle_pays_what_was_made() {
    let slow = Simulator::echo().with_pace(SECOND);
    let prices = [(SIMULATED_MODEL.to_owned(), "p".to_owned())].into();
    let engine = Priced::engine("slow", Arc::new(slow.clone()), prices, &All).unwrap();
    let route = Route::new(vec![engine], Fuse::default(), Retries::default(), 7).unwrap();
    let meter = Meter::default();
    let mut stream = begin(&route, job(), meter.clone()).await;
    stream.next().await.unwrap();
    stream.cancel();
    let (_, reason, usage) = whole(stream).await;
    assert_eq!((reason, usage), (Reason::Cancelled, meter.usage()));
    assert_eq!(usage.completion_tokens, slow.record().tokens);
}

#[tokio::test]
async fn nothing_without_a_price_gets_in() {
    struct Only(&'static str);
    impl PriceTable for Only {
        fn has(&self, entry: &str) -> bool {
            entry == self.0
        }
    }
    let engine = || Arc::new(Simulator::echo()) as Arc<dyn Engine>;
    let priced = |prices, table: &Only| Priced::engine("local", engine(), prices, table);
    let none = priced([].into(), &Only("small")).unwrap_err();
    assert_eq!((none.model.as_str(), none.entry.as_deref()), (SIMULATED_MODEL, None));
    let named = [(SIMULATED_MODEL.to_owned(), "small".to_owned())];
    let missing = priced(named.clone().into(), &Only("large")).unwrap_err();
    assert_eq!(missing.entry.as_deref(), Some("small"));
    assert!(priced(named.into(), &Only("small")).is_ok());
    assert!(Route::new(vec![], Fuse::default(), Retries::default(), 7).is_none());
}

#[tokio::test]
async fn a_model_of_nobody_is_unknown() {
    let only = leg("only", 1, vec![]);
    let job = Job { model: "other".to_owned(), ..job() };
    let stream = begin(&route(&[&only]), job, Meter::default()).await;
    let unknown = EngineError::UnknownModel("other".to_owned());
    assert_eq!(whole(stream).await.1, Reason::Failed(unknown));
}
