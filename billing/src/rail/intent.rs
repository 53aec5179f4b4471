//! Intents: what is to be done at a rail, from its decision to what came of it.
//!
//! ```text
//! waiting -> sent -> done                the rail answered; its money is booked when it has moved
//!                 -> refused             it will never be done
//!                 -> waiting             nothing was done, and it is tried again
//!                 -> unknown -> ...      somebody sent it and did not hear: the same key, or a look
//! ```
//! Rows are written by [`write()`], in the transaction that also takes the event and posts the journal of what was
//! decided ([`store::post`](crate::ledger::store::post)): none of them is there without the others.

use blueprint::{Currency, Slug};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::limits::{Endpoint, LEASE, Limits, wait};
use super::{IntentId, NoWish, Object, Trouble, Wish, limits};
use crate::amount::Amount;
use crate::ledger::{Account, Entry, EventKey, Journal, NoJournal};

/// So often one that was never done is made anew in its own place.
const MOST_TURNS: i16 = 7;
const LONGEST_CAUSE: usize = 2_000;

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Made once, by whoever decides: the same decision has the same id.
    pub id: IntentId,
    /// Whose journals it makes.
    pub tenant: String,
    /// Who does it.
    pub rail: Slug,
    /// What.
    pub wish: Wish,
    /// What the ledger says once it is done, where it moves money.
    pub booking: Option<Booking>,
}

/// A journal whose event the rail will name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    what: String,
    /// On which account how many millionths of what.
    entries: Vec<(Account, i64, Currency)>,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It is to be sent.
    Waiting,
    /// Somebody sends it now.
    Sent,
    /// Somebody sent it; what became of it is not known.
    Unknown,
    /// The rail did it.
    Done,
    /// It will not be done.
    Refused,
}

