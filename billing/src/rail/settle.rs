//! What a rail's object means to the intent that made it, and to the ledger: whoever learns of it first books
//! it, in one transaction, once.

use async_trait::async_trait;
use blueprint::Slug;
use jiff::Timestamp;
use sqlx::PgConnection;

use super::intent::{self, Booking, Intent, NoIntent, Row, State};
use super::{IntentId, Kind, NoId, Object, PaymentId, Receiver, Standing, Wish};
use crate::amount::{Amount, AmountError};
use crate::ledger::{Account, Book, Entry, EventKey, Journal, NoJournal, Party, Posted, store};

/// Why what a rail says cannot be booked. Nothing is, then.
#[derive(Debug, thiserror::Error)]
pub enum NoBooking {
    /// It moved another amount than was decided.
    #[error("the rail moved {moved} for intent {intent}, and {agreed} was decided")]
    NotAsAgreed {
        /// Which.
        intent: IntentId,
        /// By the rail.
        moved: Amount,
        /// By us.
        agreed: Amount,
    },
    /// The same event was booked before, and said something else.
    #[error("{0} was booked before and said something else")]
    Conflict(String),
    /// It is of no intent of ours.
    #[error("the rail names intent {0}, which is none of ours")]
    NoIntent(IntentId),
    /// It moved nothing that we know of, and something was decided.
    #[error("the rail did not say what it moved for intent {0}")]
    Nothing(IntentId),
    /// Its amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// Its entries.
    #[error(transparent)]
    Journal(#[from] NoJournal),
    /// What follows of it.
    #[error(transparent)]
    Follows(#[from] NoIntent),
    /// Its name.
    #[error(transparent)]
    Id(#[from] NoId),
    /// Whoever keeps other books.
    #[error("{0}")]
    Other(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Who books what is of no intent: payouts, disputes, renewals of subscriptions. It writes in the transaction
/// it is given, and what it is told again it writes once.
#[async_trait]
pub trait Books: Send + Sync {
    /// What this means.
    ///
    /// # Errors
    /// [`NoBooking`]: nothing of the transaction stays, and it is told again.
    async fn book(
        &self,
        conn: &mut PgConnection,
        rail: &Slug,
        object: &Object,
        now: Timestamp,
    ) -> Result<(), NoBooking>;
}

/// Of what is of no intent, books what leaves for our own bank, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct PayoutsOnly;

#[async_trait]
impl Books for PayoutsOnly {
    async fn book(
        &self,
        conn: &mut PgConnection,
        rail: &Slug,
        object: &Object,
        now: Timestamp,
    ) -> Result<(), NoBooking> {
        let (Kind::Payout, Some(cash)) = (object.kind, &object.cash) else { return Ok(()) };
        let amount = Amount::of(cash.gross)?;
        let entries = vec![
            Entry::new(cash_of(rail), amount),
            Entry::new(Account::new(Party::Factory, Book::Cash), amount.negated()?),
        ];
        let payout = Booking::new("payout", entries)?;
        // It has left what the rail holds as soon as it is on its way, and is there again when the bank does not
        // take it, which may be after it was said to have arrived.
        let key = EventKey::new("control", rail.as_str(), &cash.booked_as);
        post(conn, &payout.journal(key, object.at)?, now).await?;
        if let Standing::Failed(_) = object.standing {
            let key = EventKey::new("control", rail.as_str(), format!("{}:undone", cash.booked_as));
            post(conn, &payout.undone(key, object.at)?, now).await?;
        }
        Ok(())
    }
}

/// What the rail holds for us.
pub(super) fn cash_of(rail: &Slug) -> Account {
    Account::new(Party::Rail(rail.clone()), Book::Cash)
}

/// Learns what became of an intent of ours from what the rail has of it now. False where it is of none, or of one
/// that made more than was wished: invoices of a subscription.
///
/// # Errors
/// [`NoBooking`]
pub(super) async fn learn(
    conn: &mut PgConnection,
    rail: &Slug,
    object: &Object,
    now: Timestamp,
) -> Result<bool, NoBooking> {
    let Some(id) = object.intent else { return Ok(false) };
    let row = intent::lock(conn, id).await?.filter(|row| row.intent.rail == *rail);
    let row = row.ok_or(NoBooking::NoIntent(id))?;
    // Of a page to pay on one payment may fail, and the next one not.
    let is_of_page =
        matches!((&row.intent.wish, object.kind), (Wish::Checkout { .. }, Kind::Payment));
    let is_told_by_page = is_of_page && object.standing != Standing::Settled;
    if is_told_by_page {
        return Ok(true);
    }
    if !is_what_was_wished(&row, object.kind) {
        return Ok(false);
    }
    match &object.standing {
        Standing::Settled => settle(conn, &row, object, now).await?,
        // An older look than the one that saw it settled.
        Standing::Open if row.settled => {}
        Standing::Open | Standing::Ended => intent::done(conn, id, object, None).await?,
        Standing::Failed(why) => fail(conn, &row, object, why, now).await?,
    }
    Ok(true)
}

/// A page to pay on makes a payment, which names the same intent: it settles it too.
const fn is_what_was_wished(row: &Row, kind: Kind) -> bool {
    match &row.intent.wish {
        Wish::Customer { .. } => matches!(kind, Kind::Customer),
        Wish::Seller { .. } => matches!(kind, Kind::Seller),
        Wish::Checkout { .. } => matches!(kind, Kind::Checkout | Kind::Payment),
        Wish::Sale { .. } => matches!(kind, Kind::Payment),
        Wish::Subscription { .. } | Wish::Cancel { .. } => matches!(kind, Kind::Subscription),
        Wish::InvoiceFee { .. } => matches!(kind, Kind::Invoice),
        Wish::Refund { .. } => matches!(kind, Kind::Refund),
        Wish::Transfer { .. } => matches!(kind, Kind::Transfer),
        Wish::TakeBack { .. } => matches!(kind, Kind::TakeBack),
    }
}

async fn settle(
    conn: &mut PgConnection,
    row: &Row,
    object: &Object,
    now: Timestamp,
) -> Result<(), NoBooking> {
    let Intent { id, tenant, rail, booking, .. } = &row.intent;
    // Undone by the rail, after it was booked: an older look says nothing any more.
    if row.settled && row.state == State::Refused {
        return Ok(());
    }
    if let Some(cash) = &object.cash {
        if !row.settled {
            let key = EventKey::new(tenant, rail.as_str(), &cash.booked_as);
            let moved = Amount::of(cash.gross)?;
            let journal = agreed(row, booking.as_ref(), moved)?.journal(key, object.at)?;
            post(conn, &journal, now).await?;
        }
        if let Some(fee) = cash.fee.filter(|fee| fee.amount() != 0) {
            let fee = Amount::of(fee)?;
            let entries = vec![
                Entry::new(cash_of(rail), fee.negated()?),
                Entry::new(Account::new(Party::Factory, Book::Cost), fee),
            ];
            // A part of the same thing: the rail's account has both in one row.
            let key = EventKey::new(tenant, rail.as_str(), format!("{}:fee", cash.booked_as));
            post(conn, &Journal::new(key, "rail fee", object.at, entries)?, now).await?;
        }
    } else if booking.is_some() {
        return Err(NoBooking::Nothing(*id));
    }
    if !row.settled {
        pass_on(conn, row, object, now).await?;
    }
    intent::done(conn, *id, object, Some(now)).await?;
    Ok(())
}

/// What was decided, where it is what the rail moved.
fn agreed<'a>(
    row: &Row,
    booking: Option<&'a Booking>,
    moved: Amount,
) -> Result<&'a Booking, NoBooking> {
    let decided = booking.map_or(0, |booking| booking.on(&cash_of(&row.intent.rail)));
    match booking {
        Some(booking) if decided == moved.micros() => Ok(booking),
        _ => {
            let agreed = Amount::new(decided, moved.currency());
            Err(NoBooking::NotAsAgreed { intent: row.intent.id, moved, agreed })
        }
    }
}

/// Those who have a part in what was paid are handed it: an intent for each, whose id is of this one.
async fn pass_on(
    conn: &mut PgConnection,
    row: &Row,
    object: &Object,
    now: Timestamp,
) -> Result<(), NoBooking> {
    let Intent { id, tenant, rail, wish, .. } = &row.intent;
    let receivers = wish.receivers();
    if receivers.is_empty() {
        return Ok(());
    }
    let payment = match &object.cash {
        Some(cash) => PaymentId::new(&cash.booked_as)?,
        None => return Err(NoBooking::Nothing(*id)),
    };
    let mut transfers = Vec::with_capacity(receivers.len());
    for (place, Receiver { who, account, amount }) in receivers.iter().enumerate() {
        let part = Amount::of(*amount)?;
        let entries = vec![
            Entry::new(cash_of(rail), part.negated()?),
            Entry::new(Account::new(who.clone(), Book::Payable), part),
        ];
        transfers.push(Intent {
            id: transfer_of(*id, place),
            tenant: tenant.clone(),
            rail: rail.clone(),
            wish: Wish::Transfer { payment: payment.clone(), to: account.clone(), amount: *amount },
            booking: Some(Booking::new("passed on", entries)?),
        });
    }
    Ok(intent::write(conn, &transfers, now).await?)
}

/// The intent by which the receiver at this place is handed their part of a sale.
pub fn transfer_of(sale: IntentId, place: usize) -> IntentId {
    IntentId::of(&["pass on", &sale.to_string(), &place.to_string()])
}

async fn fail(
    conn: &mut PgConnection,
    row: &Row,
    object: &Object,
    why: &str,
    now: Timestamp,
) -> Result<(), NoBooking> {
    let Intent { id, tenant, rail, booking, .. } = &row.intent;
    if let (true, Some(booking), Some(cash)) = (row.settled, booking, &object.cash) {
        // It had moved and moved back, such as a refund that a bank did not take.
        let key = EventKey::new(tenant, rail.as_str(), format!("{}:undone", cash.booked_as));
        post(conn, &booking.undone(key, object.at)?, now).await?;
    }
    Ok(intent::refuse(conn, *id, why).await?)
}

async fn post(conn: &mut PgConnection, journal: &Journal, now: Timestamp) -> Result<(), NoBooking> {
    match store::post(conn, journal, now).await? {
        Posted::New(_) | Posted::Again(_) => Ok(()),
        Posted::Conflict(_) => Err(NoBooking::Conflict(journal.key().event.clone())),
    }
}
