//! How often a rail may be asked, and how long it remembers: its numbers, in one place.

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

/// Where something is asked, in our words. Rails bound each apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// Who pays.
    Customers,
    /// Who is paid.
    Sellers,
    /// Pages to pay on.
    Checkouts,
    /// Payments.
    Payments,
    /// Payments that come again.
    Subscriptions,
    /// What those are for.
    Invoices,
    /// Money that goes back.
    Refunds,
    /// Money that is passed on.
    Transfers,
    /// Looking at what is there.
    Looks,
}

/// A rail's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// When somebody read them in the rail's own documents.
    pub read_on: Date,
    /// Requests a second, all together.
    pub all: u32,
    /// Requests a second at one endpoint.
    pub each: u32,
    /// For how long it surely keeps a key. Less than it says, by what clocks and queues may cost.
    pub keys: SignedDuration,
}

/// Who works on something may be gone after this long. Longer than any rail is waited for.
pub const LEASE: SignedDuration = SignedDuration::from_mins(3);
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// The bucket that everything goes by.
const ALL: &str = "all";

impl Limits {
    /// Stripe's with real money: "Rate limits" and "Idempotent requests" (at least 24 hours).
    pub const STRIPE: Self = Self {
        read_on: date(2026, 11, 20),
        all: 100,
        each: 25,
        keys: SignedDuration::from_hours(23),
    };
    /// Stripe's in a sandbox.
    pub const STRIPE_SANDBOX: Self = Self { all: 25, ..Self::STRIPE };
    /// One machine's own: it keeps keys for ever, and nothing bounds it but this.
    pub const TEST_MONEY: Self = Self { all: 1_000, each: 1_000, ..Self::STRIPE };
}

impl Endpoint {
    /// All there are.
    pub const EVERY: [Self; 9] = [
        Self::Customers,
        Self::Sellers,
        Self::Checkouts,
        Self::Payments,
        Self::Subscriptions,
        Self::Invoices,
        Self::Refunds,
        Self::Transfers,
        Self::Looks,
    ];

    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Sellers => "sellers",
            Self::Checkouts => "checkouts",
            Self::Payments => "payments",
            Self::Subscriptions => "subscriptions",
            Self::Invoices => "invoices",
            Self::Refunds => "refunds",
            Self::Transfers => "transfers",
            Self::Looks => "looks",
        }
    }
}

/// So long is waited after so many tries: twice as long each time, up to an hour, and a quarter more by
/// `spread`, so that what failed together does not come back together. Never less than the rail wants.
pub(super) fn wait(attempts: i32, spread: u8, wanted: Option<SignedDuration>) -> SignedDuration {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    let more = wait.as_millis() * i128::from(spread) / 1_024;
    let wait = wait.saturating_add(SignedDuration::from_millis(i64::try_from(more).unwrap_or(0)));
    // What a rail wants is bounded too: a mistake there would stop us for good.
    wait.max(wanted.unwrap_or(SignedDuration::ZERO).min(LONGEST_WAIT))
}

/// How many requests may leave now, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    milli: i64,
    at: Timestamp,
}

impl Bucket {
    /// Holds a fifth of a second's worth and fills with four fifths a second, so that no second, wherever it
    /// begins, sees more than the limit.
    fn filled(self, limit: u32, now: Timestamp) -> Self {
        let most = i64::from(limit) * 200;
        let passed = now.duration_since(self.at).as_micros().clamp(0, 1_000_000);
        let more = i64::try_from(passed).unwrap_or(0) * i64::from(limit) * 4 / 5_000;
        // What is too little to be counted stays for the next time.
        let at = if more > 0 { now } else { self.at };
        Self { milli: most.min(self.milli + more), at }
    }

    fn whole(self) -> u32 {
        u32::try_from(self.milli / 1_000).unwrap_or(0)
    }
}

/// The right to ask a rail, while the transaction lasts in which it was taken: others wait for it.
#[derive(Debug)]
pub(super) struct Leave<'a> {
    rail: &'a str,
    limits: Limits,
    all: Bucket,
    now: Timestamp,
}

