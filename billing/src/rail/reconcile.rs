//! Holds what a rail says moved in a payout against what the ledger says moved: to nothing, row by row.
//!
//! Both sides are merged in the database, in one look at it, and what that makes comes row by row: however long
//! they are, only those that do not agree are kept in memory.

use std::collections::BTreeMap;

use blueprint::{Currency, Money, Slug};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use super::settle::cash_of;
use super::{Movement, PaymentRail, PayoutId, Trouble, intent};
use crate::amount::{Amount, AmountError};

/// Of each sort no more rows are named; all are counted.
const MOST_NAMED: usize = 10_000;

/// When what the ledger says must have moved at the rail: what is older was held against it before, what is
/// newer may be in the next payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From then on.
    pub since: Timestamp,
    /// Until before then.
    pub until: Timestamp,
}

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What both call it.
    pub about: String,
    /// In which currency.
    pub currency: Currency,
    /// What the rail says, in millionths, its fee taken off.
    pub rail: i64,
    /// What the ledger says.
    pub ledger: i64,
}

/// What came of holding a payout against the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Rows that agree.
    pub agreed: u64,
    /// Rows of the rail that the ledger has not.
    pub missing: u64,
    /// Rows of the ledger that the rail has not.
    pub extra: u64,
    /// Rows that both have, with other amounts.
    pub differing: u64,
    /// What the rail says less what the ledger says, where that is not nothing.
    pub difference: BTreeMap<String, i128>,
    /// What the movements of the payout leave over when it has left: nothing, where the rail reckons as we do.
    pub left_over: BTreeMap<String, i128>,
    /// Those that do not agree, as many as are named.
    pub rows: Vec<Row>,
}

