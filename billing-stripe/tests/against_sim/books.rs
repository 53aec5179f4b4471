//! Who books what is of no intent of ours, as plainly as it can be: each on one account beside the rail's.

use async_trait::async_trait;
use billing::amount::Amount;
use billing::ledger::{Account, Book, Entry, EventKey, Journal, Party, Posted, store};
use billing::rail::settle::{Books, NoBooking, PayoutsOnly};
use billing::rail::{Cash, Kind, Object, Standing};
use blueprint::{Money, Slug};
use jiff::Timestamp;
use sqlx::PgConnection;

/// Books payouts, disputes and what subscriptions are paid.
pub(crate) struct Keeper;

/// What is booked, of what, and where beside the rail's cash.
struct Row<'a> {
    event: String,
    what: &'a str,
    moved: Money,
    book: Book,
}

#[async_trait]
impl Books for Keeper {
    async fn book(
        &self,
        conn: &mut PgConnection,
        rail: &Slug,
        object: &Object,
        now: Timestamp,
    ) -> Result<(), NoBooking> {
        let rows = match (object.kind, &object.cash) {
            (Kind::Payout, _) => return PayoutsOnly.book(conn, rail, object, now).await,
            (Kind::Dispute, Some(cash)) => {
                let mut rows = of_cash("dispute", cash, Book::Receivable);
                rows.extend(object.back.map(|moved| Row {
                    event: format!("{}:back", cash.booked_as),
                    what: "dispute won",
                    moved,
                    book: Book::Receivable,
                }));
                rows
            }
            (Kind::Invoice, Some(cash)) if object.standing == Standing::Settled => {
                of_cash("renewal", cash, Book::Revenue)
            }
            _ => return Ok(()),
        };
        for Row { event, what, moved, book } in rows {
            let amount = Amount::of(moved)?;
            let cash = Account::new(Party::Rail(rail.clone()), Book::Cash);
            let entries = vec![
                Entry::new(cash, amount),
                Entry::new(Account::new(Party::Factory, book), amount.negated()?),
            ];
            let key = EventKey::new("control", rail.as_str(), event);
            let journal = Journal::new(key, what, object.at, entries)?;
            if let Posted::Conflict(_) = store::post(conn, &journal, now).await? {
                return Err(NoBooking::Conflict(journal.key().event.clone()));
            }
        }
        Ok(())
    }
}

fn of_cash<'a>(what: &'a str, cash: &Cash, book: Book) -> Vec<Row<'a>> {
    let mut rows = vec![Row { event: cash.booked_as.clone(), what, moved: cash.gross, book }];
    rows.extend(cash.fee.filter(|fee| fee.amount() != 0).map(|fee| Row {
        event: format!("{}:fee", cash.booked_as),
        what: "rail fee",
        moved: Money::new(-fee.amount(), fee.currency()),
        book: Book::Cost,
    }));
    rows
}
