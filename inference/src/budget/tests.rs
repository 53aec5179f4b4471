mod chance;
mod model;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use blueprint::Currency;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use web::token::Caller;

use super::*;
use crate::prices::{Micros, Price, Tokens};
use crate::server::Now;

/// A clock that is moved by hand.
#[derive(Clone)]
struct Hands(Arc<Mutex<Timestamp>>);

impl Hands {
    fn new() -> Self {
        Self(Arc::new(Mutex::new("2026-03-09T10:00:00Z".parse().unwrap())))
    }

    fn set(&self, to: &str) {
        *self.0.lock().unwrap() = to.parse().unwrap();
    }

    fn forward(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = later(*now, by);
    }

    fn now(&self) -> Now {
        let hands = self.clone();
        Arc::new(move || *hands.0.lock().unwrap())
    }
}

/// A treasury with one budget that can be cut off, and counts who asks.
struct Bank {
    vault: Mutex<Vault>,
    now: Now,
    asked: AtomicUsize,
    is_gone: AtomicBool,
    hangs: AtomicBool,
}

#[async_trait]
impl Treasury for Bank {
    async fn lease(&self, claim: &Claim) -> Result<Lease, TreasuryError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        // As long as a network would take.
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.is_gone.load(Ordering::Relaxed) {
            return Err(TreasuryError::Unreachable("it is gone".to_owned()));
        }
        self.vault.lock().unwrap().claim(claim, (self.now)())
    }
}

struct Fixture {
    hands: Hands,
    bank: Arc<Bank>,
    ledger: Ledger,
}

impl Fixture {
    fn new(budget: Option<u64>) -> Self {
        let hands = Hands::new();
        let mut vault = Vault::default();
        vault.set_budget(budget.map(Micros::new));
        let bank = Arc::new(Bank {
            vault: Mutex::new(vault),
            now: hands.now(),
            asked: AtomicUsize::new(0),
            is_gone: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
        });
        let ledger = Ledger::new(bank.clone(), hands.now());
        Self { hands, bank, ledger }
    }

    async fn reserve(&self, tokens: u64) -> Result<Reservation, Refused> {
        self.ledger.reserve(&caller("ann"), one_each(), Tokens::at_most(0, tokens)).await
    }

    fn asked(&self) -> usize {
        self.bank.asked.load(Ordering::Relaxed)
    }

    fn vault<T>(&self, look: impl Fn(&Vault) -> T) -> T {
        look(&self.bank.vault.lock().unwrap())
    }
}

fn caller(user: &str) -> Caller {
    Caller::new("acme", user, "tutor")
}