impl<'a> Leave<'a> {
    /// Begins to count.
    pub(super) async fn begin(
        conn: &mut PgConnection,
        rail: &'a str,
        limits: Limits,
        now: Timestamp,
    ) -> sqlx::Result<Self> {
        let all = bucket(conn, rail, ALL, limits.all, now).await?;
        Ok(Self { rail, limits, all, now })
    }

    /// How many requests may leave for an endpoint, at most so many.
    pub(super) async fn ask(
        &self,
        conn: &mut PgConnection,
        endpoint: &str,
        most: u32,
    ) -> sqlx::Result<u32> {
        let each = bucket(conn, self.rail, endpoint, self.limits.each, self.now).await?;
        Ok(most.min(each.whole()).min(self.all.whole()))
    }

    /// So many leave.
    pub(super) async fn take(
        &mut self,
        conn: &mut PgConnection,
        endpoint: &str,
        count: u32,
    ) -> sqlx::Result<()> {
        let milli = i64::from(count) * 1_000;
        self.all.milli = (self.all.milli - milli).max(0);
        sqlx::query!(
            "update billing.bucket set milli = greatest(0, milli - $3)
             where rail = $1 and endpoint in ($2, 'all')",
            self.rail,
            endpoint,
            milli,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// A bucket as it is now, held until the transaction ends.
async fn bucket(
    conn: &mut PgConnection,
    rail: &str,
    endpoint: &str,
    limit: u32,
    now: Timestamp,
) -> sqlx::Result<Bucket> {
    let full = Bucket { milli: 0, at: now - SignedDuration::from_secs(1) };
    let full = full.filled(limit, now);
    let row = sqlx::query!(
        r#"insert into billing.bucket as bucket (rail, endpoint, milli, at) values ($1, $2, $3, $4)
           on conflict (rail, endpoint) do update set at = bucket.at
           returning milli, at as "at: jiff_sqlx::Timestamp""#,
        rail,
        endpoint,
        full.milli,
        now.to_sqlx() as _,
    );
    let row = row.fetch_one(&mut *conn).await?;
    let bucket = Bucket { milli: row.milli, at: row.at.to_jiff() }.filled(limit, now);
    sqlx::query!(
        "update billing.bucket set milli = $3, at = $4 where rail = $1 and endpoint = $2",
        rail,
        endpoint,
        bucket.milli,
        bucket.at.to_sqlx() as _,
    )
    .execute(conn)
    .await?;
    Ok(bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_sees_more_than_the_limit() {
        let begin = Timestamp::UNIX_EPOCH;
        let mut bucket = Bucket { milli: 0, at: begin };
        let mut left = Vec::new();
        for tick in 0..10_000_i64 {
            let now = begin + SignedDuration::from_millis(tick);
            bucket = bucket.filled(25, now);
            let taken = bucket.whole();
            bucket.milli -= i64::from(taken) * 1_000;
            left.extend(std::iter::repeat_n(tick, usize::try_from(taken).unwrap()));
        }
        let in_second =
            |from: i64| left.iter().filter(|at| (from..from + 1_000).contains(at)).count();
        let most = (0..9_000).map(in_second).max().unwrap();
        assert!(most <= 25, "{most} left in one second");
        assert!(left.len() >= 190, "{} left in ten seconds", left.len());
    }

    #[test]
    fn a_clock_that_goes_back_fills_nothing() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        let empty = Bucket { milli: 0, at: now };
        assert_eq!(empty.filled(100, now - SignedDuration::from_mins(5)), empty);
    }

    #[test]
    fn waits_grow_to_an_hour_and_heed_the_rail() {
        assert_eq!(wait(1, 0, None), SignedDuration::from_secs(1));
        assert_eq!(wait(5, 0, None), SignedDuration::from_secs(16));
        assert_eq!(wait(40, 0, None), LONGEST_WAIT);
        assert!(wait(1, 255, None) < SignedDuration::from_millis(1_250));
        assert_eq!(wait(1, 9, Some(SignedDuration::from_mins(1))), SignedDuration::from_mins(1));
        assert_eq!(wait(1, 9, Some(SignedDuration::from_hours(99))), LONGEST_WAIT);
    }
}
