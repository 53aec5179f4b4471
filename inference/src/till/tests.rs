use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::StatusCode;
use blueprint::Currency;
use tempfile::TempDir;
use web::Problem;

use super::*;
use crate::budget::{Limits, Local};
use crate::prices::Price;
use crate::spool::{Position, Settings, SinkError, UsageSink, drain};

struct Shop {
    folder: TempDir,
    local: Local,
    till: Till,
    spool: Spool,
}

#[derive(Default)]
struct Records(Mutex<Vec<Event>>);

#[async_trait]
impl UsageSink for Records {
    async fn deliver(&self, batch: &[Event], _: Position) -> Result<(), SinkError> {
        self.0.lock().unwrap().extend_from_slice(batch);
        Ok(())
    }
}

impl Shop {
    /// A tenant with a dollar; `small` costs a cent for a thousand tokens made.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            segment_bytes: 16 << 10,
            total_bytes: 32 << 10,
            ..Settings::new(folder.path().join("usage"))
        };
        let (spool, _) = Spool::open(settings).unwrap();
        let now: Now = Arc::new(|| "2026-03-09T10:00:00Z".parse().unwrap());
        let local = Local::open(&folder.path().join("book"), now.clone()).unwrap();
        local.set_budget("acme", Some("1.00 USD".parse().unwrap()));
        let ledger = Ledger::new(Arc::new(local.clone()), now.clone());
        let mut prices = Prices::default();
        let cent = Micros::new(10_000_000);
        let price = Price {
            currency: Currency::USD,
            prompt: Micros::ZERO,
            cached_prompt: Micros::ZERO,
            completion: cent,
        };
        prices.set("small", price);
        prices.set("local", Price::free(Currency::USD));
        prices.set("foreign", Price { currency: "EUR".parse().unwrap(), ..price });
        let till = Till::new(prices, ledger, spool.clone(), now);
        Self { folder, local, till, spool }
    }

    async fn open(&self, model: &str, completion: u64) -> Result<Tab, Refused> {
        let bound = Tokens::at_most(100, completion);
        self.till.open(&caller(), "request-1", model, bound).await
    }

    async fn refused(&self, model: &str, completion: u64) -> Problem {
        self.open(model, completion).await.err().unwrap().into()
    }

    async fn records(&self) -> Vec<Event> {
        let records = Records::default();
        drain(&self.spool, &records).await.unwrap();
        records.0.into_inner().unwrap()
    }
}

fn caller() -> Caller {
    Caller::new("acme", "ann", "tutor")
}

#[tokio::test]
async fn a_closed_tab_is_charged_exactly_and_recorded_without_anybodys_words() {
    let shop = Shop::new();
    let tab = shop.open("small", 1_000).await.unwrap();
    let used = Tokens { prompt: 40, cached: 8, completion: 123 };
    let receipt = tab.close(used, Outcome::Finished).await.unwrap();
    assert_eq!(receipt.cost, Micros::new(1_230));
    let records = shop.records().await;
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.id, record.tokens, record.cost), (receipt.id, used, receipt.cost));
    assert!(record.holding.is_some());
    let fields = serde_json::to_value(record).unwrap();
    let fields: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        fields.join(" "),
        "agent cost currency endedAt holding id model outcome request startedAt tenant tokens user"
    );
}

#[tokio::test]
async fn a_dropped_tab_gives_everything_back_and_records_nothing() {
    let shop = Shop::new();
    for _ in 0..20 {
        // Nearly the whole dollar each time.
        drop(shop.open("small", 99_000).await.unwrap());
    }
    assert_eq!(shop.records().await, []);
}

