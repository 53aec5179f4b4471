//! What budgets and records cost each answer, and what a kill loses. One row for each measure:
//! name, value, unit, N, spread, seed, with tabs between.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "rows are what it makes")]

#[path = "../tests/spool/killed.rs"]
mod killed;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inference::budget::{Ledger, Limits, Local};
use inference::prices::{Micros, Price, Prices, Tokens};
use inference::server::Now;
use inference::spool::{Durability, Outcome, Settings, Spool, drain};
use inference::till::Till;
use web::token::Caller;

const SEED: u64 = 4;
const KILLS: usize = 100;
const ROUNDS: usize = 5;
const ANSWERS: usize = 10_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("child") {
        let folder = arguments.next().expect("a folder");
        return killed::append_until_killed(Path::new(&folder));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, durability) in [("process", Durability::Process), ("disk", Durability::Disk)] {
        let rounds: Vec<_> =
            (0..ROUNDS).map(|_| runtime.block_on(one_by_one(durability))).collect();
        for (part, median, p99) in [("open", 0, 1), ("close", 2, 3)] {
            row(&format!("{part}, {name}, p50"), "us", &rounds, median);
            row(&format!("{part}, {name}, p99"), "us", &rounds, p99);
        }
        let rounds: Vec<_> =
            (0..ROUNDS).map(|_| runtime.block_on(many_at_once(durability))).collect();
        row(&format!("1000 at once, {name}"), "answers/s", &rounds, 0);
    }
    let told = killed::many_times(KILLS, SEED, |folder| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.arg("child").arg(folder);
        child
    });
    for (name, value) in [
        ("records acknowledged before kills", told.acknowledged),
        ("of these lost", told.lost),
        ("of these counted twice", told.doubled),
        ("deliveries repeated and recognised", told.again),
    ] {
        println!("{name}\t{value}\trecords\t{KILLS}\t-\t{SEED}");
    }
}

/// Percentiles of opening and closing a tab, in microseconds.
async fn one_by_one(durability: Durability) -> Vec<f64> {
    let shop = Shop::new(durability);
    let (mut opens, mut closes) = (Vec::new(), Vec::new());
    for _ in 0..ANSWERS {
        let began = Instant::now();
        let tab = shop.open().await;
        opens.push(began.elapsed());
        let began = Instant::now();
        tab.close(Tokens::at_most(61, 40), Outcome::Finished).await.unwrap();
        closes.push(began.elapsed());
    }
    let of = |mut times: Vec<Duration>| {
        times.sort();
        [50, 99].map(|percent| times[times.len() * percent / 100].as_secs_f64() * 1e6)
    };
    [of(opens), of(closes)].concat()
}

/// Answers a second, with a thousand open at any time.
async fn many_at_once(durability: Durability) -> Vec<f64> {
    let shop = Arc::new(Shop::new(durability));
    let began = Instant::now();
    let all = (0..1_000).map(|_| {
        let shop = Arc::clone(&shop);
        tokio::spawn(async move {
            for _ in 0..ANSWERS / 1_000 {
                let tab = shop.open().await;
                tab.close(Tokens::at_most(61, 40), Outcome::Finished).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    });
    futures::future::try_join_all(all).await.unwrap();
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let rate = ANSWERS as f64 / began.elapsed().as_secs_f64();
    drain(&shop.spool, &shop.local).await.unwrap();
    vec![rate]
}

struct Shop {
    till: Till,
    spool: Spool,
    local: Local,
    caller: Caller,
    _folder: tempfile::TempDir,
}

impl Shop {
    fn new(durability: Durability) -> Self {
        // Beside the sources, as a folder for temporary files may be in memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let settings = Settings { durability, ..Settings::new(folder.path().join("usage")) };
        let (spool, _) = Spool::open(settings).unwrap();
        let now: Now = Arc::new(system_time);
        let local = Local::open(&folder.path().join("book"), now.clone()).unwrap();
        local.set_budget("acme", Some("1000000.00 USD".parse().unwrap()));
        let ledger = Ledger::new(Arc::new(local.clone()), now.clone());
        ledger.set_limits("acme", Limits { per_user_daily_tokens: Some(u64::MAX / 2) });
        let cent = Micros::new(10_000);
        let currency = "USD".parse().unwrap();
        let mut prices = Prices::default();
        prices
            .set("small", Price { currency, prompt: cent, cached_prompt: cent, completion: cent });
        let till = Till::new(prices, ledger, spool.clone(), now);
        let [tenant, user, agent] = ["acme", "ann", "tutor"].map(str::to_owned);
        Self { till, spool, local, caller: Caller::new(tenant, user, agent), _folder: folder }
    }

    async fn open(&self) -> inference::till::Tab {
        let bound = Tokens::at_most(61, 512);
        self.till.open(&self.caller, "request-1", "small", bound).await.unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn system_time() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The median over rounds of one column, and its range.
fn row(name: &str, unit: &str, rounds: &[Vec<f64>], column: usize) {
    let mut values: Vec<_> = rounds.iter().map(|round| round[column]).collect();
    values.sort_by(f64::total_cmp);
    let (median, least, most) = (values[values.len() / 2], values[0], values[values.len() - 1]);
    println!("{name}\t{median:.1}\t{unit}\t{ROUNDS}x{ANSWERS}\t{least:.1}-{most:.1}\t-");
}
