//! Somebody who sells, gives back and takes back, and all that works for them.

use std::sync::Arc;

use billing::amount::Amount;
use billing::ledger::{Account, Book, Entry, EventKey, Journal, Party, store};
use billing::rail::intent::{self, Booking, Intent, State};
use billing::rail::limits::Limits;
use billing::rail::runner::{Runner, Turn};
use billing::rail::settle::PayoutsOnly;
use billing::rail::test_money::TestMoney;
use billing::rail::webhook::{Delivery, Looker};
use billing::rail::{
    CustomerId, IntentId, Merchant, PaymentId, PaymentRail as _, Receiver, Sale, SellerId, Wish,
};
use billing::sale::{Sale as Sold1, Sold};
use billing::split::Rule;
use blueprint::money::{Bps, Currency, Money};
use jiff::{SignedDuration, Timestamp};
use sqlx::PgPool;
use uuid::Uuid;
use work::Clock;

use crate::migrated;
use crate::stormy::Stormy;

pub(crate) struct Shop {
    pub(crate) db: PgPool,
    pub(crate) clock: Clock,
    pub(crate) rail: Arc<Stormy>,
    pub(crate) runner: Runner,
    pub(crate) looker: Looker,
}

pub(crate) fn usd(text: &str) -> Money {
    format!("{text} USD").parse().unwrap()
}

pub(crate) fn beginning() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

pub(crate) fn tenant() -> Party {
    Party::Tenant("acme".parse().unwrap())
}

pub(crate) fn creator() -> Party {
    Party::Creator("acme".parse().unwrap(), Uuid::from_u128(42))
}

impl Shop {
    pub(crate) async fn open(db: &PgPool) -> Self {
        migrated(db).await;
        let clock = Clock::fixed(beginning());
        let base = "http://localhost:4000";
        let money = TestMoney::new("test".parse().unwrap(), db.clone(), clock.clone(), base);
        let rail = Arc::new(Stormy::new(money, clock.clone()));
        let limits = Limits::TEST_MONEY;
        let runner = Runner { db: db.clone(), rail: rail.clone(), limits, clock: clock.clone() };
        let looker = Looker {
            db: db.clone(),
            rail: rail.clone(),
            books: Arc::new(PayoutsOnly),
            limits,
            clock: clock.clone(),
        };
        Self { db: db.clone(), clock, rail, runner, looker }
    }

    /// Of a price the creator is to have 70 %, the tenant the rest less our 15 %.
    pub(crate) fn sale(&self, name: &str, price: Money) -> (Intent, Sold) {
        let shares = vec![(creator(), Bps::new(7_000).unwrap())];
        let rule = Rule::new(shares, tenant(), Bps::percent(15)).unwrap();
        let tax = Money::new(price.amount() / 5, price.currency());
        let rail = Party::Rail(self.rail.name().clone());
        let decided = Sold1 { tenant: "acme".parse().unwrap(), rail, price, tax };
        let key = EventKey::new("acme", "shop", name);
        let (sold, journal) = decided.sell(&rule, (key, self.clock.now())).unwrap();
        let account = SellerId::new("acct_tenant").unwrap();
        let receiver = |who: Party, account: &str| Receiver {
            amount: sold.parts().of(&who),
            who,
            account: SellerId::new(account).unwrap(),
        };
        let receivers =
            vec![receiver(creator(), "acct_creator"), receiver(tenant(), "acct_tenant")];
        let receivers = receivers.into_iter().filter(|one| one.amount.amount() > 0).collect();
        let sale = Sale {
            customer: CustomerId::new("cus_1").unwrap(),
            by: None,
            label: "An agent".to_owned(),
            price,
            tax,
            merchant: Merchant::OnBehalfOf { account, receivers },
        };
        let intent = Intent {
            id: IntentId::of(&["sale", name]),
            tenant: "acme".to_owned(),
            rail: self.rail.name().clone(),
            wish: Wish::Sale { sale },
            booking: Some(Booking::of(&journal)),
        };
        (intent, sold)
    }

