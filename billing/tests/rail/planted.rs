//! What others' billing is known to get wrong with events: `docs/billing-bugs.md` says whose each was.

use std::sync::Arc;

use async_trait::async_trait;
use billing::amount::Amount;
use billing::ledger::{Account, Book, Entry, EventKey, Journal, Party, store as ledger};
use billing::rail::settle::{Books, NoBooking};
use billing::rail::webhook::{look_again, parked, store};
use billing::rail::{Object, ObjectRef, PaymentRail as _};
use blueprint::Slug;
use blueprint::money::Currency;
use jiff::{SignedDuration, Timestamp};
use sqlx::{PgConnection, PgPool};

use crate::shop::{Shop, beginning, event, usd};

/// Books a dollar for each object but one, of which it says no each time.
struct AllBut(String);

#[async_trait]
impl Books for AllBut {
    async fn book(
        &self,
        conn: &mut PgConnection,
        rail: &Slug,
        object: &Object,
        now: Timestamp,
    ) -> Result<(), NoBooking> {
        if object.at_rail.id == self.0 {
            return Err(NoBooking::Other("this organization cannot be billed".to_owned()));
        }
        let dollar = Amount::new(1_000_000, Currency::USD);
        let entries = vec![
            Entry::new(Account::new(Party::Factory, Book::Cost), dollar),
            Entry::new(Account::new(Party::Factory, Book::Revenue), dollar.negated()?),
        ];
        let key = EventKey::new("acme", rail.as_str(), &object.at_rail.id);
        let journal = Journal::new(key, "seen", beginning(), entries)?;
        ledger::post(conn, &journal, now).await?;
        Ok(())
    }
}

#[sqlx::test(migrations = false)]
async fn one_that_can_never_be_booked_holds_up_nobody_else(db: PgPool) {
    let mut shop = Shop::open(&db).await;
    let name = shop.rail.name().clone();
    let mut payouts = Vec::new();
    for number in 0..5 {
        let (sale, _) = shop.sale(&number.to_string(), usd("10.00"));
        shop.decide(&sale).await;
        shop.drain().await;
        payouts.push(shop.rail.money.pay_out(Currency::USD).await.unwrap().unwrap());
    }
    sqlx::query("delete from billing.told").execute(&db).await.unwrap();
    shop.looker.books = Arc::new(AllBut(payouts[0].as_str().to_owned()));
    let told: Vec<_> = (0..5)
        .map(|number| event(&format!("evt_{number}"), "payout", payouts[number].as_str()))
        .collect();
    let mut conn = db.acquire().await.unwrap();
    store(&mut conn, &name, &told, shop.clock.now()).await.unwrap();
    let looked = shop.looker.turn().await.unwrap();
    assert_eq!((looked.done, looked.again), (4, 1), "in the same turn");
    for _ in 0..20 {
        shop.clock.advance(SignedDuration::from_hours(2));
        // Somebody else's are seen to at once each time, however often that one fails.
        let other = ObjectRef {
            word: "payout".to_owned(),
            id: payouts[1].as_str().to_owned(),
            account: None,
        };
        look_again(&mut conn, &name, &other, shop.clock.now()).await.unwrap();
        assert_eq!(shop.looker.turn().await.unwrap().done, 1);
    }
    let given_up = parked(&mut conn, &name, 10).await.unwrap();
    let given_up: Vec<_> = given_up.iter().map(|parked| parked.object.id.as_str()).collect();
    assert_eq!(given_up, [payouts[0].as_str()]);
    let seen = Account::new(Party::Factory, Book::Cost);
    let seen = ledger::balance(&mut conn, &seen, Currency::USD).await.unwrap();
    assert_eq!(seen, 4_000_000, "each once");
}