/// Why a payout could not be held against the ledger.
#[derive(Debug, thiserror::Error)]
pub enum NotReconciled {
    /// The rail did not say what is in it.
    #[error(transparent)]
    Rail(#[from] Trouble),
    /// What it said has no room.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Report {
    /// Whether everything agrees, to the cent.
    pub fn is_clean(&self) -> bool {
        let wrong = self.missing + self.extra + self.differing;
        wrong == 0 && self.difference.is_empty() && self.left_over.is_empty()
    }

    fn add(&mut self, row: Row) {
        let count = match (row.rail, row.ledger) {
            (rail, ledger) if rail == ledger => {
                self.agreed += 1;
                return;
            }
            (_, 0) => &mut self.missing,
            (0, _) => &mut self.extra,
            _ => &mut self.differing,
        };
        *count += 1;
        let over = i128::from(row.rail) - i128::from(row.ledger);
        *self.difference.entry(row.currency.code().to_owned()).or_default() += over;
        self.difference.retain(|_, difference| *difference != 0);
        if self.rows.len() < MOST_NAMED {
            self.rows.push(row);
        }
    }
}

/// Fetches what is in a payout and holds it against the ledger. Cut off anywhere, it begins again and nothing is
/// there twice.
///
/// # Errors
/// [`NotReconciled`]
pub async fn reconcile(
    db: &PgPool,
    rail: &dyn PaymentRail,
    payout: &PayoutId,
    window: Window,
    now: Timestamp,
) -> Result<Report, NotReconciled> {
    let mut after = None;
    loop {
        let page = rail.movements(payout, after.as_deref()).await?;
        let mut tx = db.begin().await?;
        keep(&mut tx, rail.name(), payout, &page.movements).await?;
        tx.commit().await?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut tx = db.begin().await?;
    let report = compare(&mut tx, rail.name(), payout, window).await?;
    note(&mut tx, rail.name(), payout, &report, now).await?;
    tx.commit().await?;
    if !report.is_clean() {
        tracing::error!(
            "{payout} and the ledger differ: {} missing, {} extra, {} with other amounts",
            report.missing,
            report.extra,
            report.differing
        );
    }
    Ok(report)
}

/// Keeps what moved, each once.
///
/// # Errors
/// [`NotReconciled`]
pub async fn keep(
    conn: &mut PgConnection,
    rail: &Slug,
    payout: &PayoutId,
    movements: &[Movement],
) -> Result<(), NotReconciled> {
    let micros = |minor, currency| Amount::of(Money::new(minor, currency)).map(Amount::micros);
    let (mut grosses, mut fees) = (Vec::new(), Vec::new());
    for movement in movements {
        grosses.push(micros(movement.gross, movement.currency)?);
        fees.push(micros(movement.fee, movement.currency)?);
    }
    let ids: Vec<_> = movements.iter().map(|movement| movement.id.clone()).collect();
    let abouts: Vec<_> = movements.iter().map(|movement| movement.about.clone()).collect();
    let currencies: Vec<_> =
        movements.iter().map(|movement| movement.currency.code().to_owned()).collect();
    sqlx::query!(
        "insert into billing.movement (rail, payout, id, about, currency, gross, fee)
         select $1, $2, moved.* from unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
             as moved
         on conflict (rail, id) do nothing",
        rail.as_str(),
        payout.as_str(),
        &ids,
        &abouts,
        &currencies,
        &grosses,
        &fees,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Holds what is kept of a payout against the ledger: everything that it moved, and what the ledger says moved in
/// that time and is in no payout.
///
/// # Errors
/// The database; where what was read cannot be.
pub async fn compare(
    conn: &mut PgConnection,
    rail: &Slug,
    payout: &PayoutId,
    window: Window,
) -> sqlx::Result<Report> {
    let mut report = Report::default();
    let sides = sqlx::query!(
        r#"with moved as materialized (
             select about, currency, sum(gross - fee) as micros from billing.movement
             where rail = $1 and payout = $2 group by about, currency
           ), booked as materialized (
             -- The fee is in the row of what it is for; what came back later has a row of its own.
             select case when right(event, 4) = ':fee' then left(event, -4) else event end as about,
                    currency, sum(micros) as micros, min(at) as at
             from billing.entry join billing.journal on number = journal
             where account = $3 and source = $1 and at < $5
             group by 1, 2
           )
           select about as "about!", currency as "currency!",
                  coalesce(moved.micros, 0)::bigint as "rail!", coalesce(booked.micros, 0)::bigint as "ledger!"
           from moved full join booked using (about, currency)
           where moved.about is not null
              or (booked.at >= $4 and not exists (
                    select from billing.movement where rail = $1 and movement.about = booked.about))
           order by about, currency"#,
        rail.as_str(),
        payout.as_str(),
        cash_of(rail).to_string(),
        window.since.to_sqlx() as _,
        window.until.to_sqlx() as _,
    );
    let mut sides = sides.fetch(&mut *conn);
    while let Some(row) = sides.try_next().await? {
        let currency = row.currency.parse().map_err(|_| unreadable())?;
        report.add(Row { about: row.about, currency, rail: row.rail, ledger: row.ledger });
    }
    drop(sides);
    let left = sqlx::query!(
        r#"select currency, sum(gross - fee)::text as "left!" from billing.movement
           where rail = $1 and payout = $2 group by currency having sum(gross - fee) <> 0"#,
        rail.as_str(),
        payout.as_str(),
    );
    for row in left.fetch_all(conn).await? {
        report.left_over.insert(row.currency, row.left.parse().map_err(|_| unreadable())?);
    }
    Ok(report)
}

async fn note(
    conn: &mut PgConnection,
    rail: &Slug,
    payout: &PayoutId,
    report: &Report,
    now: Timestamp,
) -> sqlx::Result<()> {
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    sqlx::query!(
        "insert into billing.reconciliation (rail, payout, at, agreed, missing, extra, differing, report)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        rail.as_str(),
        payout.as_str(),
        now.to_sqlx() as _,
        count(report.agreed),
        count(report.missing),
        count(report.extra),
        count(report.differing),
        intent::json(report)?,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn unreadable() -> sqlx::Error {
    sqlx::Error::Decode("what moved at a rail cannot be read".into())
}
