//! The ledger in Postgres: each journal in the transaction of whoever tells it, beside what else that one
//! writes.

use std::collections::HashMap;

use blueprint::Currency;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::memory::Balances;
use super::{Account, Content, EventKey, Journal, Posted};

/// Takes a journal, once. Nobody knows of it before the transaction ends.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn post(
    conn: &mut PgConnection,
    journal: &Journal,
    now: Timestamp,
) -> sqlx::Result<Posted> {
    let posted = post_all(conn, std::slice::from_ref(journal), now).await?;
    posted.first().copied().ok_or(sqlx::Error::RowNotFound)
}

/// Takes many at once; what became of each, in the same order. One event told twice among them counts as
/// told twice.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn post_all(
    conn: &mut PgConnection,
    journals: &[Journal],
    now: Timestamp,
) -> sqlx::Result<Vec<Posted>> {
    let mut first = HashMap::with_capacity(journals.len());
    for (at, journal) in journals.iter().enumerate() {
        first.entry(journal.key()).or_insert(at);
    }
    let mut new: Vec<&Journal> = first.values().map(|&at| &journals[at]).collect();
    // Everybody in one order: two who tell the same events do not wait for each other in a circle.
    new.sort_unstable_by_key(|journal| journal.key());
    let numbers = insert(conn, &new, now).await?;
    let made: Vec<_> =
        new.iter().filter_map(|journal| Some((*journal, *numbers.get(journal.key())?))).collect();
    insert_entries(conn, &made).await?;

    let told_before = journals.iter().enumerate().filter(|(at, journal)| {
        first.get(journal.key()) != Some(at) || !numbers.contains_key(journal.key())
    });
    let told_before: Vec<&Journal> = told_before.map(|(_, journal)| journal).collect();
    let known = known(conn, &told_before).await?;
    let mut conflicts = Vec::new();
    let mut posted = Vec::with_capacity(journals.len());
    for (at, journal) in journals.iter().enumerate() {
        let key = journal.key();
        if let Some(number) = numbers.get(key).filter(|_| first.get(key) == Some(&at)) {
            posted.push(Posted::New(*number));
            continue;
        }
        let (number, content) = known.get(key).ok_or(sqlx::Error::RowNotFound)?;
        posted.push(if *content == journal.content() {
            Posted::Again(*number)
        } else {
            conflicts.push(journal);
            Posted::Conflict(*number)
        });
    }
    keep_conflicts(conn, &conflicts, now).await?;
    Ok(posted)
}

/// The numbers of those that were not known.
async fn insert(
    conn: &mut PgConnection,
    journals: &[&Journal],
    now: Timestamp,
) -> sqlx::Result<HashMap<EventKey, i64>> {
    let Columns { tenants, sources, events, contents } = Columns::of(journals);
    let whats: Vec<_> = journals.iter().map(|journal| journal.what().to_owned()).collect();
    let ats: Vec<_> = journals.iter().map(|journal| journal.at().to_sqlx()).collect();
    let rows = sqlx::query!(
        r#"insert into billing.journal (tenant, source, event, what, at, content, booked_at)
           select tenant, source, event, what, at, content, $7
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[])
               with ordinality as told (tenant, source, event, what, at, content, place)
           order by place
           on conflict (tenant, source, event) do nothing
           returning number, tenant, source, event"#,
        &tenants,
        &sources,
        &events,
        &whats,
        &ats as _,
        &contents,
        now.to_sqlx() as _,
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    Ok(rows.map(|row| (EventKey::new(row.tenant, row.source, row.event), row.number)).collect())
}

async fn insert_entries(conn: &mut PgConnection, made: &[(&Journal, i64)]) -> sqlx::Result<()> {
    let (mut journals, mut lines, mut accounts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut currencies, mut micros) = (Vec::new(), Vec::new());
    for (journal, number) in made {
        for (line, entry) in (0_i16..).zip(journal.entries()) {
            journals.push(*number);
            lines.push(line);
            accounts.push(entry.account.to_string());
            currencies.push(entry.amount.currency().code().to_owned());
            micros.push(entry.amount.micros());
        }
    }
    sqlx::query!(
        "insert into billing.entry (journal, line, account, currency, micros)
         select * from unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::bigint[])",
        &journals,
        &lines,
        &accounts,
        &currencies,
        &micros,
    )
    .execute(&mut *conn)
    .await?;
    let numbers: Vec<_> = made.iter().map(|(_, number)| *number).collect();
    sqlx::query!("insert into billing.unsealed select * from unnest($1::bigint[])", &numbers)
        .execute(conn)
        .await?;
    Ok(())
}

