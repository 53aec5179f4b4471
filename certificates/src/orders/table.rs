//! Orders, certificates and answers to challenges in the database.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as Sql, ToSqlx as _};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;
use work::sealed::{self, Place, RootKey};

use super::{Order, TAKEN};
use crate::acme::Trouble;
use crate::chain::Chain;
use crate::limits;
use crate::sealed_text;

/// What an edge answers to an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// For which name.
    pub name: String,
    /// The body.
    pub text: String,
}

/// The table's and the key's part of where a key is sealed.
pub(crate) fn key_field(id: Uuid) -> String {
    format!("key:{id}")
}

/// A place for a key of a certificate.
pub(crate) fn key_place(field: &str) -> Place<'_> {
    Place { tenant: "fleet", table: "certificates.certificate", field }
}

struct Row {
    id: Uuid,
    name: String,
    replaces: Option<String>,
    authority: Option<String>,
    url: Option<String>,
    refusals: i16,
    silent_since: Option<Sql>,
    failure: Option<String>,
    key: Vec<u8>,
    csr: Vec<u8>,
}

impl From<Row> for Order {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            replaces: row.replaces,
            authority: row.authority,
            url: row.url,
            refusals: u8::try_from(row.refusals).unwrap_or(u8::MAX),
            silent_since: row.silent_since.map(Sql::to_jiff),
            failure: row.failure,
            key: row.key,
            csr: row.csr,
        }
    }
}

/// Orders a certificate for a name, unless one is ordered already. Its key is made now, so that
/// whatever becomes of the order, the key is here.
///
/// # Errors
/// The database, or the making of a key.
pub async fn want(
    conn: &mut PgConnection,
    root: &RootKey,
    name: &str,
    now: Timestamp,
) -> Result<bool, Trouble> {
    let is_open = sqlx::query_scalar!(
        r#"select exists (select from certificates.acme_order where name = $1 and state = 'open')
               as "is_open!""#,
        name
    );
    if is_open.fetch_one(&mut *conn).await? {
        return Ok(false);
    }
    let id = Uuid::now_v7();
    let ours = |error: &dyn std::fmt::Display| Trouble::Ours(error.to_string());
    let key = KeyPair::generate().map_err(|error| ours(&error))?;
    let mut params = CertificateParams::new([name.to_owned()]).map_err(|error| ours(&error))?;
    params.distinguished_name = DistinguishedName::new();
    let csr = params.serialize_request(&key).map_err(|error| ours(&error))?;
    let text: SecretString = sealed_text::text(key.serialized_der());
    let field = key_field(id);
    let sealed = sealed::seal(root, key_place(&field), &text).map_err(|error| ours(&error))?;
    let done = sqlx::query!(
        "insert into certificates.acme_order
             (id, name, replaces, key, csr, state, next_at, begun_at)
         select $1, $2, (select identifier from certificates.certificate
                         where name = $2 and replaced_at is null),
                $3, $4, 'open', $5, $5
         on conflict (name) where state = 'open' do nothing",
        id,
        name,
        sealed,
        csr.der().as_ref(),
        now.to_sqlx() as Sql,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes in a certificate that came another way, such as one for a whole zone that somebody bought.
/// It counts from now on, and is renewed like any other once its name is somebody's. The key is PEM.
///
/// # Errors
/// The database, a key that is none, or a chain that is not for this name and this key.
pub async fn bring(
    conn: &mut PgConnection,
    root: &RootKey,
    name: &str,
    chain: String,
    key: &str,
    now: Timestamp,
) -> Result<Uuid, Trouble> {
    let ours = |error: &dyn std::fmt::Display| Trouble::Ours(error.to_string());
    let key = KeyPair::from_pem(key).map_err(|error| ours(&error))?;
    let public = rcgen::PublicKeyData::subject_public_key_info(&key);
    let chain = Chain::read(chain, name, &public).map_err(|useless| ours(&useless))?;
    let id = Uuid::now_v7();
    let field = key_field(id);
    let text: SecretString = sealed_text::text(key.serialized_der());
    let sealed = sealed::seal(root, key_place(&field), &text).map_err(|error| ours(&error))?;
    put(conn, Put { id, name, authority: "brought", chain: &chain, key: &sealed }, now).await?;
    Ok(id)
}

/// Names that have been proven and have no certificate, or one that is to be renewed by now; at
/// most so many. What belongs to a platform that has ended is nobody's to be met under.
///
/// # Errors
/// The database.
pub async fn due_for_renewal(
    conn: &mut PgConnection,
    most: i64,
    now: Timestamp,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select claim.name from certificates.claim
         left join certificates.certificate
                on certificate.name = claim.name and certificate.replaced_at is null
         where claim.state = 'verified'
           and (certificate.id is null or certificate.renew_at <= $1)
           and not exists (select from certificates.platform
                           where platform.uid = claim.tenant_uid and platform.state = 'gone')
           and not exists (select from certificates.acme_order
                           where acme_order.name = claim.name and acme_order.state = 'open')
         order by certificate.not_after nulls first limit $2",
        now.to_sqlx() as Sql,
        most,
    )
    .fetch_all(conn)
    .await
}

/// Whether the service's own certificate of this name is missing, or to be renewed by now.
///
/// # Errors
/// The database.
pub async fn is_due(conn: &mut PgConnection, name: &str, now: Timestamp) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select not exists (select from certificates.certificate
                              where name = $1 and replaced_at is null and renew_at > $2)
              and not exists (select from certificates.acme_order
                              where name = $1 and state = 'open') as "is_due!""#,
        name,
        now.to_sqlx() as Sql,
    )
    .fetch_one(conn)
    .await
}

