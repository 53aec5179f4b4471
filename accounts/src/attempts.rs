//! Growing delays for those who keep failing, by account and by address.
//!
//! An attempt is counted as a failure before its password is looked at, in one statement, and
//! taken back if it succeeds: so a hundred guesses at once are not one guess. A count sinks with
//! time. While somebody has to wait, attempts are neither looked at nor counted, and the wait told
//! is the wait meant.
//!
//! Unknown accounts are counted like known ones. Both go by a hash of the address into a fixed
//! number of buckets, so nothing grows with what strangers type; that two accounts share a bucket
//! is rare, and costs a short wait.
use std::fmt;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Email;

/// Buckets of each kind: at most so many rows, some 10 MB.
const BUCKETS: u32 = 1 << 17;
/// The longest wait, in seconds. The first is one second, and each is twice the former.
const LONGEST: f64 = 900.0;

/// How a kind of attempt is counted.
struct Rule {
    kind: &'static str,
    /// From this failure on, the next attempt has to wait.
    allowed: i32,
    /// Failures sink by one in this time, in seconds.
    forgiven_every: f64,
}

const ACCOUNT: Rule = Rule { kind: "account", allowed: 5, forgiven_every: 1800.0 };
/// Codes of one person. Apart from passwords, whose right one would wipe the count out: so in a year
/// of trying, who has the password finds one with a chance of one in ten, and the owner is told at
/// each sign-in what failed.
const CODE: Rule = Rule { kind: "code", allowed: 5, forgiven_every: 1800.0 };
/// A school or an office signs in from one address, so more slips are natural.
const ADDRESS: Rule = Rule { kind: "address", allowed: 20, forgiven_every: 180.0 };
/// Every sign-up counts, none is a failure; a class may sign up in one lesson.
const SIGN_UP: Rule = Rule { kind: "sign-up", allowed: 40, forgiven_every: 60.0 };

/// How long to wait before trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(i64);

impl Wait {
    /// For `Retry-After`: whole seconds, at least one.
    pub fn seconds(self) -> i64 {
        self.0
    }

    fn until(end: Timestamp, now: Timestamp) -> Self {
        let left = end.duration_since(now);
        Self((left.as_secs() + i64::from(left.subsec_nanos() > 0)).max(1))
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("one second"),
            seconds @ ..=90 => write!(f, "{seconds} seconds"),
            seconds => write!(f, "{} minutes", (seconds + 59) / 60),
        }
    }
}

/// An attempt that may go on; it stands as a failure until it is taken back.
#[derive(Debug)]
pub(crate) struct Counted {
    /// Of passwords or of codes.
    kind: &'static str,
    account: i32,
    address: i32,
    address_failures: i32,
}

/// Counts an attempt to sign in: `Err` inside if it may not go on yet.
pub(crate) async fn sign_in(
    conn: &mut PgConnection,
    email: &Email,
    ip: IpAddr,
    now: Timestamp,
) -> sqlx::Result<Result<Counted, Wait>> {
    proof(conn, &ACCOUNT, email.as_str(), ip, now).await
}

/// Counts an attempt at a person's second factor.
pub(crate) async fn code(
    conn: &mut PgConnection,
    person_id: Uuid,
    ip: IpAddr,
    now: Timestamp,
) -> sqlx::Result<Result<Counted, Wait>> {
    proof(conn, &CODE, &person_id.to_string(), ip, now).await
}

async fn proof(
    conn: &mut PgConnection,
    rule: &Rule,
    subject: &str,
    ip: IpAddr,
    now: Timestamp,
) -> sqlx::Result<Result<Counted, Wait>> {
    let secret = secret(conn).await?;
    let (account, address) = (bucket(&secret, subject), bucket(&secret, &network(ip)));
    // Looked up together first, so that who is stopped by one does not add to the other.
    let blocked = sqlx::query_scalar!(
        "select max(blocked_until) from accounts.attempt
         where (kind, bucket) in (($4, $1), ('address', $2)) and blocked_until > $3",
        account,
        address,
        now.to_sqlx(),
        rule.kind,
    )
    .fetch_one(&mut *conn)
    .await?;
    if let Some(end) = blocked {
        return Ok(Err(Wait::until(end.to_jiff(), now)));
    }
    if let Err(wait) = count(conn, rule, account, now).await? {
        return Ok(Err(wait));
    }
    Ok(count(conn, &ADDRESS, address, now).await?.map(|address_failures| Counted {
        kind: rule.kind,
        account,
        address,
        address_failures,
    }))
}

/// Counts a sign-up from an address.
pub(crate) async fn sign_up(
    conn: &mut PgConnection,
    ip: IpAddr,
    now: Timestamp,
) -> sqlx::Result<Result<(), Wait>> {
    let address = bucket(&secret(conn).await?, &network(ip));
    Ok(count(conn, &SIGN_UP, address, now).await?.map(|_| ()))
}

