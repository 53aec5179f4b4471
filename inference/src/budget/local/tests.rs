use std::sync::Mutex;

use futures::FutureExt;
use uuid::Uuid;

use super::*;
use crate::budget::Allowance;
use crate::prices::Tokens;
use crate::spool::Outcome;

struct Machine {
    folder: tempfile::TempDir,
    at: Arc<Mutex<Timestamp>>,
}

impl Machine {
    fn new() -> Self {
        let at = Arc::new(Mutex::new("2026-03-09T10:00:00Z".parse().unwrap()));
        Self { folder: tempfile::tempdir().unwrap(), at }
    }

    fn set(&self, at: &str) {
        *self.at.lock().unwrap() = at.parse().unwrap();
    }

    fn start(&self) -> Local {
        let at = Arc::clone(&self.at);
        let now: Now = Arc::new(move || *at.lock().unwrap());
        let local = Local::open(&self.folder.path().join("book"), now).unwrap();
        local.set_budget("acme", Some("1.00 USD".parse().unwrap()));
        local
    }

    fn event(&self, cost: u64) -> Event {
        let at = *self.at.lock().unwrap();
        Event {
            id: Uuid::now_v7(),
            tenant: "acme".to_owned(),
            user: "ann".to_owned(),
            agent: "tutor".to_owned(),
            model: "small".to_owned(),
            request: "r".to_owned(),
            tokens: Tokens::at_most(7, 5),
            cost: Micros::new(cost),
            currency: Currency::USD,
            holding: None,
            outcome: Outcome::Finished,
            started_at: at,
            ended_at: at,
        }
    }
}

/// Where a batch ended does not matter here.
fn upto() -> Position {
    Position::default()
}

fn claim(want: u64) -> Claim {
    Claim {
        holding: Uuid::now_v7(),
        number: 1,
        tenant: "acme".to_owned(),
        currency: Currency::USD,
        spent: Micros::ZERO,
        want: Micros::new(want),
    }
}

async fn left(local: &Local) -> Micros {
    match local.lease(&claim(u64::MAX / 2)).await.unwrap().allowance {
        Allowance::UpTo(left) => left,
        Allowance::Unlimited => Micros::MAX,
    }
}

#[tokio::test]
async fn what_was_spent_is_known_after_a_restart_and_counted_once() {
    let machine = Machine::new();
    let batch = [machine.event(300_000), machine.event(100_000)];
    machine.start().deliver(&batch, upto()).await.unwrap();
    let local = machine.start();
    // The answer was lost: the same comes again, with more behind it.
    let more = [batch.clone().to_vec(), vec![machine.event(1)]].concat();
    local.deliver(&more, upto()).await.unwrap();
    local.deliver(&more, upto()).await.unwrap();
    let standing = local.standing("acme", Currency::USD);
    assert_eq!(standing.spent, Micros::new(400_001));
    assert_eq!(standing.renews_at, "2026-04-01T00:00:00Z".parse().unwrap());
    assert_eq!(local.used_today(), [("acme".to_owned(), "ann".to_owned(), 36)]);
    assert_eq!(left(&local).await, Micros::new(599_999));
}

#[tokio::test]
async fn a_month_begins_with_the_whole_budget_and_a_day_with_no_tokens() {
    let machine = Machine::new();
    let local = machine.start();
    local.deliver(&[machine.event(1_000_000)], upto()).await.unwrap();
    assert_eq!(left(&local).await, Micros::ZERO);
    machine.set("2026-03-31T23:59:59Z");
    assert_eq!(local.used_today(), []);
    assert_eq!(left(&local).await, Micros::ZERO);
    machine.set("2026-04-01T00:00:00Z");
    assert_eq!(left(&local).await, Micros::new(1_000_000));
}

#[tokio::test]
async fn a_budget_can_be_lifted_and_set_and_is_in_one_currency() {
    let machine = Machine::new();
    let local = machine.start();
    local.set_budget("acme", None);
    assert_eq!(left(&local).await, Micros::MAX);
    local.set_budget("acme", Some("5 EUR".parse().unwrap()));
    assert_eq!(local.lease(&claim(1)).await, Err(TreasuryError::Currency));
    local.set_budget("acme", Some("0.50 USD".parse().unwrap()));
    assert_eq!(left(&local).await, Micros::new(500_000));
    local.set_budget("acme", Some("-1 USD".parse().unwrap()));
    local.remove("other");
    assert_eq!(local.standing("other", Currency::USD).spent, Micros::ZERO);
}

#[tokio::test]
async fn a_book_that_cannot_be_read_is_put_aside() {
    let machine = Machine::new();
    let book = machine.folder.path().join("book");
    std::fs::write(&book, "half a boo").unwrap();
    let local = machine.start();
    local.deliver(&[machine.event(1)], upto()).await.unwrap();
    assert_eq!(std::fs::read_to_string(book.with_extension("unreadable")).unwrap(), "half a boo");
    assert_eq!(machine.start().standing("acme", Currency::USD).spent, Micros::new(1));
}

#[tokio::test]
async fn usage_that_the_book_cannot_keep_is_not_taken_in() {
    let machine = Machine::new();
    let local = machine.start();
    // In the way of the new book.
    std::fs::create_dir(machine.folder.path().join("book.new")).unwrap();
    let batch = [machine.event(5)];
    local.deliver(&batch, upto()).await.unwrap_err();
    assert_eq!(local.standing("acme", Currency::USD).spent, Micros::ZERO);
    std::fs::remove_dir(machine.folder.path().join("book.new")).unwrap();
    local.deliver(&batch, upto()).await.unwrap();
    assert_eq!(local.standing("acme", Currency::USD).spent, Micros::new(5));
}

#[tokio::test]
async fn a_delivery_that_nobody_waits_for_any_more_ends_before_the_next_one_and_counts_once() {
    let machine = Machine::new();
    let local = machine.start();
    let (mut all, mut sum) = (Vec::new(), 0);
    for cost in 1..=50 {
        all.push(machine.event(cost));
        sum += cost;
        let batch = &all[all.len() - 1..];
        // It is asked once and dropped, with the book half written.
        assert!(local.deliver(batch, upto()).now_or_never().is_none());
        local.deliver(batch, upto()).await.unwrap();
        assert_eq!(local.standing("acme", Currency::USD).spent, Micros::new(sum));
        assert_eq!(machine.start().standing("acme", Currency::USD).spent, Micros::new(sum));
    }
}

#[tokio::test]
async fn what_is_spent_beyond_the_budget_is_told_as_forgone() {
    let machine = Machine::new();
    let local = machine.start();
    local.deliver(&[machine.event(900_000), machine.event(300_000)], upto()).await.unwrap();
    assert_eq!(local.standing("acme", Currency::USD).spent, Micros::new(1_000_000));
    assert_eq!(local.forgone(), [(Currency::USD, Micros::new(200_000))]);
    // The sum is of this process, whatever month or tenant goes.
    machine.set("2026-04-01T00:00:00Z");
    local.remove("acme");
    local.set_budget("acme", Some("0.10 USD".parse().unwrap()));
    local.deliver(&[machine.event(100_001)], upto()).await.unwrap();
    assert_eq!(local.forgone(), [(Currency::USD, Micros::new(200_001))]);
}
