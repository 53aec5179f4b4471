//! What budgets and records cost each answer, and what a kill loses. One row for each measure:
//! name, value, unit, N, spread, seed, with tabs between.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "rows are what it makes")]

#[path = "../tests/spool/killed.rs"]
mod killed;
#[path = "../tests/spool/sold.rs"]
mod sold;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inference::budget::{Claim, Ledger, Limits, Local, Treasury};
use inference::prices::{Micros, Price, Prices, Tokens};
use inference::server::Now;
use inference::spool::{Durability, Event, Outcome, Position, Settings, Spool, UsageSink, drain};
use inference::till::{Tab, Till};
use web::token::Caller;

const SEED: u64 = 4;
const KILLS: usize = 100;
const ROUNDS: usize = 5;
const ANSWERS: usize = 10_000;
const PACE: usize = 2_500;
const TENANTS: usize = 10_000;
const PEOPLE: usize = 50;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (what, folder) = (arguments.next(), arguments.next());
    match (what.as_deref(), folder) {
        (Some("append"), Some(folder)) => return killed::append_until_killed(folder.as_ref()),
        (Some("sell"), Some(folder)) => return sold::sell_until_killed(folder.as_ref()),
        (Some("book"), _) => return large_book(),
        _ => {}
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
    let rounds: Vec<_> = (0..ROUNDS).map(|_| runtime.block_on(paced())).collect();
    for (column, percentile) in ["p50", "p99", "p99.9", "longest"].into_iter().enumerate() {
        row(&format!("open and close at {PACE}/s, all on, {percentile}"), "us", &rounds, column);
    }
    large_book();
    let told = killed::many_times(KILLS, SEED, |folder| run("append", folder));
    let sold = sold::many_times(KILLS, SEED, |folder| run("sell", folder));
    let records = |number: usize| u64::try_from(number).unwrap();
    for (name, value) in [
        ("spool: records acknowledged before kills", records(told.acknowledged)),
        ("spool: of these lost", records(told.lost)),
        ("spool: of these counted twice", records(told.doubled)),
        ("spool: deliveries repeated and recognised", records(told.again)),
        ("till: answers acknowledged before kills", sold.acknowledged),
        ("till: answers counted in the book", sold.counted),
        ("till: answers a kill may have left in doubt", sold.in_doubt),
        ("till: money kept for nobody", sold.held),
    ] {
        println!("{name}\t{value}\tcount\t{KILLS}\t-\t{SEED}");
    }
}

fn run(what: &str, folder: &Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.arg(what).arg(folder);
    child
}

/// Percentiles of a whole answer at an even pace, with flushes, deliveries and renewals beside.
async fn paced() -> Vec<f64> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let opened = Till::open_local(folder.path(), prices(), Arc::new(system_time)).await;
    let (till, local, keeper) = opened.unwrap();
    local.set_budget("acme", Some("1000000.00 USD".parse().unwrap()));
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    let mut times = Vec::new();
    while times.len() < ANSWERS {
        tick.tick().await;
        for _ in 0..PACE / 500 {
            let began = Instant::now();
            answer(&till).await;
            times.push(began.elapsed());
        }
    }
    keeper.close().await;
    times.sort();
    [500, 990, 999, 1_000]
        .map(|permille| times[(times.len() * permille / 1_000).min(times.len() - 1)])
        .map(|time| time.as_secs_f64() * 1e6)
        .to_vec()
}

/// What a delivery takes where a book has many people in it, and who leases meanwhile waits.
fn large_book() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("book");
    let local = Local::open(&path, Arc::new(system_time)).unwrap();
    let event = |number: usize| used(number % TENANTS, number / TENANTS % PEOPLE);
    let rounds = runtime.block_on(async {
        let all: Vec<_> = (0..TENANTS * PEOPLE).map(event).collect();
        local.deliver(&all, Position::default()).await.unwrap();
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let mut times = Vec::new();
            for size in [1, ANSWERS] {
                let batch: Vec<_> = (0..size).map(|number| event(number * 7 + round)).collect();
                let delivering = local.clone();
                let began = Instant::now();
                let delivery = tokio::spawn(async move {
                    delivering.deliver(&batch, Position::default()).await.unwrap();
                });
                let mut longest = Duration::ZERO;
                while !delivery.is_finished() {
                    let asked = Instant::now();
                    local.lease(&claim()).await.unwrap();
                    longest = longest.max(asked.elapsed());
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                times.extend([began.elapsed(), longest].map(|time| time.as_secs_f64() * 1e3));
            }
            rounds.push(times);
        }
        rounds
    });
    let book = format!("a book of {TENANTS} tenants with {PEOPLE} people");
    for (column, size) in [(0, 1), (2, ANSWERS)] {
        row(&format!("{book}, delivery of {size}"), "ms", &rounds, column);
        row(&format!("{book}, longest lease beside it"), "ms", &rounds, column + 1);
    }
    println!("{book}\t{}\tbytes\t1\t-\t-", path.metadata().unwrap().len());
}

fn used(tenant: usize, user: usize) -> Event {
    let at = system_time();
    Event {
        id: uuid::Uuid::now_v7(),
        tenant: format!("tenant-{tenant}"),
        user: uuid::Uuid::from_u128(u128::try_from(tenant * PEOPLE + user).unwrap()).to_string(),
        agent: "tutor".to_owned(),
        model: "small".to_owned(),
        request: "request-1".to_owned(),
        tokens: Tokens::at_most(61, 40),
        cost: Micros::new(12),
        currency: "USD".parse().unwrap(),
        holding: None,
        outcome: Outcome::Finished,
        started_at: at,
        ended_at: at,
    }
}

fn claim() -> Claim {
    Claim {
        holding: uuid::Uuid::now_v7(),
        number: 1,
        tenant: "tenant-0".to_owned(),
        currency: "USD".parse().unwrap(),
        spent: Micros::ZERO,
        want: Micros::new(1),
    }
}

async fn answer(till: &Till) {
    let tab = open(till).await;
    tab.close(Tokens::at_most(61, 40), Outcome::Finished).await.unwrap();
}

async fn open(till: &Till) -> Tab {
    let [tenant, user, agent] = ["acme", "ann", "tutor"].map(str::to_owned);
    let caller = Caller::new(tenant, user, agent);
    till.open(&caller, "request-1", "small", Tokens::at_most(61, 512)).await.unwrap()
}

fn prices() -> Prices {
    let cent = Micros::new(10_000);
    let mut prices = Prices::default();
    let currency = "USD".parse().unwrap();
    prices.set("small", Price { currency, prompt: cent, cached_prompt: cent, completion: cent });
    prices
}

/// Percentiles of opening and closing a tab, in microseconds.
async fn one_by_one(durability: Durability) -> Vec<f64> {
    let shop = Shop::new(durability);
    let (mut opens, mut closes) = (Vec::new(), Vec::new());
    for _ in 0..ANSWERS {
        let began = Instant::now();
        let tab = open(&shop.till).await;
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
                answer(&shop.till).await;
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
        let till = Till::new(prices(), ledger, spool.clone(), now);
        Self { till, spool, local, _folder: folder }
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
