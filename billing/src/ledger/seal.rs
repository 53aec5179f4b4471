//! The chain: each batch of journals is bound to the one before it, so whoever changes a journal behind our
//! back, takes one out or puts one in is found by anybody who knows the last hash.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use super::store::unreadable;
use super::{Content, Entry, EventKey, Journal};
use crate::amount::Amount;

/// What the first batch is bound to.
pub const BEGINNING: [u8; 32] = [0; 32];
/// One batch has no more journals.
const MOST: i64 = 10_000;
/// So that two never seal at once: "billing" in letters, as a number.
const ONE_AT_A_TIME: i64 = 0x62_69_6c_6c_69_6e_67;

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many batches there are.
    pub batch: i64,
    /// What the last one comes to.
    pub hash: [u8; 32],
}

/// What is wrong with the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Somebody changed it, or took it out.
    #[error("journal {0} does not say what it said when it was taken")]
    Journal(i64),
    /// Journals were taken out of it, put in or put in another order, or it was changed itself.
    #[error("batch {0} is not what it was when it was sealed")]
    Batch(i64),
    /// One is missing.
    #[error("batch {0} is missing")]
    NoBatch(i64),
    /// A journal is in no batch and does not wait for one.
    #[error("journal {0} is in no batch")]
    Loose(i64),
    /// What is on an account is not what its entries come to.
    #[error("the balance of {0} in {1} is not the sum of its entries")]
    Balance(String, String),
}

/// Binds journals that are in no batch yet to the chain, as many as fit into one; how many that were. In a
/// transaction of its own.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn seal(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<u64> {
    sqlx::query!(r#"select pg_advisory_xact_lock($1) as "locked: ()""#, ONE_AT_A_TIME)
        .fetch_one(&mut *conn)
        .await?;
    let rows = sqlx::query!(
        "select number, tenant, source, event, content
         from (select journal from billing.unsealed order by journal limit $1) as waiting
         join billing.journal on number = journal order by number",
        MOST,
    );
    let rows = rows.fetch_all(&mut *conn).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let last = head(conn).await?;
    let mut binding = Binding::new(&last.hash, last.batch + 1);
    let mut numbers = Vec::with_capacity(rows.len());
    for row in rows {
        let content: Content = row.content.try_into().map_err(|_| unreadable("a content"))?;
        binding.add(row.number, &EventKey::new(row.tenant, row.source, row.event), &content);
        numbers.push(row.number);
    }
    let count = i32::try_from(numbers.len()).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into billing.batch (number, before, hash, journals, sealed_at)
         values ($1, $2, $3, $4, $5)",
        last.batch + 1,
        &last.hash[..],
        &binding.hash()[..],
        count,
        now.to_sqlx() as _,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into billing.sealed (journal, batch, place)
         select journal, $2, (place - 1)::integer
         from unnest($1::bigint[]) with ordinality as taken (journal, place)",
        &numbers,
        last.batch + 1,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into billing.balance as known (account, currency, micros)
         select account, currency, sum(micros) from billing.entry where journal = any($1::bigint[])
         group by account, currency
         on conflict (account, currency) do update set micros = known.micros + excluded.micros",
        &numbers,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from billing.unsealed where journal = any($1::bigint[])", &numbers)
        .execute(conn)
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The end of the chain: what to keep elsewhere, or to print, so that not even its end can be taken off.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn head(conn: &mut PgConnection) -> sqlx::Result<Head> {
    let row = sqlx::query!("select number, hash from billing.batch order by number desc limit 1");
    match row.fetch_optional(conn).await? {
        None => Ok(Head { batch: 0, hash: BEGINNING }),
        Some(row) => {
            let hash = row.hash.try_into().map_err(|_| unreadable("a hash"))?;
            Ok(Head { batch: row.number, hash })
        }
    }
}

/// Looks at all of it: every journal, batch and balance. Everything that is wrong; nothing, in a ledger that
/// nobody touched. Best in a transaction that is `repeatable read`.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn verify(conn: &mut PgConnection) -> sqlx::Result<Vec<Broken>> {
    let mut broken = Vec::new();
    let mut last = Head { batch: 0, hash: BEGINNING };
    let end = head(conn).await?.batch;
    for number in 1..=end {
        let Some(sealed) = batch(conn, number, &last.hash, &mut broken).await? else {
            broken.push(Broken::NoBatch(number));
            continue;
        };
        last = Head { batch: number, hash: sealed };
    }
    let waiting = sqlx::query_scalar!(
        "select number from billing.journal
         where not exists (select from billing.sealed where journal = number)
           and not exists (select from billing.unsealed where journal = number)
         order by number"
    );
    broken.extend(waiting.fetch_all(&mut *conn).await?.into_iter().map(Broken::Loose));
    let unsealed = sqlx::query_scalar!("select journal from billing.unsealed order by journal");
    let unsealed = unsealed.fetch_all(&mut *conn).await?;
    for (number, journal) in read(conn, &unsealed).await? {
        if journal.is_none_or(|(journal, content)| journal.content() != content) {
            broken.push(Broken::Journal(number));
        }
    }
    let wrong = sqlx::query!(
        r#"select account as "account!", currency as "currency!"
           from billing.balance as kept
           full join (select account, currency, sum(micros) as micros
                      from billing.entry join billing.sealed using (journal)
                      group by account, currency) as told using (account, currency)
           where kept.micros is distinct from told.micros
           order by 1, 2"#
    );
    let wrong = wrong.fetch_all(conn).await?.into_iter();
    broken.extend(wrong.map(|row| Broken::Balance(row.account, row.currency)));
    Ok(broken)
}