/// Takes an attempt back because it succeeded, and forgets what failed on the account; returns how
/// much that was. The address keeps its other failures: who has an account of his own could wipe
/// out his guesses at others.
pub(crate) async fn succeeded(
    conn: &mut PgConnection,
    counted: &Counted,
    now: Timestamp,
) -> sqlx::Result<i32> {
    let failures = sqlx::query_scalar!(
        "delete from accounts.attempt where kind = $2 and bucket = $1 returning failures",
        counted.account,
        counted.kind,
    )
    .fetch_optional(&mut *conn)
    .await?;
    sqlx::query!(
        "update accounts.attempt
         set failures = greatest(failures - 1, 0),
             blocked_until = case when failures = $2 then $3 else blocked_until end
         where kind = 'address' and bucket = $1",
        counted.address,
        counted.address_failures,
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(failures.map_or(0, |with_this_one| (with_this_one - 1).max(0)))
}

/// Removes counts that have sunk to nothing.
pub(crate) async fn prune(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<u64> {
    let day_ago = now - SignedDuration::from_hours(24);
    let done = sqlx::query!(
        "delete from accounts.attempt where last_at < $1 and blocked_until < $1",
        day_ago.to_sqlx()
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// The failures with this one, unless one has to wait.
async fn count(
    conn: &mut PgConnection,
    rule: &Rule,
    bucket: i32,
    now: Timestamp,
) -> sqlx::Result<Result<i32, Wait>> {
    let counted = sqlx::query_scalar!(
        "insert into accounts.attempt as former (kind, bucket, failures, last_at, blocked_until)
         values ($1, $2, 1, $3, $3)
         on conflict (kind, bucket) do update
         set (failures, last_at, blocked_until) = (
             select counted, $3, $3 + case
                 when counted < $4 then interval '0'
                 else least(power(2, least(counted - $4, 20)), $6) * interval '1 second'
             end
             from (select 1 + greatest(0, former.failures - greatest(0,
                 floor(extract(epoch from $3 - former.last_at)::float8 / $5)))::int as counted)
         )
         where former.blocked_until <= $3
         returning failures",
        rule.kind,
        bucket,
        now.to_sqlx(),
        rule.allowed,
        rule.forgiven_every,
        LONGEST,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(failures) = counted {
        return Ok(Ok(failures));
    }
    // Others were counted in the same moment, and now there is a wait.
    let end = sqlx::query_scalar!(
        "select blocked_until from accounts.attempt where kind = $1 and bucket = $2",
        rule.kind,
        bucket,
    )
    .fetch_optional(conn)
    .await?;
    Ok(Err(Wait::until(end.map_or(now, jiff_sqlx::Timestamp::to_jiff), now)))
}

/// The secret that buckets are chosen with, made on first use. Without it nobody can tell which
/// addresses share a bucket: else somebody could sign in with such an account of his own, and by
/// that success wipe out his guesses at another.
async fn secret(conn: &mut PgConnection) -> sqlx::Result<Vec<u8>> {
    let known = sqlx::query_scalar!("select value from accounts.secret").fetch_optional(&mut *conn);
    if let Some(secret) = known.await? {
        return Ok(secret);
    }
    let fresh: [u8; 32] = rand::random();
    sqlx::query!("insert into accounts.secret (value) values ($1) on conflict do nothing", &fresh)
        .execute(&mut *conn)
        .await?;
    sqlx::query_scalar!("select value from accounts.secret").fetch_one(conn).await
}

fn bucket(secret: &[u8], subject: &str) -> i32 {
    let hash = Sha256::new().chain_update(secret).chain_update(subject).finalize();
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % BUCKETS;
    number.cast_signed()
}

/// A household or a server has a whole /64 of IPv6 addresses.
fn network(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_whole_seconds_never_too_few() {
        let now: Timestamp = "2026-08-01T10:00:00Z".parse().unwrap();
        for (millis, seconds, words) in [
            (1, 1, "one second"),
            (1000, 1, "one second"),
            (1001, 2, "2 seconds"),
            (90_000, 90, "90 seconds"),
            (900_000, 900, "15 minutes"),
            (-5, 1, "one second"),
        ] {
            let wait = Wait::until(now + SignedDuration::from_millis(millis), now);
            assert_eq!((wait.seconds(), wait.to_string().as_str()), (seconds, words));
        }
    }

    #[test]
    fn addresses_of_one_network_are_counted_together() {
        let of = |ip: &str| network(ip.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn any_subject_has_a_bucket() {
        for subject in ["", "jane@example.com", "192.0.2.1"] {
            assert!((0..BUCKETS.cast_signed()).contains(&bucket(b"secret", subject)));
        }
    }
}