/// Each token made costs a millionth, and so does each token read.
fn one_each() -> Price {
    let one = Micros::new(1_000_000);
    Price { currency: Currency::USD, prompt: one, cached_prompt: Micros::ZERO, completion: one }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_at_once_on_one_key_overspend_nothing() {
    const BUDGET: u64 = 300_000;
    let fixture = Arc::new(Fixture::new(Some(BUDGET)));
    let (spent, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let all = (0..1_000_u64).map(|number| {
        let (fixture, spent, refused) = (fixture.clone(), spent.clone(), refused.clone());
        tokio::spawn(async move {
            for round in 0..5 {
                match fixture.reserve(1_000).await {
                    Ok(reservation) => {
                        tokio::task::yield_now().await;
                        let used = (number * 31 + round * 7) % 1_001;
                        let charge = reservation.settle(Tokens::at_most(0, used));
                        spent.fetch_add(charge.cost.get().try_into().unwrap(), Ordering::Relaxed);
                    }
                    Err(Refused::BudgetSpent { .. } | Refused::BudgetHeld) => {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        })
    });
    futures::future::try_join_all(all).await.unwrap();
    let spent = spent.load(Ordering::Relaxed) as u64;
    let refused = refused.load(Ordering::Relaxed);
    println!("spent {spent} of {BUDGET}, {refused} of 5000 refused, {} leases", fixture.asked());
    assert!(spent <= BUDGET && spent > BUDGET / 2, "{spent}");
    assert!(refused > 0);
    assert!(fixture.vault(|vault| vault.billed() <= Micros::new(BUDGET)));
    assert!(fixture.vault(|vault| vault.forgone() == Micros::ZERO));
}

#[tokio::test(start_paused = true)]
async fn who_comes_at_once_shares_few_leases() {
    let fixture = Fixture::new(Some(1_000_000));
    let all = futures::future::join_all((0..100).map(|_| fixture.reserve(10))).await;
    assert!(all.iter().all(Result::is_ok));
    assert!(fixture.asked() <= 3, "{}", fixture.asked());
    let held = fixture.vault(Vault::held);
    drop(all);
    fixture.hands.forward(LIFE);
    let stop = CancellationToken::new();
    stop.cancel();
    fixture.ledger.clone().keep(stop).await;
    assert!(held > Micros::ZERO);
    assert_eq!(fixture.vault(|vault| (vault.held(), vault.billed())), Default::default());
}

#[tokio::test(start_paused = true)]
async fn what_was_not_used_and_what_never_began_is_free_again() {
    let fixture = Fixture::new(Some(1_000));
    let first = fixture.reserve(800).await.unwrap();
    assert_eq!(fixture.reserve(800).await.err(), Some(Refused::BudgetHeld));
    let charge = first.settle(Tokens::at_most(0, 150));
    assert_eq!((charge.cost, charge.tokens.completion), (Micros::new(150), 150));
    drop(fixture.reserve(850).await.unwrap());
    let last = fixture.reserve(850).await.unwrap();
    assert_eq!(last.settle(Tokens::at_most(0, 850)).cost, Micros::new(850));
    fixture.hands.forward(Duration::from_secs(2));
    assert_eq!(fixture.reserve(1).await.err(), Some(Refused::BudgetSpent { renews_at: None }));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_tells_too_much_is_not_believed() {
    let fixture = Fixture::new(Some(1_000));
    let bound = Tokens::at_most(20, 30);
    let reservation = fixture.ledger.reserve(&caller("ann"), one_each(), bound).await.unwrap();
    let charge = reservation.settle(Tokens { prompt: 500, cached: 400, completion: 31 });
    assert_eq!(charge.tokens, Tokens { prompt: 20, cached: 20, completion: 30 });
    assert_eq!(charge.cost, Micros::new(30));
}

#[tokio::test(start_paused = true)]
async fn a_tenant_goes_on_with_its_lease_when_the_treasury_is_gone_until_grace_ends() {
    let fixture = Fixture::new(Some(1_000_000));
    fixture.reserve(100).await.unwrap().settle(Tokens::at_most(0, 100));
    fixture.bank.is_gone.store(true, Ordering::Relaxed);
    let ends = (LIFE + GRACE).saturating_sub(WIND_DOWN);
    fixture.hands.forward(ends.saturating_sub(Duration::from_secs(1)));
    assert!(fixture.reserve(100).await.is_ok());
    let too_much = fixture.reserve(100_000).await.err();
    assert!(matches!(too_much, Some(Refused::LeaseUnavailable { .. })), "{too_much:?}");
    fixture.hands.forward(Duration::from_secs(1));
    let refused = fixture.reserve(100).await.err();
    assert!(matches!(refused, Some(Refused::LeaseUnavailable { .. })), "{refused:?}");
    fixture.bank.is_gone.store(false, Ordering::Relaxed);
    fixture.hands.forward(Duration::from_mins(1));
    assert!(fixture.reserve(100).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_treasury_that_hangs_is_waited_for_a_few_seconds_and_left_alone_for_one() {
    let fixture = Fixture::new(Some(1_000));
    fixture.bank.hangs.store(true, Ordering::Relaxed);
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        let refused = fixture.reserve(100).await.err();
        assert!(matches!(refused, Some(Refused::LeaseUnavailable { .. })), "{refused:?}");
    }
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(fixture.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_ahead_and_given_back_when_nobody_is_about() {
    let fixture = Fixture::new(Some(1_000_000));
    let stop = CancellationToken::new();
    let keeper = tokio::spawn(fixture.ledger.clone().keep(stop.clone()));
    fixture.reserve(100).await.unwrap().settle(Tokens::at_most(0, 60));
    assert!(fixture.vault(Vault::held) > Micros::ZERO);
    fixture.hands.forward(LIFE / 2);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(fixture.asked(), 2);
    assert_eq!(fixture.vault(Vault::billed), Micros::new(60));
    fixture.hands.forward(LIFE);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(fixture.vault(Vault::held), Micros::ZERO);
    stop.cancel();
    keeper.await.unwrap();
    assert!(fixture.reserve(100).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_costs_nothing_needs_no_treasury_and_no_budget_is_no_limit() {
    let fixture = Fixture::new(None);
    fixture.bank.is_gone.store(true, Ordering::Relaxed);
    let free = Price::free(Currency::USD);
    let bound = Tokens::at_most(1_000, 1_000);
    let reservation = fixture.ledger.reserve(&caller("ann"), free, bound).await.unwrap();
    let charge = reservation.settle(bound);
    assert_eq!((charge.cost, charge.holding), (Micros::ZERO, None));
    assert_eq!(fixture.asked(), 0);

    fixture.bank.is_gone.store(false, Ordering::Relaxed);
    let charge = fixture.reserve(u64::MAX / 2).await.unwrap().settle(Tokens::at_most(0, 7));
    assert!(charge.holding.is_some());
    fixture.ledger.refresh("acme").await;
    assert_eq!(fixture.vault(Vault::billed), Micros::new(7));
}

#[tokio::test(start_paused = true)]
async fn a_person_has_so_many_tokens_until_midnight_whatever_others_use() {
    let fixture = Fixture::new(None);
    let limits = Limits { per_user_daily_tokens: Some(100) };
    fixture.ledger.set_limits("acme", limits);
    fixture.ledger.restore("acme", "ann", 20);
    let free = Price::free(Currency::USD);
    let ask = |user: &'static str, tokens| {
        let ledger = fixture.ledger.clone();
        async move { ledger.reserve(&caller(user), free, Tokens::at_most(10, tokens)).await }
    };
    let first = ask("ann", 50).await.unwrap();
    let refused = ask("ann", 20).await.err();
    let renews_in = Duration::from_hours(14);
    assert_eq!(refused, Some(Refused::DailyTokensSpent { left: 20, renews_in }));
    assert!(ask("bob", 90).await.is_ok());
    first.settle(Tokens { prompt: 10, cached: 10, completion: 20 });
    // 20 + 30 are used.
    let over_midnight = ask("ann", 40).await.unwrap();
    assert!(ask("ann", 0).await.is_err());
    fixture.hands.set("2026-03-10T00:00:00Z");
    let today = ask("ann", 90).await.unwrap();
    drop(over_midnight);
    assert!(ask("ann", 0).await.is_err(), "yesterday's tokens do not come back today");
    drop(today);
    assert!(ask("ann", 90).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_a_person_used_today_counts_before_there_is_a_limit_and_after_a_tenant_was_away() {
    let fixture = Fixture::new(None);
    let free = Price::free(Currency::USD);
    let ask = async |tokens| {
        fixture.ledger.reserve(&caller("ann"), free, Tokens::at_most(0, tokens)).await
    };
    ask(60).await.unwrap().settle(Tokens::at_most(0, 60));
    let limits = Limits { per_user_daily_tokens: Some(100) };
    fixture.ledger.set_limits("acme", limits);
    let renews_in = Duration::from_hours(14);
    let spent = |left| Some(Refused::DailyTokensSpent { left, renews_in });
    assert_eq!(ask(41).await.err(), spent(40));
    let under_way = ask(10).await.unwrap();
    fixture.ledger.remove("acme");
    fixture.ledger.set_limits("acme", limits);
    assert_eq!(ask(41).await.err(), spent(30));
    under_way.settle(Tokens::at_most(0, 3));
    assert_eq!(ask(41).await.err(), spent(37));
}

#[tokio::test(start_paused = true)]
async fn a_budget_in_another_currency_ends_what_was_leased_without_a_limit() {
    let (folder, hands) = (tempfile::tempdir().unwrap(), Hands::new());
    let local = Local::open(&folder.path().join("book"), hands.now()).unwrap();
    let ledger = Ledger::new(Arc::new(local.clone()), hands.now());
    let euros = Price { currency: "EUR".parse().unwrap(), ..one_each() };
    let ask = async || ledger.reserve(&caller("ann"), euros, Tokens::at_most(0, 100)).await;
    let under_way = ask().await.unwrap();
    local.set_budget("acme", Some("1.00 USD".parse().unwrap()));
    ledger.refresh("acme").await;
    assert_eq!(ask().await.err(), Some(Refused::Currency));
    hands.forward(Duration::from_mins(2));
    assert_eq!(ask().await.err(), Some(Refused::Currency));
    under_way.settle(Tokens::at_most(0, 100));
    local.set_budget("acme", None);
    ledger.refresh("acme").await;
    hands.forward(Duration::from_mins(1));
    assert!(ask().await.is_ok());
}

/// Ends each holding, slowly.
struct Reluctant;

#[async_trait]
impl Treasury for Reluctant {
    async fn lease(&self, _: &Claim) -> Result<Lease, TreasuryError> {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        Err(TreasuryError::Ended)
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_for_money_than_four_seconds_however_often_it_is_asked_for() {
    let ledger = Ledger::new(Arc::new(Reluctant), Hands::new().now());
    let began = tokio::time::Instant::now();
    let refused = ledger.reserve(&caller("ann"), one_each(), Tokens::at_most(0, 1)).await.err();
    assert!(matches!(refused, Some(Refused::LeaseUnavailable { .. })), "{refused:?}");
    assert_eq!(began.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_keeps_nobody_waiting_and_renews_at_once() {
    let fixture = Fixture::new(Some(1_000));
    assert!(fixture.reserve(10).await.is_ok());
    let refused = fixture.reserve(2_000).await.err();
    assert_eq!(refused, Some(Refused::BudgetSpent { renews_at: None }));
    let asked = fixture.asked();
    fixture.hands.set("2026-03-09T04:00:00Z");
    assert!(fixture.reserve(10).await.is_ok());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fixture.asked(), asked + 1);
}
