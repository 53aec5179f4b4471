//! Keys that grants to platforms are signed with.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use work::sealed::KeyId;

/// One of them.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What it is called.
    pub id: String,
    /// The half that everybody may have.
    pub public: Vec<u8>,
    /// The other one, sealed.
    pub secret: Vec<u8>,
    /// Since when there is one.
    pub made_at: Timestamp,
    /// Since when it signs, or did.
    pub signs_since: Option<Timestamp>,
}

struct Row {
    id: String,
    public: Vec<u8>,
    secret: Vec<u8>,
    made_at: jiff_sqlx::Timestamp,
    signs_since: Option<jiff_sqlx::Timestamp>,
}

impl From<Row> for Kept {
    fn from(Row { id, public, secret, made_at, signs_since }: Row) -> Self {
        let signs_since = signs_since.map(jiff_sqlx::Timestamp::to_jiff);
        Self { id, public, secret, made_at: made_at.to_jiff(), signs_since }
    }
}

/// One after the other: of two that make the first one, the second finds the other's.
///
/// # Errors
/// The database.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("lock table control.signing_key in share row exclusive mode")
        .execute(conn)
        .await?;
    Ok(())
}

/// All of them, the one first that signs.
///
/// # Errors
/// The database.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Kept>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, public, secret, made_at, signs_since from control.signing_key
         order by signs_since desc nulls last, made_at, id"
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(Kept::from).collect())
}

/// One more.
///
/// # Errors
/// The database.
pub async fn add(conn: &mut PgConnection, new: &Kept) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into control.signing_key (id, public, secret, made_at, signs_since)
         values ($1, $2, $3, $4, $5)",
        new.id,
        new.public,
        new.secret,
        new.made_at.to_sqlx(),
        new.signs_since.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// From now on this one signs, also where the clock stands behind that of whoever said it before; false
/// where there is none such.
///
/// # Errors
/// The database.
pub async fn sign_with(conn: &mut PgConnection, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let set = sqlx::query!(
        "update control.signing_key set signs_since = greatest(
             $2, (select max(signs_since) + interval '1 microsecond' from control.signing_key)
         )
         where id = $1",
        id,
        now.to_sqlx(),
    );
    Ok(set.execute(conn).await?.rows_affected() == 1)
}

/// It is none any more; false where it was none before.
///
/// # Errors
/// The database.
pub async fn remove(conn: &mut PgConnection, id: &str) -> sqlx::Result<bool> {
    let removed = sqlx::query!("delete from control.signing_key where id = $1", id);
    Ok(removed.execute(conn).await?.rows_affected() == 1)
}

/// How many are sealed under which root key.
///
/// # Errors
/// The database.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<Vec<(KeyId, i64)>> {
    let rows = sqlx::query!(
        r#"select substr(secret, 2, 8) as "key!", count(*) as "count!"
           from control.signing_key group by 1"#
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    Ok(rows.filter_map(|row| Some((KeyId::from_bytes(&row.key)?, row.count))).collect())
}

/// Whether any is sealed under this root key.
///
/// # Errors
/// The database.
pub async fn are_under(conn: &mut PgConnection, key: KeyId) -> sqlx::Result<bool> {
    let any = sqlx::query_scalar!(
        r#"select exists (
               select from control.signing_key where substr(secret, 2, 8) = $1
           ) as "any!""#,
        &key.bytes(),
    );
    any.fetch_one(conn).await
}

/// Puts this secret in the place of that, unless there is another one by now; whether it did.
///
/// # Errors
/// The database.
pub async fn replace(conn: &mut PgConnection, was: &Kept, anew: &[u8]) -> sqlx::Result<bool> {
    let put = sqlx::query!(
        "update control.signing_key set secret = $2 where id = $1 and secret = $3",
        was.id,
        anew,
        was.secret,
    );
    Ok(put.execute(conn).await?.rows_affected() == 1)
}