/// Takes orders that are to be advanced by now, at most so many.
pub(super) async fn take(
    conn: &mut PgConnection,
    most: i64,
    now: Timestamp,
) -> sqlx::Result<Vec<Order>> {
    let rows = sqlx::query_as!(
        Row,
        "update certificates.acme_order set next_at = $3
         where id in (select id from certificates.acme_order
                      where next_at <= $1 and state = 'open'
                      order by next_at limit $2 for update skip locked)
         returning id, name, replaces, authority, url, refusals, silent_since, failure, key, csr",
        now.to_sqlx() as Sql,
        most,
        (now + TAKEN).to_sqlx() as Sql,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Order::from).collect())
}

/// When the next order is to be advanced.
///
/// # Errors
/// The database.
pub async fn next_due(conn: &mut PgConnection) -> sqlx::Result<Option<Timestamp>> {
    let next = sqlx::query_scalar!(
        r#"select min(next_at) as "next: Sql" from certificates.acme_order where state = 'open'"#
    );
    Ok(next.fetch_one(conn).await?.map(Sql::to_jiff))
}

/// The open order for a name.
///
/// # Errors
/// The database.
pub async fn open(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<Order>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, replaces, authority, url, refusals, silent_since, failure, key, csr
         from certificates.acme_order where name = $1 and state = 'open'",
        name
    );
    Ok(row.fetch_optional(conn).await?.map(Order::from))
}

/// An authority has taken the order. False where another run gave it to one meanwhile.
pub(super) async fn given(
    conn: &mut PgConnection,
    id: Uuid,
    authority: &str,
    url: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update certificates.acme_order set authority = $2, url = $3, silent_since = null
         where id = $1 and state = 'open' and url is null",
        id,
        authority,
        url
    )
    .execute(&mut *conn)
    .await?;
    // Its place has been used.
    sqlx::query!("delete from certificates.place where order_id = $1 and queue = 'order'", id)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// What every edge is to answer from now on.
pub(super) async fn put_answer(
    conn: &mut PgConnection,
    token: &str,
    name: &str,
    text: &str,
    until: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into certificates.challenge (token, name, answer, until) values ($1, $2, $3, $4)
         on conflict (token) do update set answer = excluded.answer, until = excluded.until",
        token,
        name,
        text,
        until.to_sqlx() as Sql,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What is to be answered to an authority that asks for a token.
///
/// # Errors
/// The database.
pub async fn answer(conn: &mut PgConnection, token: &str) -> sqlx::Result<Option<Answer>> {
    sqlx::query_as!(
        Answer,
        "select name, answer as text from certificates.challenge where token = $1",
        token
    )
    .fetch_optional(conn)
    .await
}

/// What is to be answered to an authority that asks for a name, by TLS.
///
/// # Errors
/// The database.
pub async fn answer_for(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "select answer from certificates.challenge where name = $1 order by until desc limit 1",
        name
    )
    .fetch_optional(conn)
    .await
}

/// The certificate of a name that counts.
///
/// # Errors
/// The database.
pub async fn current(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<Chain>> {
    let row = sqlx::query!(
        r#"select chain, identifier, not_before as "not_before: Sql", not_after as "not_after: Sql"
           from certificates.certificate where name = $1 and replaced_at is null"#,
        name
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Chain {
        pem: row.chain,
        identifier: row.identifier,
        not_before: row.not_before.to_jiff(),
        not_after: row.not_after.to_jiff(),
    }))
}

