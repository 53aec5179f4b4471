//! Who signed in or changed how they do, when and from where: for people to see that it was them.
//!
//! Failures get no rows of their own, a flood of them would fill the table, and a row only for
//! accounts that exist would take time that shows they do. What failed is told with the success
//! that follows.
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::id::new_id;
use crate::{Email, Visit};

/// How long events are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The account was made.
    SignedUp,
    /// By password.
    SignedIn,
    /// By a one-time link.
    SignedInByLink,
    /// By password, and a code on paper in place of one of the app.
    SignedInByRecoveryCode,
    /// By a key of a device.
    SignedInByPasskey,
    /// By somebody else who vouched for them, in the place that trusts those alone.
    SignedInByProvider,
    /// By the person; sessions that end by themselves leave no event.
    SignedOut,
    /// By the person, who proved the old one.
    PasswordChanged,
    /// From then on the password alone lets nobody in.
    SecondFactorSetUp,
    /// By the person, who proved it.
    SecondFactorTurnedOff,
    /// In place of those there were.
    RecoveryCodesMade,
    /// By the person, who proved to be that person.
    PasskeyAdded,
    /// By the person.
    PasskeyRemoved,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::SignedUp,
        Self::SignedIn,
        Self::SignedInByLink,
        Self::SignedInByRecoveryCode,
        Self::SignedInByPasskey,
        Self::SignedInByProvider,
        Self::SignedOut,
        Self::PasswordChanged,
        Self::SecondFactorSetUp,
        Self::SecondFactorTurnedOff,
        Self::RecoveryCodesMade,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::SignedUp => "signed-up",
            Self::SignedIn => "signed-in",
            Self::SignedInByLink => "signed-in-by-link",
            Self::SignedInByRecoveryCode => "signed-in-by-recovery-code",
            Self::SignedInByPasskey => "signed-in-by-passkey",
            Self::SignedInByProvider => "signed-in-by-provider",
            Self::SignedOut => "signed-out",
            Self::PasswordChanged => "password-changed",
            Self::SecondFactorSetUp => "second-factor-set-up",
            Self::SecondFactorTurnedOff => "second-factor-turned-off",
            Self::RecoveryCodesMade => "recovery-codes-made",
            Self::PasskeyAdded => "passkey-added",
            Self::PasskeyRemoved => "passkey-removed",
        }
    }
}

/// A thing that happened to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// Attempts that had failed on this account since the last success.
    pub failures: i32,
    /// Such as "Firefox on Linux".
    pub device: String,
    /// Where it was done from.
    pub ip: String,
    /// When.
    pub at: Timestamp,
}

/// Whether whoever has this account was here from this address of late. By it nobody learns of an account:
/// who asks is at that address. Where a provider let somebody in, it was whom the provider said.
pub async fn was_here_from(
    conn: &mut PgConnection,
    email: &Email,
    ip: IpAddr,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from accounts.event join accounts.person on person.id = person_id
               where email = $1 and ip = $2 and kind <> 'signed-in-by-provider'
           ) as "was_here!""#,
        email.as_str(),
        ip.to_string(),
    )
    .fetch_one(conn)
    .await
}

/// Writes down what happened.
pub(crate) async fn record(
    conn: &mut PgConnection,
    kind: Kind,
    person_id: Uuid,
    failures: i32,
    visit: &Visit,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into accounts.event (id, person_id, kind, failures, device, ip, at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        new_id(now),
        person_id,
        kind.as_str(),
        failures,
        visit.device,
        visit.ip.to_string(),
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A person's last events, the newest first; 1 to 200 of them.
pub async fn list(
    conn: &mut PgConnection,
    person_id: Uuid,
    limit: usize,
) -> sqlx::Result<Vec<Event>> {
    let rows = sqlx::query!(
        "select kind, failures, device, ip, at from accounts.event
         where person_id = $1 order by id desc limit $2",
        person_id,
        i64::try_from(limit.clamp(1, 200)).unwrap_or(200),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == row.kind);
            let unknown = || sqlx::Error::Decode(format!("unknown event {:?}", row.kind).into());
            Ok(Event {
                kind: kind.ok_or_else(unknown)?,
                failures: row.failures,
                device: row.device,
                ip: row.ip,
                at: row.at.to_jiff(),
            })
        })
        .collect()
}

/// Removes events older than 90 days.
pub(crate) async fn prune(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<u64> {
    let done = sqlx::query!("delete from accounts.event where at < $1", (now - KEPT).to_sqlx())
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