/// Why it cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum NoIntent {
    /// It cannot be wished.
    #[error(transparent)]
    Wish(#[from] NoWish),
    /// The same id says something else.
    #[error("intent {0} was decided before, and was something else")]
    Another(IntentId),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Booking {
    /// What a journal says, without its event and time.
    pub fn of(journal: &Journal) -> Self {
        let entries = journal.entries().iter();
        Self {
            what: journal.what().to_owned(),
            entries: entries
                .map(|Entry { account, amount }| {
                    (account.clone(), amount.micros(), amount.currency())
                })
                .collect(),
        }
    }

    /// These entries.
    ///
    /// # Errors
    /// [`NoJournal`]: no journal says this.
    pub fn new(what: impl Into<String>, entries: Vec<Entry>) -> Result<Self, NoJournal> {
        let key = EventKey::new("control", "intent", "intent");
        Ok(Self::of(&Journal::new(key, what, Timestamp::UNIX_EPOCH, entries)?))
    }

    /// What it moves on one account, in millionths.
    pub fn on(&self, account: &Account) -> i64 {
        let there = self.entries.iter().filter(|(whose, ..)| whose == account);
        there.fold(0, |sum, (_, micros, _)| sum.saturating_add(*micros))
    }

    /// As it happened.
    pub(super) fn journal(&self, key: EventKey, at: Timestamp) -> Result<Journal, NoJournal> {
        let entry = |(account, micros, currency): &(Account, i64, Currency)| {
            Entry::new(account.clone(), Amount::new(*micros, *currency))
        };
        Journal::new(key, self.what.clone(), at, self.entries.iter().map(entry).collect())
    }

    /// As it was undone.
    pub(super) fn undone(&self, key: EventKey, at: Timestamp) -> Result<Journal, NoJournal> {
        let back = |(account, micros, currency): &(Account, i64, Currency)| {
            Entry::new(account.clone(), Amount::new(micros.saturating_neg(), *currency))
        };
        let entries = self.entries.iter().map(back).collect();
        Journal::new(key, format!("{} undone", self.what), at, entries)
    }
}

impl State {
    const ALL: [Self; 5] = [Self::Waiting, Self::Sent, Self::Unknown, Self::Done, Self::Refused];

    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// Writes what was decided, each once: one that is there already and says the same is left as it is.
///
/// # Errors
/// [`NoIntent`]; the transaction is not to be committed then.
pub async fn write(
    conn: &mut PgConnection,
    intents: &[Intent],
    now: Timestamp,
) -> Result<(), NoIntent> {
    for intent in intents {
        intent.wish.check()?;
        let (wish, booking) = (json(&intent.wish)?, intent.booking.as_ref().map(json).transpose()?);
        let written = sqlx::query!(
            "insert into billing.intent (id, tenant, rail, endpoint, wish, booking, next_at, made_at)
             values ($1, $2, $3, $4, $5, $6, $7, $7) on conflict (id) do nothing",
            intent.id.uuid(),
            intent.tenant,
            intent.rail.as_str(),
            intent.wish.endpoint().as_str(),
            wish,
            booking,
            now.to_sqlx() as _,
        );
        if written.execute(&mut *conn).await?.rows_affected() == 1 {
            continue;
        }
        let same = sqlx::query_scalar!(
            r#"select (tenant, rail, wish) = ($2, $3, $4) and booking is not distinct from $5 as "same!"
               from billing.intent where id = $1"#,
            intent.id.uuid(),
            intent.tenant,
            intent.rail.as_str(),
            wish,
            booking,
        );
        if !same.fetch_one(&mut *conn).await? {
            return Err(NoIntent::Another(intent.id));
        }
    }
    Ok(())
}

/// One that this runner holds until its lease runs out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub id: IntentId,
    pub wish: Wish,
    pub attempts: i32,
    /// When it was first sent: now, where nobody did before.
    pub sent_at: Timestamp,
    /// Somebody sent it before and did not hear what became of it.
    pub doubt: bool,
    fence: i64,
}

/// Takes what is due, the longest due first, no more than the rail takes now and at most so many; for as long
/// as [`LEASE`]. In a transaction of its own.
pub(super) async fn claim(
    conn: &mut PgConnection,
    rail: &Slug,
    limits: Limits,
    most: u32,
    now: Timestamp,
) -> sqlx::Result<Vec<Held>> {
    let mut leave = limits::Leave::begin(conn, rail.as_str(), limits, now).await?;
    let endpoints = sqlx::query_scalar!(
        "select endpoint from billing.intent
         where rail = $1 and state in ('waiting', 'sent', 'unknown') and next_at <= $2
         group by endpoint order by min(next_at), endpoint",
        rail.as_str(),
        now.to_sqlx() as _,
    );
    let mut held = Vec::new();
    for endpoint in endpoints.fetch_all(&mut *conn).await? {
        let left = most.saturating_sub(u32::try_from(held.len()).unwrap_or(u32::MAX));
        let granted = leave.ask(conn, &endpoint, left).await?;
        let taken = take(conn, rail, &endpoint, granted, now).await?;
        let doubtful = taken.iter().filter(|held| held.doubt).count();
        // Whoever is in doubt looks first: one request more, at an endpoint of its own.
        let (sent, looks) = (u32::try_from(taken.len()), u32::try_from(doubtful));
        leave.take(conn, &endpoint, sent.unwrap_or(u32::MAX)).await?;
        if doubtful > 0 {
            leave.ask(conn, Endpoint::Looks.as_str(), 0).await?;
            leave.take(conn, Endpoint::Looks.as_str(), looks.unwrap_or(u32::MAX)).await?;
        }
        held.extend(taken);
    }
    Ok(held)
}

async fn take(
    conn: &mut PgConnection,
    rail: &Slug,
    endpoint: &str,
    most: u32,
    now: Timestamp,
) -> sqlx::Result<Vec<Held>> {
    let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
    let rows = sqlx::query!(
        r#"with due as materialized (
             select id, state from billing.intent
             where rail = $1 and endpoint = $2 and state in ('waiting', 'sent', 'unknown') and next_at <= $3
             order by next_at, id limit $4 for update skip locked
           )
           update billing.intent as intent
           set state = 'sent', doubt = intent.doubt or due.state in ('sent', 'unknown'),
               fence = fence + 1, attempts = attempts + 1, next_at = $5, sent_at = coalesce(sent_at, $3)
           from due where intent.id = due.id
           returning intent.id, wish, attempts, sent_at as "sent_at!: jiff_sqlx::Timestamp", doubt, fence"#,
        rail.as_str(),
        endpoint,
        now.to_sqlx() as _,
        i64::from(most),
        until.to_sqlx() as _,
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        Ok(Held {
            id: IntentId::new(row.id),
            wish: read(row.wish)?,
            attempts: row.attempts,
            sent_at: row.sent_at.to_jiff(),
            doubt: row.doubt,
            fence: row.fence,
        })
    })
    .collect()
}

