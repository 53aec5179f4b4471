//! What authorities allow, kept before they have to say it: who runs into a limit waits for hours,
//! and so do all others of the account.
//!
//! Each limit is a bucket that fills again drop by drop (GCRA, as Boulder has it): all that is
//! kept of it is when it will be full. Renewals that name what they replace cost nothing.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as Sql, ToSqlx as _};
use sqlx::PgConnection;

use crate::names::Name;

/// So many at once, and one more each time that so much time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many a full bucket holds; at least one.
    pub most: u32,
    /// In which time one comes back.
    pub every: SignedDuration,
}

impl Limit {
    /// A bucket that held so many and is full again after this time.
    pub fn over(most: u32, time: SignedDuration) -> Self {
        Self { most, every: time / i32::try_from(most).unwrap_or(i32::MAX).max(1) }
    }

    /// Takes one: from when on the bucket is full again then, or when there will be one.
    ///
    /// # Errors
    /// The time from which on one can be taken.
    pub fn take(self, full_at: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Timestamp> {
        let full_at = full_at.unwrap_or(now).max(now);
        let after = full_at.saturating_add(self.every).unwrap_or(Timestamp::MAX);
        let room = self.every * i32::try_from(self.most).unwrap_or(i32::MAX);
        if after.duration_since(now) <= room { Ok(after) } else { Err(after - room) }
    }
}

/// What an authority allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Orders of one account.
    pub orders: Limit,
    /// Certificates for names of one registered domain, whoever orders them.
    pub registered: Limit,
    /// Certificates for the very same name.
    pub name: Limit,
}

impl Limits {
    /// Those that Let's Encrypt publishes (2025-06-12): 300 orders in three hours, 50 certificates
    /// a registered domain and 5 a name in a week.
    pub fn lets_encrypt() -> Self {
        let hours = SignedDuration::from_hours;
        Self {
            orders: Limit::over(300, hours(3)),
            registered: Limit::over(50, hours(7 * 24)),
            name: Limit::over(5, hours(7 * 24)),
        }
    }

    /// None that anybody would run into.
    pub fn none() -> Self {
        let one = Limit { most: u32::MAX, every: SignedDuration::from_nanos(1) };
        Self { orders: one, registered: one, name: one }
    }

    /// What an order counts against when it is made.
    pub fn of_order(&self) -> [(String, Limit); 1] {
        [("orders".to_owned(), self.orders)]
    }

    /// What a certificate for a name counts against when it is asked for.
    pub fn of_certificate(&self, name: &str) -> [(String, Limit); 2] {
        let registered = Name::stored(name);
        let registered = registered.registered();
        [(format!("registered {registered}"), self.registered), (format!("name {name}"), self.name)]
    }
}

/// Takes one from each of these limits of an authority, or from none.
///
/// The caller begins the transaction and ends it.
///
/// # Errors
/// The database.
pub(crate) async fn spend(
    conn: &mut PgConnection,
    authority: &str,
    limits: &[(String, Limit)],
    now: Timestamp,
) -> sqlx::Result<Result<(), Timestamp>> {
    let mut spent = Vec::new();
    // Always in this order, so that two never wait for each other.
    for (what, limit) in limits {
        sqlx::query!(
            "insert into certificates.spent (authority, what, full_at) values ($1, $2, $3)
             on conflict do nothing",
            authority,
            what,
            now.to_sqlx() as Sql,
        )
        .execute(&mut *conn)
        .await?;
        let full_at = sqlx::query_scalar!(
            r#"select full_at as "full_at: Sql" from certificates.spent
               where authority = $1 and what = $2 for update"#,
            authority,
            what
        )
        .fetch_one(&mut *conn)
        .await?;
        match limit.take(Some(full_at.to_jiff()), now) {
            Ok(full_at) => spent.push((what, full_at)),
            Err(at) => return Ok(Err(at)),
        }
    }
    for (what, full_at) in spent {
        sqlx::query!(
            "update certificates.spent set full_at = $3 where authority = $1 and what = $2",
            authority,
            what,
            full_at.to_sqlx() as Sql,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(Ok(()))
}

/// Forgets buckets that are full.
///
/// # Errors
/// The database.
pub(crate) async fn tidy(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!("delete from certificates.spent where full_at < $1", now.to_sqlx() as Sql)
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_full_bucket_gives_all_it_has_and_then_one_at_a_time() {
        let limit = Limit::over(3, SignedDuration::from_secs(30));
        let mut full_at = None;
        for _ in 0..3 {
            full_at = Some(limit.take(full_at, at(0)).unwrap());
        }
        assert_eq!(limit.take(full_at, at(0)), Err(at(10)));
        assert_eq!(limit.take(full_at, at(9)), Err(at(10)));
        full_at = Some(limit.take(full_at, at(10)).unwrap());
        assert_eq!(limit.take(full_at, at(10)), Err(at(20)));
        // Nobody saves more than a bucket.
        for n in 0..3 {
            full_at = Some(limit.take(full_at, at(10_000)).unwrap_or_else(|_| panic!("{n}")));
        }
        assert!(limit.take(full_at, at(10_000)).is_err());
    }

    #[test]
    fn an_order_counts_against_its_account_and_a_certificate_against_its_domain_and_name() {
        let limits = Limits::lets_encrypt();
        let [(what, orders)] = limits.of_order();
        assert_eq!((what.as_str(), orders.every), ("orders", SignedDuration::from_secs(36)));
        let of = limits.of_certificate("shop.example.co.uk");
        assert_eq!(
            of.each_ref().map(|(what, _)| what.as_str()),
            ["registered example.co.uk", "name shop.example.co.uk"]
        );
    }
}