/// What a batch that is there says it comes to; what is wrong with it and its journals is told.
async fn batch(
    conn: &mut PgConnection,
    number: i64,
    before: &[u8; 32],
    broken: &mut Vec<Broken>,
) -> sqlx::Result<Option<[u8; 32]>> {
    let row =
        sqlx::query!("select before, hash, journals from billing.batch where number = $1", number);
    let Some(row) = row.fetch_optional(&mut *conn).await? else { return Ok(None) };
    let hash: [u8; 32] = row.hash.try_into().map_err(|_| unreadable("a hash"))?;
    let numbers = sqlx::query_scalar!(
        "select journal from billing.sealed where batch = $1 order by place",
        number
    );
    let numbers = numbers.fetch_all(&mut *conn).await?;
    let mut binding = Binding::new(before, number);
    for (number, journal) in read(conn, &numbers).await? {
        match journal {
            Some((journal, content)) if journal.content() == content => {
                binding.add(number, journal.key(), &content);
            }
            _ => broken.push(Broken::Journal(number)),
        }
    }
    let count = usize::try_from(row.journals).unwrap_or_default();
    let is_whole = row.before == before && count == numbers.len() && binding.hash() == hash;
    if !is_whole {
        broken.push(Broken::Batch(number));
    }
    Ok(Some(hash))
}

/// These journals as they are now, each with what its row says its content was; `None` of one that is not
/// there, or that could never have been taken.
async fn read(
    conn: &mut PgConnection,
    numbers: &[i64],
) -> sqlx::Result<Vec<(i64, Option<(Journal, Content)>)>> {
    let rows = sqlx::query!(
        r#"select number, tenant, source, event, what, at as "at: jiff_sqlx::Timestamp", content
           from billing.journal where number = any($1::bigint[])"#,
        numbers,
    );
    let mut rows: HashMap<i64, _> =
        rows.fetch_all(&mut *conn).await?.into_iter().map(|row| (row.number, row)).collect();
    let entries = sqlx::query!(
        "select journal, account, currency, micros from billing.entry
         where journal = any($1::bigint[]) order by journal, line",
        numbers,
    );
    let mut moved: HashMap<i64, Vec<Option<Entry>>> = HashMap::new();
    for row in entries.fetch_all(conn).await? {
        let entry = || {
            let amount = Amount::new(row.micros, row.currency.parse().ok()?);
            Some(Entry::new(row.account.parse().ok()?, amount))
        };
        moved.entry(row.journal).or_default().push(entry());
    }
    let read = numbers.iter().map(|number| {
        let mut journal = || {
            let row = rows.remove(number)?;
            let key = EventKey::new(row.tenant, row.source, row.event);
            let entries = moved.remove(number)?.into_iter().collect::<Option<Vec<_>>>()?;
            let journal = Journal::new(key, row.what, row.at.to_jiff(), entries).ok()?;
            Some((journal, Content::try_from(row.content).ok()?))
        };
        (*number, journal())
    });
    Ok(read.collect())
}

/// What a batch comes to, journal by journal.
struct Binding(Sha256);

impl Binding {
    fn new(before: &[u8; 32], number: i64) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(before);
        hasher.update(number.to_be_bytes());
        Self(hasher)
    }

    fn add(&mut self, number: i64, key: &EventKey, content: &Content) {
        self.0.update(number.to_be_bytes());
        // Each part with its length: no part can pass for the end of another.
        for part in [&key.tenant, &key.source, &key.event] {
            self.0.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            self.0.update(part);
        }
        self.0.update(content);
    }

    fn hash(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}