/// What is known of these events.
async fn known(
    conn: &mut PgConnection,
    journals: &[&Journal],
) -> sqlx::Result<HashMap<EventKey, (i64, Content)>> {
    if journals.is_empty() {
        return Ok(HashMap::new());
    }
    let Columns { tenants, sources, events, .. } = Columns::of(journals);
    let rows = sqlx::query!(
        "select distinct number, journal.tenant, journal.source, journal.event, content
         from unnest($1::text[], $2::text[], $3::text[]) as told (tenant, source, event)
         join billing.journal on journal.tenant = told.tenant and journal.source = told.source
             and journal.event = told.event",
        &tenants,
        &sources,
        &events,
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let content = row.content.try_into().map_err(|_| unreadable("a content"))?;
        Ok((EventKey::new(row.tenant, row.source, row.event), (row.number, content)))
    })
    .collect()
}

async fn keep_conflicts(
    conn: &mut PgConnection,
    journals: &[&Journal],
    now: Timestamp,
) -> sqlx::Result<()> {
    if journals.is_empty() {
        return Ok(());
    }
    let Columns { tenants, sources, events, contents } = Columns::of(journals);
    let told: Vec<_> = journals.iter().map(|journal| told(journal)).collect();
    sqlx::query!(
        "insert into billing.conflict (tenant, source, event, content, told, told_at)
         select tenant, source, event, content, told, $6
         from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::jsonb[])
             as conflict (tenant, source, event, content, told)
         on conflict do nothing",
        &tenants,
        &sources,
        &events,
        &contents,
        &told,
        now.to_sqlx() as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a journal says, for people.
fn told(journal: &Journal) -> Value {
    let entries: Vec<_> = journal
        .entries()
        .iter()
        .map(|entry| json!([entry.account, entry.amount.currency(), entry.amount.micros()]))
        .collect();
    json!({"what": journal.what(), "at": journal.at(), "entries": entries})
}

/// Journals, a list for each column.
struct Columns {
    tenants: Vec<String>,
    sources: Vec<String>,
    events: Vec<String>,
    contents: Vec<Vec<u8>>,
}

impl Columns {
    fn of(journals: &[&Journal]) -> Self {
        let keys = || journals.iter().map(|journal| journal.key());
        Self {
            tenants: keys().map(|key| key.tenant.clone()).collect(),
            sources: keys().map(|key| key.source.clone()).collect(),
            events: keys().map(|key| key.event.clone()).collect(),
            contents: journals.iter().map(|journal| journal.content().to_vec()).collect(),
        }
    }
}

/// What is on one account now, what this transaction told included.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn balance(
    conn: &mut PgConnection,
    account: &Account,
    currency: Currency,
) -> sqlx::Result<i128> {
    let micros = sqlx::query_scalar!(
        r#"select ((select coalesce(sum(micros), 0) from billing.balance
                    where account = $1 and currency = $2)
                 + (select coalesce(sum(micros), 0) from billing.entry join billing.unsealed using (journal)
                    where account = $1 and currency = $2))::text as "micros!""#,
        account.to_string(),
        currency.code(),
    );
    number(&micros.fetch_one(conn).await?)
}

/// What is on each account now. Those on which nothing ever was are not among them.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn balances(conn: &mut PgConnection) -> sqlx::Result<Balances> {
    let rows = sqlx::query!(
        r#"select account as "account!", currency as "currency!", sum(micros)::text as "micros!"
           from (select account, currency, micros from billing.balance
                 union all
                 select account, currency, micros from billing.entry join billing.unsealed using (journal))
               as told
           group by account, currency"#
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| place(&row.account, &row.currency, &row.micros)).collect()
}

/// What was on each account by what had happened before `end`, whenever it was told.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn before(conn: &mut PgConnection, end: Timestamp) -> sqlx::Result<Balances> {
    let rows = sqlx::query!(
        r#"select account, currency, sum(micros)::text as "micros!"
           from billing.entry join billing.journal on number = journal
           where at < $1 group by account, currency"#,
        end.to_sqlx() as _,
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| place(&row.account, &row.currency, &row.micros)).collect()
}

/// How often an event was told and said something else.
///
/// # Errors
/// The database.
pub async fn conflicts(conn: &mut PgConnection) -> sqlx::Result<Vec<(EventKey, Content)>> {
    let rows = sqlx::query!(
        "select tenant, source, event, content from billing.conflict
         order by tenant, source, event, content"
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let content = row.content.try_into().map_err(|_| unreadable("a content"))?;
        Ok((EventKey::new(row.tenant, row.source, row.event), content))
    })
    .collect()
}

fn place(account: &str, currency: &str, micros: &str) -> sqlx::Result<((Account, Currency), i128)> {
    let account = account.parse().map_err(|_| unreadable("an account"))?;
    let currency = currency.parse().map_err(|_| unreadable("a currency"))?;
    Ok(((account, currency), number(micros)?))
}

fn number(text: &str) -> sqlx::Result<i128> {
    text.parse().map_err(|_| unreadable("an amount"))
}

pub(super) fn unreadable(what: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{what} in the ledger cannot be read").into())
}
