//! What authorities allow, kept before they have to say it: who runs into a limit waits for hours,
//! and so do all others of the account.
//!
//! Each limit is a bucket that fills again drop by drop (GCRA, as Boulder has it): all that is
//! kept of it is when it will be full. Where it is empty, a place is reserved for when there will
//! be a drop: all who wait have theirs, in the order in which they came, and can be told until
//! when they wait. Renewals that name what they replace cost nothing.

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

    /// The next place that is free.
    pub fn place(self, full_at: Option<Timestamp>, now: Timestamp) -> Place {
        let full_at = full_at.unwrap_or(now).max(now);
        let after = full_at.saturating_add(self.every).unwrap_or(Timestamp::MAX);
        let room = self.every * i32::try_from(self.most).unwrap_or(i32::MAX);
        // An authority counts an order when it hears of it, and that is later.
        let room = room - LATE.min(self.every / 2);
        let at = if after.duration_since(now) <= room { now } else { after - room };
        Place { at, full_at: after }
    }

    /// A part of it: so many fifths.
    fn fifths(self, count: u32) -> Self {
        let most = u64::from(self.most) * u64::from(count) / 5;
        let every = self.every * 5 / i32::try_from(count).unwrap_or(1);
        Self { most: u32::try_from(most).unwrap_or(u32::MAX), every }
    }
}

/// A place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From when on it is taken: now, or later.
    pub at: Timestamp,
    /// From when on the bucket is full again then.
    pub full_at: Timestamp,
}

/// An order is on its way for no longer than this, or is counted twice.
const LATE: SignedDuration = SignedDuration::from_secs(30);

/// Buckets that are smaller are not divided.
const DIVIDED: u32 = 10;

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

    /// The queues that an order may wait in. A fifth is kept for those that go first, such as
    /// renewals that an authority counts: ten thousand new names do not keep one waiting until its
    /// certificate has ended.
    pub fn of_order(&self, goes_first: bool) -> Vec<(String, Limit)> {
        if self.orders.most < DIVIDED {
            return vec![("orders".to_owned(), self.orders)];
        }
        let all = ("orders".to_owned(), self.orders.fifths(4));
        let kept = ("orders that go first".to_owned(), self.orders.fifths(1));
        if goes_first { vec![kept, all] } else { vec![all] }
    }

    /// What a certificate for a name counts against.
    pub fn of_certificate(&self, name: &str) -> [(String, Limit); 2] {
        let registered = Name::stored(name);
        let registered = registered.registered();
        [(format!("registered {registered}"), self.registered), (format!("name {name}"), self.name)]
    }
}

