//! Which root keys control planes that run have, and what is sealed under which.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;
use work::sealed::KeyId;

use super::signing_keys;

/// A control plane that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// What it calls itself, for as long as it runs.
    pub id: Uuid,
    /// With these it opens.
    pub opens: Vec<KeyId>,
    /// Under this one it seals.
    pub seals: KeyId,
}

/// One after the other: of two that agree on a key at once, the second knows what the first has said.
///
/// # Errors
/// The database.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("lock table control.replica in share row exclusive mode").execute(conn).await?;
    Ok(())
}

/// Those that were seen since then.
///
/// # Errors
/// The database.
pub async fn seen(conn: &mut PgConnection, since: Timestamp) -> sqlx::Result<Vec<Replica>> {
    let rows = sqlx::query!(
        "select id, opens, seals from control.replica where seen_at >= $1 order by id",
        since.to_sqlx(),
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    Ok(rows
        .filter_map(|row| {
            let opens = row.opens.iter().filter_map(|key| KeyId::from_bytes(key)).collect();
            Some(Replica { id: row.id, opens, seals: KeyId::from_bytes(&row.seals)? })
        })
        .collect())
}

/// It runs, and has these; who was not seen since then is forgotten.
///
/// # Errors
/// The database.
pub async fn put(
    conn: &mut PgConnection,
    replica: &Replica,
    (now, since): (Timestamp, Timestamp),
) -> sqlx::Result<()> {
    let opens: Vec<_> = replica.opens.iter().map(|key| key.bytes().to_vec()).collect();
    sqlx::query!(
        "insert into control.replica (id, opens, seals, seen_at) values ($1, $2, $3, $4)
         on conflict (id) do update
         set opens = excluded.opens, seals = excluded.seals, seen_at = excluded.seen_at",
        replica.id,
        &opens,
        &replica.seals.bytes(),
        now.to_sqlx(),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from control.replica where seen_at < $1", since.to_sqlx())
        .execute(conn)
        .await?;
    Ok(())
}

/// It runs no more.
///
/// # Errors
/// The database.
pub async fn remove(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from control.replica where id = $1", id).execute(conn).await?;
    Ok(())
}

/// How many secrets of webhooks are sealed under which key.
///
/// # Errors
/// The database.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<Vec<(KeyId, i64)>> {
    let rows = sqlx::query!(
        r#"select substr(secret, 2, 8) as "key!", count(*) as "count!" from (
               select secret from control.endpoint
               union all
               select secret_before from control.endpoint where secret_before is not null
           ) as sealed group by 1"#
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    Ok(rows.filter_map(|row| Some((KeyId::from_bytes(&row.key)?, row.count))).collect())
}

/// How many client secrets of providers are sealed under which key.
///
/// # Errors
/// The database.
pub async fn counts_of_providers(conn: &mut PgConnection) -> sqlx::Result<Vec<(KeyId, i64)>> {
    let rows = sqlx::query!(
        r#"select substr(client_secret, 2, 8) as "key!", count(*) as "count!"
           from control.single_sign_on group by 1"#
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    Ok(rows.filter_map(|row| Some((KeyId::from_bytes(&row.key)?, row.count))).collect())
}

/// Whether anything is sealed under this key: a webhook's secret, a provider's, a key that
/// signs, a second factor.
///
/// # Errors
/// The database.
pub async fn is_used(conn: &mut PgConnection, key: KeyId) -> sqlx::Result<bool> {
    let ours = sqlx::query_scalar!(
        r#"select exists (select from control.endpoint where substr(secret, 2, 8) = $1)
               or exists (select from control.endpoint
                          where secret_before is not null and substr(secret_before, 2, 8) = $1)
               or exists (select from control.single_sign_on where substr(client_secret, 2, 8) = $1)
               as "is_used!""#,
        &key.bytes(),
    );
    let is_used = ours.fetch_one(&mut *conn).await?;
    Ok(is_used
        || signing_keys::are_under(&mut *conn, key).await?
        || accounts::resealing::is_used(conn, key).await?)
}

/// An endpoint with its secrets, sealed.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Which.
    pub id: Uuid,
    /// The one that counts.
    pub secret: Vec<u8>,
    /// The one before it.
    pub before: Option<Vec<u8>>,
}

/// Some that have something sealed under these keys, from behind this one on.
///
/// # Errors
/// The database.
pub async fn sealed_under(
    conn: &mut PgConnection,
    keys: impl Iterator<Item = KeyId>,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Endpoint>> {
    let keys: Vec<_> = keys.map(|key| key.bytes().to_vec()).collect();
    sqlx::query_as!(
        Endpoint,
        "select id, secret, secret_before as before from control.endpoint
         where id > $2 and id in (
             select id from control.endpoint where substr(secret, 2, 8) = any($1)
             union all
             select id from control.endpoint
             where secret_before is not null and substr(secret_before, 2, 8) = any($1)
         ) order by id limit $3",
        &keys,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Puts these secrets in the place of those, unless there are others by now; whether it did.
///
/// # Errors
/// The database.
pub async fn replace(
    conn: &mut PgConnection,
    was: &Endpoint,
    anew: &Endpoint,
) -> sqlx::Result<bool> {
    let put = sqlx::query!(
        "update control.endpoint set secret = $2, secret_before = $3
         where id = $1 and secret = $4 and secret_before is not distinct from $5",
        was.id,
        anew.secret,
        anew.before.as_deref(),
        was.secret,
        was.before.as_deref(),
    );
    Ok(put.execute(conn).await?.rows_affected() == 1)
}

/// What a provider knows us by, sealed.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Whose.
    pub organization: Uuid,
    /// The client secret.
    pub secret: Vec<u8>,
}

/// Some that are sealed under these keys, from behind this one on.
///
/// # Errors
/// The database.
pub async fn providers_sealed_under(
    conn: &mut PgConnection,
    keys: impl Iterator<Item = KeyId>,
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Provider>> {
    let keys: Vec<_> = keys.map(|key| key.bytes().to_vec()).collect();
    sqlx::query_as!(
        Provider,
        "select organization, client_secret as secret from control.single_sign_on
         where organization > $2 and substr(client_secret, 2, 8) = any($1)
         order by organization limit $3",
        &keys,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Puts this secret in the place of that, unless there is another one by now; whether it did.
///
/// # Errors
/// The database.
pub async fn replace_of_provider(
    conn: &mut PgConnection,
    was: &Provider,
    anew: &[u8],
) -> sqlx::Result<bool> {
    let put = sqlx::query!(
        "update control.single_sign_on set client_secret = $2
         where organization = $1 and client_secret = $3",
        was.organization,
        anew,
        was.secret,
    );
    Ok(put.execute(conn).await?.rows_affected() == 1)
}