/// The certificate is there: it counts from now on, and edges are told. False where another run
/// was quicker.
pub(super) async fn store(
    conn: &mut PgConnection,
    order: &Order,
    authority: &str,
    chain: &Chain,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let ended = sqlx::query!(
        "update certificates.acme_order set state = 'issued', ended_at = $2, failure = null
         where id = $1 and state = 'open'",
        order.id,
        now.to_sqlx() as Sql,
    )
    .execute(&mut *conn)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!("delete from certificates.place where order_id = $1", order.id)
        .execute(&mut *conn)
        .await?;
    let Order { id, name, key, .. } = order;
    put(conn, Put { id: *id, name, authority, chain, key }, now).await?;
    sqlx::query!("delete from certificates.challenge where name = $1", order.name)
        .execute(&mut *conn)
        .await?;
    sqlx::query_scalar!(r#"select pg_notify('certificates', $1)::text as "told""#, order.name)
        .fetch_one(conn)
        .await?;
    Ok(true)
}

/// A certificate, with its sealed key.
struct Put<'a> {
    id: Uuid,
    name: &'a str,
    authority: &'a str,
    chain: &'a Chain,
    key: &'a [u8],
}

/// It counts from now on, in place of the one before.
async fn put(conn: &mut PgConnection, put: Put<'_>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "update certificates.certificate set replaced_at = $2
         where name = $1 and replaced_at is null",
        put.name,
        now.to_sqlx() as Sql,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into certificates.certificate
             (id, name, authority, chain, key, identifier, not_before, not_after, issued_at, renew_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        put.id,
        put.name,
        put.authority,
        put.chain.pem,
        put.key,
        put.chain.identifier,
        put.chain.not_before.to_sqlx() as Sql,
        put.chain.not_after.to_sqlx() as Sql,
        now.to_sqlx() as Sql,
        put.chain.renew_at().to_sqlx() as Sql,
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// A certificate whose authority is asked when to renew it.
pub(super) struct Asked {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) authority: String,
    pub(super) identifier: String,
}

/// Takes certificates that are to be asked about by now, at most so many; without an answer they
/// are asked about again in half a day.
pub(super) async fn due_for_asking(
    conn: &mut PgConnection,
    most: i64,
    now: Timestamp,
) -> sqlx::Result<Vec<Asked>> {
    sqlx::query_as!(
        Asked,
        "update certificates.certificate set ask_at = $3
         where id in (select id from certificates.certificate
                      where ask_at <= $1 and replaced_at is null and not_after > $1
                      order by ask_at limit $2 for update skip locked)
         returning id, name, authority, identifier",
        now.to_sqlx() as Sql,
        most,
        (now + SignedDuration::from_hours(12)).to_sqlx() as Sql,
    )
    .fetch_all(conn)
    .await
}

/// It is renewed at this time, unless a time that was chosen before is still within; and never
/// so late that it might be too late.
pub(super) async fn renew_within(
    conn: &mut PgConnection,
    id: Uuid,
    [start, at, end]: [Timestamp; 3],
    ask_at: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update certificates.certificate
         set ask_at = $5,
             renew_at = case when renew_at between $2 and $4 then renew_at
                             else least($3, not_after - (not_after - not_before) / 10) end
         where id = $1 and replaced_at is null",
        id,
        start.to_sqlx() as Sql,
        at.to_sqlx() as Sql,
        end.to_sqlx() as Sql,
        ask_at.to_sqlx() as Sql,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Where an order is to go on, after trouble.
pub(super) struct Later<'a> {
    pub(super) at: Timestamp,
    pub(super) refusals: u8,
    pub(super) silent_since: Option<Timestamp>,
    pub(super) failure: &'a str,
    /// Where the order is, for all that this run knows: another may have got further since.
    pub(super) known: Option<&'a str>,
    /// It is to be given to an authority anew.
    pub(super) anew: bool,
}

pub(super) async fn later(
    conn: &mut PgConnection,
    id: Uuid,
    later: &Later<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update certificates.acme_order
         set next_at = $2, refusals = $3, failure = $5,
             silent_since = case when url is not distinct from $7 then $4::timestamptz end,
             url = case when $6 and url is not distinct from $7 then null else url end,
             authority = case when $6 and url is not distinct from $7 then null else authority end
         where id = $1 and state = 'open'",
        id,
        later.at.to_sqlx() as Sql,
        i16::from(later.refusals),
        later.silent_since.map(jiff_sqlx::ToSqlx::to_sqlx) as Option<Sql>,
        later.failure,
        later.anew,
        later.known,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes answers that nobody will ask for any more, and forgets limits that nobody is near.
///
/// # Errors
/// The database.
pub async fn tidy(conn: &mut PgConnection, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!("delete from certificates.challenge where until < $1", now.to_sqlx() as Sql)
        .execute(&mut *conn)
        .await?;
    limits::tidy(conn, now).await
}
