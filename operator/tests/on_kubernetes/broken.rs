//! Every call of every flow, to the API server and to Postgres, goes wrong once, in every way.
//! What comes out in the end is what comes out where nothing goes wrong.

mod digest;
mod flow;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use faults::api::{self, Call};
use faults::postgres::{self, Trip};
use faults::script;
use futures::StreamExt as _;
use operator::cluster::CallError;
use operator::reconcile::Failure;
use uuid::Uuid;

use flow::{Flow, World};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    /// The operator dies before it is carried out.
    KilledBefore,
    /// The operator dies after it was carried out.
    KilledAfter,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It is carried out, and no answer comes.
    Hang,
    /// It is not carried out, and the server says that it is broken.
    Refused,
}

impl Wrong {
    const ALL: [Self; 5] =
        [Self::KilledBefore, Self::KilledAfter, Self::AnswerLost, Self::Hang, Self::Refused];

    const fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }

    fn of_api(self) -> api::Fault {
        match self {
            Self::KilledBefore => api::Fault::ResetBefore,
            Self::KilledAfter | Self::AnswerLost => api::Fault::ResetAfter,
            Self::Hang => api::Fault::HangAfter,
            Self::Refused => api::Fault::Answer { status: 503, retry_after: None },
        }
    }

    /// Postgres has no answer that says that it is broken but to end the connection.
    const fn of_postgres(self) -> postgres::Fault {
        match self {
            Self::KilledBefore | Self::Refused => postgres::Fault::CutBefore,
            Self::KilledAfter | Self::AnswerLost => postgres::Fault::CutAfter,
            Self::Hang => postgres::Fault::HangAfter,
        }
    }
}

/// A call that goes wrong: the how-many-th to which server.
#[derive(Clone, Copy, Debug)]
enum Point {
    Api(usize),
    Postgres(usize),
}

/// More turns than any flow needs.
const TURNS: u32 = 60;