    pub(crate) fn refund(&self, name: &str, payment: &str, sold: &mut Sold, back: Money) -> Intent {
        let key = EventKey::new("acme", "shop", name);
        let journal = sold.refund(back, (key, self.clock.now())).unwrap();
        Intent {
            id: IntentId::of(&["refund", name]),
            tenant: "acme".to_owned(),
            rail: self.rail.name().clone(),
            wish: Wish::Refund {
                payment: PaymentId::new(payment).unwrap(),
                amount: back,
                direct: None,
            },
            booking: Some(Booking::of(&journal)),
        }
    }

    /// Writes it beside the journal of its decision, as whoever decides does.
    pub(crate) async fn decide(&self, intent: &Intent) {
        let mut tx = self.db.begin().await.unwrap();
        let one = Amount::new(1, Currency::USD);
        let factory = |book| Account::new(Party::Factory, book);
        let entries = vec![
            Entry::new(factory(Book::Rounding), one),
            Entry::new(factory(Book::Revenue), one.negated().unwrap()),
        ];
        let key = EventKey::new("acme", "shop", intent.id.to_string());
        let journal = Journal::new(key, "decided", beginning(), entries).unwrap();
        store::post(&mut tx, &journal, self.clock.now()).await.unwrap();
        intent::write(&mut tx, std::slice::from_ref(intent), self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn turn(&self) -> Turn {
        self.runner.turn().await.unwrap()
    }

    pub(crate) async fn state(&self, id: IntentId) -> State {
        let mut conn = self.db.acquire().await.unwrap();
        intent::get(&mut conn, id).await.unwrap().unwrap().0
    }

    /// What the rail calls what it made of an intent that is done.
    pub(crate) async fn made(&self, id: IntentId) -> Option<String> {
        let mut conn = self.db.acquire().await.unwrap();
        let (state, object) = intent::get(&mut conn, id).await.unwrap().unwrap();
        object.filter(|_| state == State::Done).map(|object| object.at_rail.id)
    }

    /// Goes on, hour by hour, until nothing is to be done any more.
    pub(crate) async fn drain(&self) {
        for _ in 0..2_000 {
            let mut conn = self.db.acquire().await.unwrap();
            let due = intent::next_due(&mut conn, self.rail.name()).await.unwrap();
            let told = sqlx::query_scalar::<_, i64>(
                "select count(*) from billing.told where parked_at is null",
            );
            let told = told.fetch_one(&mut *conn).await.unwrap();
            drop(conn);
            if due.is_none() && told == 0 {
                return;
            }
            let wait = due.map(|due| due.duration_since(self.clock.now()));
            let wait = wait.unwrap_or_default().max(SignedDuration::from_secs(60));
            self.clock.advance(wait);
            self.turn().await;
            self.looker.turn().await.unwrap();
        }
        panic!("something is never done");
    }

    /// What moved at the rail, in minor units, is what the ledger says, in each currency.
    pub(crate) async fn agrees(&self) -> i64 {
        let moved = sqlx::query_as::<_, (String, i64)>(
            "select currency, sum(gross)::bigint from billing.test_money
             where has_moved and gross <> 0 group by currency",
        );
        let mut conn = self.db.acquire().await.unwrap();
        let mut all = 0;
        for (currency, minor) in moved.fetch_all(&mut *conn).await.unwrap() {
            let currency: Currency = currency.parse().unwrap();
            let cash = Account::new(Party::Rail(self.rail.name().clone()), Book::Cash);
            let booked = store::balance(&mut conn, &cash, currency).await.unwrap();
            let micros = Amount::of(Money::new(minor, currency)).unwrap().micros();
            assert_eq!(booked, i128::from(micros), "{currency}");
            all += minor;
        }
        all
    }

    /// How many are in a state.
    pub(crate) async fn count(&self, state: State) -> i64 {
        let mut conn = self.db.acquire().await.unwrap();
        let counts = intent::count(&mut conn, self.rail.name()).await.unwrap();
        counts.into_iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| count)
    }
}

/// An event of an object, as a rail tells it.
pub(crate) fn event(id: &str, word: &str, object: &str) -> Delivery {
    let body = format!(
        r#"{{"id":"{id}","type":"{word}.changed","created":1790000000,"api_version":"2026-09-30.endive",
            "data":{{"object":{{"id":"{object}","object":"{word}"}}}}}}"#
    );
    Delivery::new(body.into_bytes())
}
