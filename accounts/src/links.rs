//! One-time links: a secret that is handed over once, and does one thing for one person.
//!
//! A link is used up in the transaction of what it does: if that fails, the link is still good; of
//! two who use it at once, one is told that it was used. A new link for the same purpose and
//! person takes the place of the former one.
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Token;
use crate::id::new_id;
use crate::token::TokenHash;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Lets the owner in, or makes the first one. 24 hours.
    AdminWelcome,
    /// Shows that an address is its person's. 24 hours.
    VerifyEmail,
    /// Sets a forgotten password anew. One hour.
    ResetPassword,
    /// Lets a pending person choose a password. 7 days.
    Invite,
}

impl Purpose {
    /// How long a link for this can be used.
    pub fn lifetime(self) -> SignedDuration {
        match self {
            Self::AdminWelcome | Self::VerifyEmail => SignedDuration::from_hours(24),
            Self::ResetPassword => SignedDuration::from_hours(1),
            Self::Invite => SignedDuration::from_hours(7 * 24),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::AdminWelcome => "admin-welcome",
            Self::VerifyEmail => "verify-email",
            Self::ResetPassword => "reset-password",
            Self::Invite => "invite",
        }
    }
}

/// A link that was just made.
#[derive(Debug)]
pub struct NewLink {
    /// What goes into the link. Nowhere else to be had again.
    pub token: Token,
    /// From then on it does nothing.
    pub expires_at: Timestamp,
}

/// What a link is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whom it is for; nobody yet only where it welcomes the first owner.
    pub person_id: Option<Uuid>,
    /// From then on it does nothing.
    pub expires_at: Timestamp,
}

/// Why a link does nothing.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No such link, or a newer one took its place, or it is for something else.
    #[error("this link is not valid; a newer one may have taken its place")]
    Unknown,
    /// It did what it was for.
    #[error("this link was used already; it works once")]
    Used,
    /// Nobody used it in time.
    #[error("this link is too old; ask for a new one")]
    Expired,
    /// The database.
    #[error("use a link")]
    Store(#[from] sqlx::Error),
}

/// Makes a link for somebody, and ends the former one for the same purpose.
pub async fn issue(
    conn: &mut PgConnection,
    purpose: Purpose,
    person_id: Option<Uuid>,
    now: Timestamp,
) -> sqlx::Result<NewLink> {
    let (token, hash) = Token::random();
    let expires_at = now + purpose.lifetime();
    store(conn, hash, (purpose, person_id), (now, expires_at)).await?;
    Ok(NewLink { token, expires_at })
}

/// Makes a link of these bits for somebody until then, unless it was made before, and ends the
/// former one for the same purpose. It is the same however often it is called: a link that was
/// used stays so.
pub(crate) async fn offer(
    conn: &mut PgConnection,
    bits: &[u8; 32],
    (purpose, person_id): (Purpose, Option<Uuid>),
    (now, expires_at): (Timestamp, Timestamp),
) -> sqlx::Result<Token> {
    let (token, hash) = Token::of_bits(bits);
    // Known already, or a later one has taken its place.
    let known = sqlx::query_scalar!(
        "select id from accounts.link where token_hash = $1
            or (purpose = $2 and person_id is not distinct from $3 and expires_at > $4)",
        hash.as_bytes(),
        purpose.as_str(),
        person_id,
        expires_at.to_sqlx(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    if known.is_none() {
        store(conn, hash, (purpose, person_id), (now, expires_at)).await?;
    }
    Ok(token)
}

async fn store(
    conn: &mut PgConnection,
    hash: TokenHash,
    (purpose, person_id): (Purpose, Option<Uuid>),
    (now, expires_at): (Timestamp, Timestamp),
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into accounts.link (id, token_hash, purpose, person_id, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (purpose, person_id) do update
         set id = excluded.id, token_hash = excluded.token_hash, used_at = null,
             created_at = excluded.created_at, expires_at = excluded.expires_at
         -- Of two who make the same, the later one must not make it good again.
         where accounts.link.token_hash <> excluded.token_hash",
        new_id(now),
        hash.as_bytes(),
        purpose.as_str(),
        person_id,
        now.to_sqlx(),
        expires_at.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What the link would do, and nothing done: for the page it leads to, which mail scanners and
/// previews open too.
pub async fn peek(
    conn: &mut PgConnection,
    token: &str,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Link, LinkError> {
    let hash = TokenHash::of(token).ok_or(LinkError::Unknown)?;
    let row = sqlx::query!(
        "select person_id, expires_at, used_at from accounts.link
         where token_hash = $1 and purpose = $2",
        hash.as_bytes(),
        purpose.as_str(),
    )
    .fetch_optional(conn)
    .await?
    .ok_or(LinkError::Unknown)?;
    let expires_at = row.expires_at.to_jiff();
    if row.used_at.is_some() {
        Err(LinkError::Used)
    } else if expires_at <= now {
        Err(LinkError::Expired)
    } else {
        Ok(Link { person_id: row.person_id, expires_at })
    }
}

/// Uses the link up. Call it in the transaction of what the link does.
pub async fn consume(
    conn: &mut PgConnection,
    token: &str,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Link, LinkError> {
    let hash = TokenHash::of(token).ok_or(LinkError::Unknown)?;
    let used = sqlx::query!(
        "update accounts.link set used_at = $3
         where token_hash = $1 and purpose = $2 and used_at is null and expires_at > $3
         returning person_id, expires_at",
        hash.as_bytes(),
        purpose.as_str(),
        now.to_sqlx(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match used {
        Some(row) => Ok(Link { person_id: row.person_id, expires_at: row.expires_at.to_jiff() }),
        // Refused either way; what peek finds is the reason.
        None => Err(peek(conn, token, purpose, now).await.err().unwrap_or(LinkError::Used)),
    }
}

/// Removes links that ended a week ago; until then people are told why they do nothing.
pub(crate) async fn prune(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<u64> {
    let week_ago = now - SignedDuration::from_hours(7 * 24);
    let done = sqlx::query!("delete from accounts.link where expires_at < $1", week_ago.to_sqlx())
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
