//! A rail that answers at once: what is measured is what we do.

use async_trait::async_trait;
use billing::amount::Amount;
use billing::ledger::{Account, Book, Entry, EventKey, Journal, Party, Posted, store};
use billing::rail::settle::{Books, NoBooking};
use billing::rail::{
    Cash, Kind, LinkTo, Movement, Object, ObjectRef, Order, Page, PaymentRail, PayoutId, Search,
    Standing, Trouble,
};
use blueprint::Slug;
use blueprint::money::{Currency, Money};
use jiff::Timestamp;
use sqlx::PgConnection;

/// As many rows as Stripe puts on a page.
const PAGE: usize = 100;

/// Everything that was told of is there and paid; what is in a payout is what it is given.
pub(crate) struct Played {
    name: Slug,
    movements: Vec<Movement>,
}

pub(crate) fn stripe() -> Slug {
    "stripe".parse().unwrap()
}

/// What an object of this number is worth, in minor units.
pub(crate) fn worth(number: i64) -> i64 {
    1 + number % 5_000
}

impl Played {
    pub(crate) fn new(movements: Vec<Movement>) -> Self {
        Self { name: stripe(), movements }
    }
}

#[async_trait]
impl PaymentRail for Played {
    fn name(&self) -> &Slug {
        &self.name
    }

    fn is_test_money(&self) -> bool {
        true
    }

    async fn send(&self, _: &Order) -> Result<Object, Trouble> {
        Err(Trouble::Refused("nothing is sent here".to_owned()))
    }

    async fn find(&self, _: &Search) -> Result<Option<Object>, Trouble> {
        Ok(None)
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Object, Trouble> {
        let number = object.id.rsplit_once('_').and_then(|(_, number)| number.parse().ok());
        let number = number.ok_or_else(|| Trouble::Refused("no such object".to_owned()))?;
        Ok(Object {
            at_rail: object.clone(),
            kind: Kind::Invoice,
            intent: None,
            standing: Standing::Settled,
            cash: Some(Cash {
                booked_as: format!("txn_{number}"),
                gross: Money::new(worth(number), Currency::USD),
                fee: None,
            }),
            payment: None,
            link: None,
            back: None,
            at: Timestamp::UNIX_EPOCH,
        })
    }

    async fn link(&self, _: &LinkTo) -> Result<String, Trouble> {
        Err(Trouble::Refused("there are no pages".to_owned()))
    }

    async fn movements(&self, _: &PayoutId, after: Option<&str>) -> Result<Page, Trouble> {
        let from = after.map_or(0, |after| after.parse().unwrap());
        let until = self.movements.len().min(from + PAGE);
        let next = (until < self.movements.len()).then(|| until.to_string());
        Ok(Page { movements: self.movements[from..until].to_vec(), next })
    }
}

/// Books what was paid, once for each object.
pub(crate) struct Paid;

#[async_trait]
impl Books for Paid {
    async fn book(
        &self,
        conn: &mut PgConnection,
        rail: &Slug,
        object: &Object,
        now: Timestamp,
    ) -> Result<(), NoBooking> {
        let Some(cash) = &object.cash else { return Ok(()) };
        let amount = Amount::of(cash.gross)?;
        let owed = Account::new(Party::Tenant("acme".parse().unwrap()), Book::Payable);
        let entries = vec![
            Entry::new(Account::new(Party::Rail(rail.clone()), Book::Cash), amount),
            Entry::new(owed, amount.negated()?),
        ];
        let key = EventKey::new("acme", rail.as_str(), &object.at_rail.id);
        let journal = Journal::new(key, "paid", object.at, entries)?;
        match store::post(conn, &journal, now).await? {
            Posted::New(_) | Posted::Again(_) => Ok(()),
            Posted::Conflict(number) => Err(NoBooking::Conflict(number.to_string())),
        }
    }
}