impl World {
    /// Goes through the flow with this going wrong, and says what came out.
    async fn go_through(&self, flow: Flow, point: Point, wrong: Wrong) -> String {
        let name = self.house.name(&Uuid::new_v4().simple().to_string()[..12]);
        self.prepare(flow, &name).await;
        self.act(flow, &name).await;
        let hit = Hit::new(self, point, wrong).await;
        let mut driver = self.driver(flow, &hit.api, &hit.postgres);
        let mut rests = 0;
        for _ in 0..TURNS {
            let turn = driver.reconcile(&name);
            let done = if wrong.kills() && !hit.is_over() {
                tokio::select! {
                    done = turn => Some(done),
                    () = hit.struck() => None,
                }
            } else {
                Some(turn.await)
            };
            match done {
                None => {
                    // Dead. Another one begins with what is there.
                    hit.is_over.store(true, Ordering::SeqCst);
                    hit.pass();
                    driver = self.driver(flow, &hit.api, &hit.postgres);
                }
                Some(Ok(done)) if done.writes == 0 => rests += 1,
                Some(Ok(_)) => rests = 0,
                Some(Err(failure)) => {
                    assert!(can_be(&failure), "{flow:?} {point:?} {wrong:?}: {failure}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            if rests > 1 && self.is_through(flow, &name) {
                return self.digest(&name).await;
            }
        }
        panic!("{flow:?} does not end: {point:?} {wrong:?}; {:#?}", self.house.seen.of(&name))
    }

    async fn compare(&self, flow: Flow, wrongs: &[Wrong]) {
        let (calls, trips, expected) = self.go_through_whole(flow).await;
        assert!(calls > 0, "{flow:?} writes something");
        let points = (0..calls).map(Point::Api).chain((0..trips).map(Point::Postgres));
        let all = points.flat_map(|point| wrongs.iter().map(move |wrong| (point, *wrong)));
        let all: Vec<_> = all.collect();
        let runs = futures::stream::iter(all).map(|(point, wrong)| async move {
            (point, wrong, self.go_through(flow, point, wrong).await)
        });
        let mut runs = std::pin::pin!(runs.buffer_unordered(AT_ONCE));
        let mut done = 0;
        while let Some((point, wrong, came_out)) = runs.next().await {
            done += 1;
            let differs = digest::differences(&expected, &came_out);
            assert!(differs.is_empty(), "{flow:?} {point:?} {wrong:?}: {differs:#?}");
        }
        println!("counted: {done} runs of {flow:?} with {calls} calls and {trips} trips");
    }

    /// Goes through the flow with nothing going wrong: how many calls there are, and what comes
    /// out.
    async fn go_through_whole(&self, flow: Flow) -> (usize, usize, String) {
        let name = self.house.name("whole");
        self.prepare(flow, &name).await;
        self.act(flow, &name).await;
        let hit = Hit::new(self, Point::Api(usize::MAX - 1), Wrong::AnswerLost).await;
        let driver = self.driver(flow, &hit.api, &hit.postgres);
        for _ in 0..TURNS {
            let rested = match driver.reconcile(&name).await {
                Ok(done) => done.writes == 0,
                // Kinds that another test defines just now are listed anew, and answers that came
                // meanwhile are not believed.
                Err(Failure::Call(CallError::Conflict(_))) => false,
                Err(failure) => panic!("{flow:?}: {failure}"),
            };
            if rested && self.is_through(flow, &name) {
                let trips = hit.postgres.trips().len();
                return (hit.api.count(Call::has_effect), trips, self.digest(&name).await);
            }
        }
        panic!("{flow:?} does not end; {:#?}", self.house.seen.of(&name))
    }
}

/// Whatever goes wrong with a call is one of these.
fn can_be(failure: &Failure) -> bool {
    use operator::cluster::CallError::{Conflict, Missing, Unavailable};
    use operator::databases::DatabaseError::Unreachable;
    matches!(
        failure,
        Failure::Call(Conflict(_) | Missing(_) | Unavailable { .. })
            | Failure::Database(Unreachable { .. })
    )
}

/// So many flows at once: most of the time each waits.
const AT_ONCE: usize = 8;

/// Proxies of one run, and what they do.
struct Hit {
    api: api::Proxy,
    postgres: postgres::Proxy,
    point: Point,
    is_over: AtomicBool,
}

impl Hit {
    async fn new(world: &World, point: Point, wrong: Wrong) -> Self {
        let api = api::Proxy::before(World::upstream()).await.unwrap();
        let postgres = postgres::Proxy::before(world.server).await.unwrap();
        match point {
            Point::Api(n) if wrong.kills() => {
                let dead = || api::Fault::ResetBefore;
                api.follow(script::dead_from(n, Call::has_effect, wrong.of_api(), dead));
            }
            Point::Api(n) => api.follow(script::at(n, Call::has_effect, wrong.of_api())),
            Point::Postgres(n) if wrong.kills() => {
                let dead = || postgres::Fault::CutBefore;
                postgres.follow(script::dead_from(n, |_: &Trip| true, wrong.of_postgres(), dead));
            }
            Point::Postgres(n) => {
                postgres.follow(script::at(n, |_: &Trip| true, wrong.of_postgres()));
            }
        }
        Self { api, postgres, point, is_over: false.into() }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    async fn struck(&self) {
        match self.point {
            Point::Api(_) => self.api.struck(1).await,
            Point::Postgres(_) => self.postgres.struck(1).await,
        }
    }

    fn pass(&self) {
        self.api.follow(script::nothing());
        self.postgres.follow(script::nothing());
    }
}

/// One test for each flow: an answer is lost at every point.
macro_rules! flows {
    ($($name:ident $soak:ident $flow:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs a cluster: cargo xtask test --suite cluster"]
        async fn $name() {
            World::open().await.compare(Flow::$flow, &[Wrong::AnswerLost]).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "takes minutes: cargo xtask soak broken"]
        async fn $soak() {
            World::open().await.compare(Flow::$flow, &Wrong::ALL).await;
        }
    )*};
}

flows! {
    an_answer_that_is_lost_changes_nothing_of_a_creation soak_create Create;
    an_answer_that_is_lost_changes_nothing_of_an_update soak_update Update;
    an_answer_that_is_lost_changes_nothing_of_an_upgrade soak_upgrade Upgrade;
    an_answer_that_is_lost_changes_nothing_of_a_suspension soak_suspend Suspend;
    an_answer_that_is_lost_changes_nothing_of_a_deletion soak_delete Delete;
    an_answer_that_is_lost_changes_nothing_of_a_return soak_undelete Undelete;
    an_answer_that_is_lost_changes_nothing_of_new_passwords soak_rotate Rotate;
}
