//! Days of sales, refunds and money taken back, behind a bad line, by two runners at once, while events come
//! doubled and in any order: to the cent.

use billing::amount::Amount;
use billing::ledger::{Account, Book, Entry, seal};
use billing::rail::intent::{self, Booking, Intent, State};
use billing::rail::reconcile::{Window, reconcile};
use billing::rail::settle::transfer_of;
use billing::rail::webhook;
use billing::rail::{IntentId, PaymentRail as _, TransferId, Wish};
use billing::sale::Sold;
use blueprint::money::Money;
use futures::future::join3;
use jiff::SignedDuration;
use sqlx::PgPool;

use crate::shop::{Shop, beginning, creator, event};

/// Numbers from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

struct World {
    shop: Shop,
    chance: Chance,
    sales: Vec<(IntentId, Sold)>,
    decided: u32,
    told: u32,
}

impl World {
    async fn decides(&mut self) {
        self.decided += 1;
        let name = self.decided.to_string();
        let known = self.sales.len();
        if known < 5 || self.chance.below(2) == 0 {
            let price = i64::try_from(100 + self.chance.below(100_000)).unwrap();
            let currency = ["USD", "JPY", "KWD"][self.chance.below(3)].parse().unwrap();
            let (sale, sold) = self.shop.sale(&name, Money::new(price, currency));
            self.shop.decide(&sale).await;
            self.sales.push((sale.id, sold));
            return;
        }
        let at = self.chance.below(known);
        let (id, sold) = &mut self.sales[at];
        let left = sold.left();
        if self.chance.below(3) > 0 {
            let Some(payment) = self.shop.made(*id).await else { return };
            let back = i64::try_from(1 + self.chance.below(5_000)).unwrap().min(left.amount());
            if back > 0 {
                let back = Money::new(back, left.currency());
                let refund = self.shop.refund(&name, &payment, sold, back);
                self.shop.decide(&refund).await;
            }
        } else if let Some(taken) = take_back(&self.shop, *id, &name).await {
            self.shop.decide(&taken).await;
        }
    }

    /// What is done is told, twice, in any order.
    async fn tells(&mut self) {
        let mut told = Vec::new();
        for (id, _) in &self.sales {
            if self.chance.below(4) > 0 {
                continue;
            }
            self.told += 1;
            let object = format!("test_payment_{}", id.uuid().simple());
            let one = event(&format!("evt_{}", self.told), "payment", &object);
            told.extend([one.clone(), one]);
        }
        for last in (1..told.len()).rev() {
            told.swap(last, self.chance.below(last + 1));
        }
        for some in told.chunks(7) {
            let mut tx = self.shop.db.begin().await.unwrap();
            webhook::store(&mut tx, self.shop.rail.name(), some, self.shop.clock.now())
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
    }
}

/// The creator hands back a tenth of what they had of a sale.
async fn take_back(shop: &Shop, sale: IntentId, name: &str) -> Option<Intent> {
    let transfer = transfer_of(sale, 0);
    let mut conn = shop.db.acquire().await.unwrap();
    let (state, object) = intent::get(&mut conn, transfer).await.unwrap()?;
    let object = object.filter(|_| state == State::Done)?;
    let moved = object.cash?.gross;
    let amount = Money::new(-moved.amount() / 10, moved.currency());
    if amount.amount() == 0 {
        return None;
    }
    let micros = Amount::of(amount).unwrap();
    let cash = Account::new(billing::ledger::Party::Rail(shop.rail.name().clone()), Book::Cash);
    let entries = vec![
        Entry::new(cash, micros),
        Entry::new(Account::new(creator(), Book::Payable), micros.negated().unwrap()),
    ];
    Some(Intent {
        id: IntentId::of(&["take back", name]),
        tenant: "acme".to_owned(),
        rail: shop.rail.name().clone(),
        wish: Wish::TakeBack { transfer: TransferId::new(object.at_rail.id).unwrap(), amount },
        booking: Some(Booking::new("taken back", entries).unwrap()),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a soak goes on for longer, from a seed that is told"
)]
fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |value| value.parse().unwrap())
}

#[sqlx::test(migrations = false)]
async fn whatever_the_line_does_what_moved_is_what_the_ledger_says(db: PgPool) {
    let seed = from_environment("SOULFRA_SEED", 20_261_123);
    let rounds = from_environment("SOULFRA_RAIL_ROUNDS", 60);
    let shop = Shop::open(&db).await;
    shop.rail.storms(seed);
    let other = shop.runner.clone();
    let mut world = World { shop, chance: Chance(seed), sales: Vec::new(), decided: 0, told: 0 };
    for _ in 0..rounds {
        for _ in 0..5 {
            world.decides().await;
        }
        world.tells().await;
        let shop = &world.shop;
        let (one, two, looked) =
            Box::pin(join3(shop.runner.turn(), other.turn(), shop.looker.turn())).await;
        one.unwrap();
        two.unwrap();
        looked.unwrap();
        let wait = match world.chance.below(12) {
            0 => SignedDuration::from_hours(30),
            1..4 => SignedDuration::from_hours(1),
            _ => SignedDuration::from_secs(20),
        };
        world.shop.clock.advance(wait);
    }
    let shop = &world.shop;
    let (faults, requests) = (shop.rail.faults(), shop.rail.requests());
    shop.rail.is_calm();
    shop.drain().await;
    for open in [State::Waiting, State::Sent, State::Unknown] {
        assert_eq!(shop.count(open).await, 0, "seed {seed}: {open:?}");
    }
    assert_eq!(shop.rail.late(), 0, "seed {seed}: sent under keys that were gone");
    shop.agrees().await;
    let days = shop.clock.now().duration_since(beginning()).as_hours() / 24;
    let mut clean = 0;
    for currency in ["USD", "JPY", "KWD"] {
        let Some(payout) = shop.rail.money.pay_out(currency.parse().unwrap()).await.unwrap() else {
            continue;
        };
        shop.drain().await;
        let now = shop.clock.now() + SignedDuration::from_secs(1);
        let window = Window { since: now, until: now };
        let report = reconcile(&db, &*shop.rail, &payout, window, now).await.unwrap();
        assert!(report.is_clean(), "seed {seed}: {report:?}");
        clean += report.agreed;
    }
    shop.agrees().await;
    let mut tx = db.begin().await.unwrap();
    while seal::seal(&mut tx, shop.clock.now()).await.unwrap() > 0 {}
    assert_eq!(seal::verify(&mut tx).await.unwrap(), []);
    println!(
        "counted: {} decisions, {requests} requests of which {faults} went wrong, {days} days, {} done and {} refused, \
         seed {seed}: {clean} rows agree, 0 lost, 0 doubled, 0 unknown",
        world.decided,
        shop.count(State::Done).await,
        shop.count(State::Refused).await,
    );
    assert!(faults > 20, "{faults} faults");
}
