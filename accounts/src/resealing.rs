//! Secrets of second factors, from one root key to the next.
//!
//! A secret is put in the place of the very bytes that it was read from: whoever set up another one
//! meanwhile keeps that.
use sqlx::PgConnection;
use uuid::Uuid;
use work::sealed::KeyId;

use crate::factors::Sealing;

/// Rows that are looked at in one go.
pub const BATCH: i64 = 100;

/// What was done in one go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Sealed under the key that seals now.
    pub sealed: usize,
    /// Could not be opened, and are as they were.
    pub refused: usize,
    /// The last that was looked at; `None`: there was nothing any more.
    pub last: Option<Uuid>,
}

/// Some of what the other keys sealed, from behind this person on.
pub async fn batch(
    conn: &mut PgConnection,
    sealing: Sealing<'_>,
    after: Uuid,
) -> sqlx::Result<Batch> {
    let others: Vec<_> = sealing.keys.ids().skip(1).map(|id| id.bytes().to_vec()).collect();
    let rows = sqlx::query!(
        "select person_id, secret from accounts.totp
         where substr(secret, 2, 8) = any($1) and person_id > $2 order by person_id limit $3",
        &others,
        after,
        BATCH,
    );
    let mut done = Batch::default();
    for row in rows.fetch_all(&mut *conn).await? {
        done.last = Some(row.person_id);
        let Ok(anew) = sealing.sealed_anew(row.person_id, &row.secret) else {
            done.refused += 1;
            continue;
        };
        let put = sqlx::query!(
            "update accounts.totp set secret = $2 where person_id = $1 and secret = $3",
            row.person_id,
            anew,
            row.secret,
        );
        done.sealed += usize::from(put.execute(&mut *conn).await?.rows_affected() == 1);
    }
    Ok(done)
}

/// How many secrets are sealed under which key.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<Vec<(KeyId, i64)>> {
    let rows = sqlx::query!(
        r#"select substr(secret, 2, 8) as "key!", count(*) as "count!"
           from accounts.totp group by 1"#
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    Ok(rows.filter_map(|row| Some((KeyId::from_bytes(&row.key)?, row.count))).collect())
}

/// Whether any secret is sealed under this key.
pub async fn is_used(conn: &mut PgConnection, key: KeyId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from accounts.totp where substr(secret, 2, 8) = $1
           ) as "is_used!""#,
        &key.bytes(),
    )
    .fetch_one(conn)
    .await
}