#[tokio::test]
async fn a_cancelled_answer_costs_what_was_made_and_a_failed_one_nothing() {
    let shop = Shop::new();
    let limits = Limits { per_user_daily_tokens: Some(1_000) };
    shop.till.ledger().set_limits("acme", limits);
    let used = Tokens::at_most(100, 100);
    let failed = shop.open("small", 900).await.unwrap();
    let failed = failed.close(used, Outcome::Failed).await.unwrap();
    assert_eq!((failed.cost, failed.tokens), (Micros::ZERO, used));
    let cancelled = shop.open("small", 900).await.unwrap();
    let cancelled = cancelled.close(used, Outcome::Cancelled).await.unwrap();
    assert_eq!(cancelled.cost, Micros::new(1_000));
    let problem = shop.refused("small", 701).await;
    assert_eq!((problem.status.as_u16(), problem.code), (429, "daily-tokens-spent"));
    assert_eq!(problem.retry_after, Some(14 * 3_600));
    let outcomes: Vec<_> = shop.records().await.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Cancelled]);
}

#[tokio::test]
async fn models_without_a_price_are_refused_always() {
    let shop = Shop::new();
    for number in 0..100 {
        let problem = shop.refused(&format!("unpriced-{number}"), 1).await;
        assert_eq!((problem.status, problem.code), (StatusCode::FORBIDDEN, "model-unpriced"));
    }
    assert_eq!(shop.refused("foreign", 1).await.code, "model-unpriced");
    assert!(shop.open("local", 1_000_000).await.is_ok());
    shop.till.set_prices(Prices::default());
    assert_eq!(shop.refused("local", 1).await.code, "model-unpriced");
}

#[tokio::test]
async fn a_spent_budget_says_when_it_is_renewed_and_one_that_is_kept_when_to_come_back() {
    let shop = Shop::new();
    let running = shop.open("small", 60_000).await.unwrap();
    let held = shop.refused("small", 60_000).await;
    assert_eq!((held.code, held.retry_after), ("budget-held", Some(2)));
    running.close(Tokens::at_most(0, 60_000), Outcome::Finished).await.unwrap();
    let spent = shop.refused("small", 60_000).await;
    assert_eq!((spent.status, spent.code), (StatusCode::PAYMENT_REQUIRED, "budget-spent"));
    assert!(spent.detail.unwrap().contains("2026-04-01 00:00 UTC"));
    drain(&shop.spool, &shop.local).await.unwrap();
    assert_eq!(shop.local.standing("acme", Currency::USD).spent, Micros::new(600_000));
    // A larger budget counts at once.
    shop.local.set_budget("acme", Some("2.00 USD".parse().unwrap()));
    shop.till.ledger().refresh("acme").await;
    assert!(shop.open("small", 60_000).await.is_ok());
}

#[tokio::test]
async fn a_full_spool_refuses_and_keeps_no_money() {
    let shop = Shop::new();
    let mut tabs = Vec::new();
    let problem = loop {
        match shop.open("small", 1_000).await {
            Ok(tab) => tabs.push(tab),
            Err(refused) => break Problem::from(refused),
        }
        assert!(tabs.len() < 1_000);
    };
    assert_eq!((problem.status.as_u16(), problem.code), (503, "usage-spool-full"));
    assert_eq!(problem.retry_after, Some(5));
    for tab in tabs {
        tab.close(Tokens::default(), Outcome::Finished).await.unwrap();
    }
    for _ in 0..10_000 {
        if shop.open("small", 90_000).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("there is still no room in {}", shop.folder.path().display());
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let shop = Shop::new();
    for request in ["a\nb".to_owned(), "x".repeat(129)] {
        let opened = shop.till.open(&caller(), &request, "small", Tokens::default()).await;
        let problem: Problem = opened.err().unwrap().into();
        assert_eq!((problem.status.as_u16(), problem.code), (400, "out-of-range"));
    }
}

#[tokio::test]
async fn what_was_used_before_a_start_counts_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let now: Now = Arc::new(|| "2026-03-09T10:00:00Z".parse().unwrap());
        let one = Micros::new(1_000_000);
        let currency = Currency::USD;
        let price = Price { currency, prompt: one, cached_prompt: one, completion: one };
        let mut prices = Prices::default();
        prices.set("small", price);
        let opened = Till::open_local(folder.path(), prices, now).await.unwrap();
        opened.1.set_budget("acme", Some("0.01 USD".parse().unwrap()));
        let limits = Limits { per_user_daily_tokens: Some(8_000) };
        opened.0.ledger().set_limits("acme", limits);
        opened
    };
    let bound = |tokens| Tokens::at_most(0, tokens);
    let (till, _, keeper) = start().await;
    let tab = till.open(&caller(), "1", "small", bound(5_000)).await.unwrap();
    // Nothing is delivered any more.
    keeper.close().await;
    tab.close(bound(5_000), Outcome::Finished).await.unwrap();
    drop(till);

    let (till, local, keeper) = start().await;
    let standing = local.standing("acme", Currency::USD);
    assert_eq!((standing.spent, standing.held), (Micros::new(5_000), Micros::ZERO));
    let refused = till.open(&caller(), "2", "small", bound(3_001)).await.err().unwrap();
    assert_eq!(Problem::from(refused).code, "daily-tokens-spent");
    let other = Caller { user: "bob".to_owned(), ..caller() };
    let refused = till.open(&other, "3", "small", bound(5_001)).await.err().unwrap();
    assert_eq!(Problem::from(refused).code, "budget-spent");
    let tab = till.open(&other, "4", "small", bound(5_000)).await.unwrap();
    tab.close(bound(4_000), Outcome::Finished).await.unwrap();
    keeper.close().await;
    let standing = local.standing("acme", Currency::USD);
    assert_eq!((standing.spent, standing.held), (Micros::new(9_000), Micros::ZERO));
}