/// Reserves a place with each of these limits of an authority; it is the later of them. Where that
/// is later than `latest`, none is reserved.
///
/// The caller begins the transaction and ends it.
///
/// # Errors
/// The database.
pub(crate) async fn reserve(
    conn: &mut PgConnection,
    authority: &str,
    limits: &[(String, Limit)],
    latest: Option<Timestamp>,
    now: Timestamp,
) -> sqlx::Result<Timestamp> {
    let mut places = Vec::new();
    // Always in this order, so that two never wait for each other.
    for (what, limit) in limits {
        let full_at = full_at(conn, authority, what, now).await?;
        places.push((what, limit.place(Some(full_at), now)));
    }
    let at = places.iter().map(|(_, place)| place.at).max().unwrap_or(now);
    if latest.is_some_and(|latest| at > latest) {
        return Ok(at);
    }
    for (what, place) in places {
        sqlx::query!(
            "update certificates.spent set full_at = $3 where authority = $1 and what = $2",
            authority,
            what,
            place.full_at.to_sqlx() as Sql,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(at)
}

/// When there would be a place with each of these, without reserving any.
pub(crate) async fn next(
    conn: &mut PgConnection,
    authority: &str,
    limits: &[(String, Limit)],
    now: Timestamp,
) -> sqlx::Result<Timestamp> {
    let mut latest = now;
    for (what, limit) in limits {
        let full_at = full_at(conn, authority, what, now).await?;
        latest = latest.max(limit.place(Some(full_at), now).at);
    }
    Ok(latest)
}

/// Of several queues the one whose next place is the earliest; the first of those.
pub(crate) async fn earliest(
    conn: &mut PgConnection,
    authority: &str,
    limits: Vec<(String, Limit)>,
    now: Timestamp,
) -> sqlx::Result<Option<(String, Limit)>> {
    let mut earliest: Option<(Timestamp, (String, Limit))> = None;
    for (what, limit) in limits {
        let full_at = full_at(conn, authority, &what, now).await?;
        let at = limit.place(Some(full_at), now).at;
        if earliest.as_ref().is_none_or(|(before, _)| at < *before) {
            earliest = Some((at, (what, limit)));
        }
    }
    Ok(earliest.map(|(_, queue)| queue))
}

/// When a bucket is full again. Nobody else changes it until the end of the transaction.
async fn full_at(
    conn: &mut PgConnection,
    authority: &str,
    what: &str,
    now: Timestamp,
) -> sqlx::Result<Timestamp> {
    let full_at = sqlx::query_scalar!(
        r#"insert into certificates.spent as was (authority, what, full_at) values ($1, $2, $3)
           on conflict (authority, what) do update set full_at = was.full_at
           returning full_at as "full_at: Sql""#,
        authority,
        what,
        now.to_sqlx() as Sql,
    );
    Ok(full_at.fetch_one(conn).await?.to_jiff())
}

/// Forgets buckets that are full.
///
/// # Errors
/// The database.
pub(crate) async fn tidy(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from certificates.spent where (authority, what) in
             (select authority, what from certificates.spent where full_at < $1
              for update skip locked)",
        now.to_sqlx() as Sql
    )
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
        let limit = Limit::over(4, SignedDuration::from_secs(40));
        let mut full_at = None;
        let mut place = |now| {
            let place = limit.place(full_at, now);
            full_at = Some(place.full_at);
            place.at
        };
        // The last one a little later: an authority may have counted the first ones later too.
        assert_eq!([(); 4].map(|()| place(at(0))), [at(0), at(0), at(0), at(5)]);
        assert_eq!([(); 3].map(|()| place(at(0))), [at(15), at(25), at(35)], "places are reserved");
        assert_eq!(place(at(44)), at(45));
        // Nobody saves more than a bucket.
        let later = [(); 5].map(|()| place(at(10_000)));
        assert_eq!(later, [at(10_000), at(10_000), at(10_000), at(10_005), at(10_015)]);
    }

    #[test]
    fn of_limits_that_nobody_runs_into_every_place_is_now() {
        let [(_, limit), _] = Limits::none().of_certificate("shop.example.com");
        let mut full_at = None;
        for _ in 0..10_000 {
            let place = limit.place(full_at, at(0));
            assert_eq!(place.at, at(0));
            full_at = Some(place.full_at);
        }
    }

    #[test]
    fn an_order_counts_against_its_account_and_a_certificate_against_its_domain_and_name() {
        let limits = Limits::lets_encrypt();
        let of = limits.of_certificate("shop.example.co.uk");
        assert_eq!(
            of.each_ref().map(|(what, _)| what.as_str()),
            ["registered example.co.uk", "name shop.example.co.uk"]
        );
    }

    #[test]
    fn who_goes_first_has_a_queue_that_others_cannot_take() {
        let limits = Limits::lets_encrypt();
        let [(new, of_new)] = &limits.of_order(false)[..] else { panic!("one") };
        let [(kept, of_kept), (all, _)] = &limits.of_order(true)[..] else { panic!("two") };
        assert!(new != kept && new == all);
        assert_eq!((of_new.most, of_new.every), (240, SignedDuration::from_secs(45)));
        assert_eq!((of_kept.most, of_kept.every), (60, SignedDuration::from_secs(180)));
        let few = Limits { orders: Limit::over(5, SignedDuration::from_hours(3)), ..limits };
        assert_eq!(few.of_order(true), few.of_order(false));
    }
}
