//! Second factors, as they are stored.
//!
//! The secret of an app has to be known to be checked, so it is sealed, and opens in its person's row
//! alone. Codes on paper are stored as hashes. Both are taken in one statement that finds them good:
//! of two who send the same one at once, one is refused.
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgConnection;
use uuid::Uuid;
use work::sealed::{self, KeyRing, Place};

use crate::proof::{Proof, RecoveryCode};
use crate::totp::Secret;

/// So many codes on paper.
const CODES: usize = 10;

/// What secrets are sealed with here.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// The root keys.
    pub keys: &'a KeyRing,
    /// The platform's name, or `control`.
    pub tenant: &'a str,
}

/// What a person has beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// Since when.
    pub since: Timestamp,
    /// Codes on paper that are still good.
    pub recovery_codes: i64,
}

/// Why a factor could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Sealed with another key, or in another place.
    #[error("a second factor: {0}")]
    Sealed(#[from] sealed::Error),
    /// The database.
    #[error("use the second factor")]
    Database(#[from] sqlx::Error),
}

/// What this person has beside the password, if anything.
pub async fn of(conn: &mut PgConnection, person_id: Uuid) -> sqlx::Result<Option<SecondFactor>> {
    let row = sqlx::query!(
        r#"select confirmed_at as "confirmed_at!", (
               select count(*) from accounts.recovery_code
               where recovery_code.person_id = totp.person_id and used_at is null
           ) as "left!"
           from accounts.totp where person_id = $1 and confirmed_at is not null"#,
        person_id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| SecondFactor { since: row.confirmed_at.to_jiff(), recovery_codes: row.left }))
}

/// Whether a password alone does not let this person in.
pub async fn has(conn: &mut PgConnection, person_id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from accounts.totp where person_id = $1 and confirmed_at is not null
           ) as "has!""#,
        person_id,
    )
    .fetch_one(conn)
    .await
}

/// Takes the person's second factor away; false where there is none. Who calls this has seen a proof,
/// or runs the place.
pub async fn remove(conn: &mut PgConnection, person_id: Uuid) -> sqlx::Result<bool> {
    sqlx::query!("delete from accounts.recovery_code where person_id = $1", person_id)
        .execute(&mut *conn)
        .await?;
    let done = sqlx::query!("delete from accounts.totp where person_id = $1", person_id)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// A new secret for this session to confirm, in place of one that was not; `None` where one is
/// confirmed already.
pub(crate) async fn offer(
    conn: &mut PgConnection,
    sealing: Sealing<'_>,
    (person_id, session_id): (Uuid, Uuid),
    now: Timestamp,
) -> Result<Option<Secret>, StoreError> {
    let secret = Secret::random();
    let sealed = sealing.seal(person_id, &secret)?;
    let done = sqlx::query!(
        "insert into accounts.totp (person_id, secret, begun_from, begun_at, last_step)
         values ($1, $2, $3, $4, 0)
         on conflict (person_id) do update
         set secret = excluded.secret, begun_from = excluded.begun_from,
             begun_at = excluded.begun_at
         where totp.confirmed_at is null",
        person_id,
        sealed,
        session_id,
        now.to_sqlx(),
    )
    .execute(conn)
    .await?;
    Ok((done.rows_affected() > 0).then_some(secret))
}

/// The secret that this session is to confirm, if it began after `since`.
pub(crate) async fn offered(
    conn: &mut PgConnection,
    sealing: Sealing<'_>,
    (person_id, session_id): (Uuid, Uuid),
    since: Timestamp,
) -> Result<Option<Secret>, StoreError> {
    let sealed = sqlx::query_scalar!(
        "select secret from accounts.totp
         where person_id = $1 and begun_from = $2 and begun_at > $3 and confirmed_at is null
         for no key update",
        person_id,
        session_id,
        since.to_sqlx(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(sealed.map(|sealed| sealing.open(person_id, &sealed)).transpose()?)
}

/// From now on it is asked for; the code that showed it is used up.
pub(crate) async fn confirm(
    conn: &mut PgConnection,
    person_id: Uuid,
    step: i64,
    now: Timestamp,
) -> sqlx::Result<()> {
    // Who is signing in by password alone holds a share of this lock, and is done when we get it.
    sqlx::query!("select id from accounts.person where id = $1 for no key update", person_id)
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query!(
        "update accounts.totp set confirmed_at = $2, last_step = $3 where person_id = $1",
        person_id,
        now.to_sqlx(),
        step,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// New codes on paper, in place of those there are.
pub(crate) async fn new_codes(
    conn: &mut PgConnection,
    person_id: Uuid,
) -> sqlx::Result<Vec<RecoveryCode>> {
    let codes: Vec<_> = (0..CODES).map(|_| RecoveryCode::random()).collect();
    let hashes: Vec<_> = codes.iter().map(|code| code.hash(person_id).to_vec()).collect();
    sqlx::query!("delete from accounts.recovery_code where person_id = $1", person_id)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into accounts.recovery_code (person_id, hash) select $1, unnest($2::bytea[])",
        person_id,
        &hashes,
    )
    .execute(conn)
    .await?;
    Ok(codes)
}

/// Uses a proof up; false where it is not good, or was used.
pub(crate) async fn take(
    conn: &mut PgConnection,
    sealing: Sealing<'_>,
    person_id: Uuid,
    proof: &Proof,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = match proof {
        Proof::Code(code) => {
            let found = sqlx::query!(
                "select secret, last_step from accounts.totp
                 where person_id = $1 and confirmed_at is not null for no key update",
                person_id,
            )
            .fetch_optional(&mut *conn)
            .await?;
            let Some(found) = found else { return Ok(false) };
            let secret = sealing.open(person_id, &found.secret)?;
            let Some(step) = secret.step_of(*code, now, found.last_step) else { return Ok(false) };
            sqlx::query!(
                "update accounts.totp set last_step = $2 where person_id = $1 and last_step < $2",
                person_id,
                step,
            )
            .execute(conn)
            .await?
        }
        Proof::Recovery(code) => {
            sqlx::query!(
                "update accounts.recovery_code set used_at = $3
                 where person_id = $1 and hash = $2 and used_at is null",
                person_id,
                &code.hash(person_id),
                now.to_sqlx(),
            )
            .execute(conn)
            .await?
        }
    };
    Ok(done.rows_affected() > 0)
}

impl Sealing<'_> {
    fn seal(&self, person_id: Uuid, secret: &Secret) -> Result<Vec<u8>, sealed::Error> {
        let field = format!("secret of {person_id}");
        self.keys.seal(self.place(&field), &secret.text())
    }

    fn open(&self, person_id: Uuid, sealed: &[u8]) -> Result<Secret, sealed::Error> {
        let field = format!("secret of {person_id}");
        let text = self.keys.open(self.place(&field), sealed)?;
        Secret::read(&text).ok_or(sealed::Error::Malformed)
    }

    /// A person's secret, sealed by the key that seals now.
    pub(crate) fn sealed_anew(
        &self,
        person_id: Uuid,
        sealed: &[u8],
    ) -> Result<Vec<u8>, sealed::Error> {
        let field = format!("secret of {person_id}");
        self.keys.sealed_anew(self.place(&field), sealed)
    }

    fn place<'b>(&'b self, field: &'b str) -> Place<'b> {
        Place { tenant: self.tenant, table: "accounts.totp", field }
    }
}