/// An intent as it is now, held until the transaction ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub intent: Intent,
    pub state: State,
    pub settled: bool,
    fence: i64,
}

impl Row {
    /// Whether this runner still has it.
    pub(super) const fn is_held_by(&self, held: &Held) -> bool {
        self.fence == held.fence && matches!(self.state, State::Sent)
    }
}

pub(super) async fn lock(conn: &mut PgConnection, id: IntentId) -> sqlx::Result<Option<Row>> {
    let row = sqlx::query!(
        "select tenant, rail, wish, booking, state, settled_at is not null as settled, fence
         from billing.intent where id = $1 for update",
        id.uuid(),
    );
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    let state = State::ALL.into_iter().find(|state| state.as_str() == row.state);
    Ok(Some(Row {
        intent: Intent {
            id,
            tenant: row.tenant,
            rail: row.rail.parse().map_err(|_| unreadable())?,
            wish: read(row.wish)?,
            booking: row.booking.map(read).transpose()?,
        },
        state: state.ok_or_else(unreadable)?,
        settled: row.settled.unwrap_or_default(),
        fence: row.fence,
    }))
}

/// The rail did it, and this is what it made; its money is booked where it has `moved`.
pub(super) async fn done(
    conn: &mut PgConnection,
    id: IntentId,
    object: &Object,
    moved: Option<Timestamp>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update billing.intent set state = 'done', object = $2, cause = null,
             settled_at = coalesce(settled_at, $3)
         where id = $1",
        id.uuid(),
        json(object)?,
        moved.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The rail did something else than was decided: nothing of it is booked, and people look at it.
pub(super) async fn unbooked(
    conn: &mut PgConnection,
    id: IntentId,
    object: &Object,
    cause: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update billing.intent set state = 'done', object = $2, cause = $3 where id = $1",
        id.uuid(),
        json(object)?,
        shortened(cause),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// It will not be done, or is undone; why.
pub(super) async fn refuse(conn: &mut PgConnection, id: IntentId, cause: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update billing.intent set state = 'refused', cause = $2 where id = $1",
        id.uuid(),
        shortened(cause),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// It comes again later: nothing is known to have been done where there is no doubt.
pub(super) async fn again(
    conn: &mut PgConnection,
    held: &Held,
    trouble: &Trouble,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (doubt, wanted) = match trouble {
        Trouble::Again { after, .. } => (held.doubt, *after),
        Trouble::Refused(_) | Trouble::Unknown(_) => (true, None),
    };
    let cause = trouble.to_string();
    let wait = wait(held.attempts, held.id.uuid().as_bytes()[15], wanted);
    sqlx::query!(
        "update billing.intent set state = $3, doubt = doubt or $4, next_at = $5, cause = $6
         where id = $1 and fence = $2 and state = 'sent'",
        held.id.uuid(),
        held.fence,
        if doubt { State::Unknown } else { State::Waiting }.as_str(),
        doubt,
        now.saturating_add(wait).unwrap_or(Timestamp::MAX).to_sqlx() as _,
        shortened(&cause),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// It was never done, as is known for sure, and nobody sends it any more: what lasts is made anew under an id,
/// and so a key, of its own.
pub(super) async fn never_done(
    conn: &mut PgConnection,
    row: &Row,
    cause: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let id = row.intent.id;
    refuse(conn, id, cause).await?;
    if !row.intent.wish.lasts() {
        return Ok(());
    }
    let next = IntentId::of(&["instead", &id.to_string()]);
    sqlx::query!(
        "insert into billing.intent
             (id, tenant, rail, endpoint, wish, booking, next_at, made_at, instead_of, turn)
         select $2, tenant, rail, endpoint, wish, booking, $3, $3, id, turn + 1
         from billing.intent where id = $1 and turn < $4
         on conflict (id) do nothing",
        id.uuid(),
        next.uuid(),
        now.to_sqlx() as _,
        MOST_TURNS,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How one stands, and what the rail made of it; `None`: there is none.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn get(
    conn: &mut PgConnection,
    id: IntentId,
) -> sqlx::Result<Option<(State, Option<Object>)>> {
    let row = sqlx::query!("select state, object from billing.intent where id = $1", id.uuid());
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    let state = State::ALL.into_iter().find(|state| state.as_str() == row.state);
    Ok(Some((state.ok_or_else(unreadable)?, row.object.map(read).transpose()?)))
}

/// How many there are in each state, at one rail.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn count(conn: &mut PgConnection, rail: &Slug) -> sqlx::Result<Vec<(State, i64)>> {
    let rows = sqlx::query!(
        r#"select state, count(*) as "count!" from billing.intent where rail = $1 group by state"#,
        rail.as_str(),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let state = State::ALL.into_iter().find(|state| state.as_str() == row.state);
        Ok((state.ok_or_else(unreadable)?, row.count))
    })
    .collect()
}

/// When the next one is due, those that are being sent when their lease runs out; `None`: all is done.
///
/// # Errors
/// The database.
pub async fn next_due(conn: &mut PgConnection, rail: &Slug) -> sqlx::Result<Option<Timestamp>> {
    let due = sqlx::query_scalar!(
        r#"select min(next_at) as "due: jiff_sqlx::Timestamp" from billing.intent
           where rail = $1 and state in ('waiting', 'sent', 'unknown')"#,
        rail.as_str(),
    );
    Ok(due.fetch_one(conn).await?.map(jiff_sqlx::Timestamp::to_jiff))
}

/// The id under which one that was never done was made anew, the newest of them; its own where it was not.
///
/// # Errors
/// The database.
pub async fn newest(conn: &mut PgConnection, id: IntentId) -> sqlx::Result<IntentId> {
    let newest = sqlx::query_scalar!(
        r#"with recursive chain as (
             select $1::uuid as id, 0 as place
             union all
             select intent.id, place + 1 from chain join billing.intent on instead_of = chain.id
           )
           select id as "id!" from chain order by place desc limit 1"#,
        id.uuid(),
    );
    Ok(IntentId::new(newest.fetch_one(conn).await?))
}

pub(super) fn json(value: &impl Serialize) -> sqlx::Result<Value> {
    serde_json::to_value(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(super) fn read<T: serde::de::DeserializeOwned>(value: Value) -> sqlx::Result<T> {
    serde_json::from_value(value).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn unreadable() -> sqlx::Error {
    sqlx::Error::Decode("an intent in the database cannot be read".into())
}

pub(super) fn shortened(cause: &str) -> &str {
    &cause[..cause.floor_char_boundary(LONGEST_CAUSE)]
}

impl From<IntentId> for Uuid {
    fn from(id: IntentId) -> Self {
        id.uuid()
    }
}