#[tokio::test(start_paused = true)]
async fn usage_counts_once_also_when_the_spool_forgot_how_far_it_was_delivered() {
    for damage in ["", "{"] {
        let folder = tempfile::tempdir().unwrap();
        let now: Now = Arc::new(|| "2026-03-09T10:00:00Z".parse().unwrap());
        let start = async || {
            let mut prices = Prices::default();
            let one = Micros::new(1_000_000);
            let currency = Currency::USD;
            let price = Price { currency, prompt: one, cached_prompt: one, completion: one };
            prices.set("small", price);
            let opened = Till::open_local(folder.path(), prices, Arc::clone(&now)).await.unwrap();
            opened.1.set_budget("acme", Some("1.00 USD".parse().unwrap()));
            opened
        };
        // Several batches, and more in the end than the last one of them.
        let mut count = 0;
        for more in [1, 2, 3] {
            let (till, local, keeper) = start().await;
            for _ in 0..more {
                let tab = till.open(&caller(), "r", "small", Tokens::at_most(0, 10)).await.unwrap();
                tab.close(Tokens::at_most(0, 10), Outcome::Finished).await.unwrap();
                while till.waiting_bytes() > 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                count += 1;
            }
            keeper.close().await;
            assert_eq!(local.standing("acme", Currency::USD).spent, Micros::new(count * 10));
        }
        let position = folder.path().join("delivered");
        if damage.is_empty() {
            std::fs::remove_file(&position).unwrap();
        } else {
            std::fs::write(&position, damage).unwrap();
        }
        let (till, local, keeper) = start().await;
        assert_eq!(local.standing("acme", Currency::USD).spent, Micros::new(count * 10));
        let tab = till.open(&caller(), "r", "small", Tokens::at_most(0, 10)).await.unwrap();
        tab.close(Tokens::at_most(0, 10), Outcome::Finished).await.unwrap();
        keeper.close().await;
        let spent = local.standing("acme", Currency::USD).spent;
        assert_eq!(spent, Micros::new(count * 10 + 10), "what comes after that counts");
    }
}

#[tokio::test]
async fn a_book_without_its_spool_goes_on_with_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let mut prices = Prices::default();
        prices.set("local", Price::free(Currency::USD));
        let now: Now = Arc::new(|| "2026-03-09T10:00:00Z".parse().unwrap());
        Till::open_local(folder.path(), prices, now).await.unwrap()
    };
    for count in 1..=4 {
        let (till, local, keeper) = start().await;
        let tab = till.open(&caller(), "r", "local", Tokens::at_most(0, 10)).await.unwrap();
        tab.close(Tokens::at_most(0, 10), Outcome::Finished).await.unwrap();
        keeper.close().await;
        assert_eq!(local.used_today(), [("acme".to_owned(), "ann".to_owned(), count * 10)]);
        drop(till);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() != "book" {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}
