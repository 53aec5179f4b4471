//! Claims in the database.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::{Timestamp as Sql, ToSqlx as _};
use rand::Rng as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::{Look, Stay, Why, next_look};
use super::{Claim, QUARANTINE, State, Tenant};
use crate::names::Name;

/// A look takes no longer: nobody else looks at the claim meanwhile.
const A_LOOK_TAKES: SignedDuration = SignedDuration::from_secs(60);

struct Row {
    id: Uuid,
    name: String,
    tenant: String,
    tenant_uid: Uuid,
    token: String,
    target: String,
    state: String,
    claimed_at: Sql,
    verified_at: Option<Sql>,
    looked_at: Option<Sql>,
    misses: i16,
    why: Option<String>,
    found: Vec<String>,
}

impl TryFrom<Row> for Claim {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let state = match (row.state.as_str(), row.verified_at) {
            ("verified", Some(since)) => State::Verified(since.to_jiff()),
            ("released", _) => State::Released,
            _ => State::Pending,
        };
        // The rules for names may have become stricter since: what is stored is a name all the same.
        let name = Name::stored(&row.name);
        Ok(Self {
            id: row.id,
            name,
            tenant: Tenant { name: row.tenant, uid: row.tenant_uid },
            token: row.token,
            target: row.target,
            state,
            claimed_at: row.claimed_at.to_jiff(),
            looked_at: row.looked_at.map(Sql::to_jiff),
            misses: u8::try_from(row.misses).unwrap_or_default(),
            why: row.why.and_then(|why| why.parse().ok()),
            found: row.found,
        })
    }
}

fn read(rows: Vec<Row>) -> Result<Vec<Claim>, sqlx::Error> {
    rows.into_iter().map(Claim::try_from).collect()
}

/// What a platform claims, by name.
///
/// # Errors
/// The database.
pub async fn of_tenant(conn: &mut PgConnection, tenant: Uuid) -> sqlx::Result<Vec<Claim>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, name, tenant, tenant_uid, token, target, state, claimed_at, verified_at, looked_at,
                misses, why, found
         from certificates.claim where tenant_uid = $1 and state <> 'released' order by name",
        tenant
    )
    .fetch_all(conn)
    .await?;
    read(rows)
}

/// One claim.
///
/// # Errors
/// The database.
pub async fn find(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Claim>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, tenant, tenant_uid, token, target, state, claimed_at, verified_at, looked_at,
                misses, why, found
         from certificates.claim where id = $1",
        id
    )
    .fetch_optional(conn)
    .await?;
    row.map(Claim::try_from).transpose()
}

/// Who has proven that a name is theirs.
///
/// # Errors
/// The database.
pub async fn verified(conn: &mut PgConnection, name: &Name) -> sqlx::Result<Option<Claim>> {
    let row = sqlx::query_as!(
        Row,
        "select id, name, tenant, tenant_uid, token, target, state, claimed_at, verified_at, looked_at,
                misses, why, found
         from certificates.claim where name = $1 and state = 'verified'",
        name.as_str()
    )
    .fetch_optional(conn)
    .await?;
    row.map(Claim::try_from).transpose()
}

/// Takes the claims that are to be looked at by now, at most so many. Nobody else gets them for a
/// minute.
///
/// # Errors
/// The database.
pub async fn due(conn: &mut PgConnection, most: i64, now: Timestamp) -> sqlx::Result<Vec<Claim>> {
    let rows = sqlx::query_as!(
        Row,
        "update certificates.claim set look_at = $3
         where id in (select id from certificates.claim
                      where look_at <= $1 and state <> 'released'
                      order by look_at limit $2 for update skip locked)
         returning id, name, tenant, tenant_uid, token, target, state, claimed_at, verified_at,
                   looked_at, misses, why, found",
        now.to_sqlx() as Sql,
        most,
        (now + A_LOOK_TAKES).to_sqlx() as Sql,
    )
    .fetch_all(conn)
    .await?;
    read(rows)
}

/// When the next claim is to be looked at.
///
/// # Errors
/// The database.
pub async fn next_due(conn: &mut PgConnection) -> sqlx::Result<Option<Timestamp>> {
    let next = sqlx::query_scalar!(
        r#"select min(look_at) as "next: Sql" from certificates.claim where state <> 'released'"#
    );
    Ok(next.fetch_one(conn).await?.map(Sql::to_jiff))
}

/// Somebody says that the records are there since then: names that were not looked at since are
/// looked at now. Those that are proven are looked at in their own time: a look at them can only
/// take them away.
///
/// # Errors
/// The database.
pub async fn look_now(
    conn: &mut PgConnection,
    tenant: Uuid,
    since: Timestamp,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update certificates.claim set look_at = $3
         where tenant_uid = $1 and state = 'pending' and look_at > $3
           and (looked_at is null or looked_at < $2)",
        tenant,
        since.to_sqlx() as Sql,
        now.to_sqlx() as Sql,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A deleted platform comes back under a new blueprint: its names are its own still.
///
/// # Errors
/// The database.
pub async fn inherit(conn: &mut PgConnection, from: Uuid, to: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "update certificates.claim set tenant_uid = $2
         where tenant_uid = $1 and state <> 'released'
           and not exists (select from certificates.claim its
                           where its.tenant_uid = $2 and its.name = claim.name
                             and its.state <> 'released')",
        from,
        to,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn begun_since(
    conn: &mut PgConnection,
    tenant: Uuid,
    since: Timestamp,
) -> sqlx::Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from certificates.claim
           where tenant_uid = $1 and claimed_at > $2"#,
        tenant,
        since.to_sqlx() as Sql,
    );
    count.fetch_one(conn).await
}

/// Claims a name. Where another run was quicker, its claim stands.
pub(super) async fn begin(
    conn: &mut PgConnection,
    tenant: &Tenant,
    name: &Name,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into certificates.claim
             (id, name, tenant, tenant_uid, token, target, state, claimed_at, look_at)
         values ($1, $2, $3, $4, $5, $6, 'pending', $7, $7)
         on conflict (tenant_uid, name) where state <> 'released' do nothing",
        Uuid::now_v7(),
        name.as_str(),
        tenant.name,
        tenant.uid,
        token(),
        target(),
        now.to_sqlx() as Sql,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// 192 bits, as a TXT record can hold them.
fn token() -> String {
    let bytes: [u8; 24] = rand::rng().random();
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// 26 letters and digits, as a label can hold them.
fn target() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut rng = rand::rng();
    (0..26).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
}

/// The claim, and who else has proven the name; both stay as they are until the transaction ends.
pub(super) async fn lock(
    conn: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<(Claim, Option<Claim>)>> {
    // In one order, so that two never wait for each other.
    let rows = sqlx::query_as!(
        Row,
        "select id, name, tenant, tenant_uid, token, target, state, claimed_at, verified_at, looked_at,
                misses, why, found
         from certificates.claim
         where id = $1
            or (state = 'verified'
                and name = (select name from certificates.claim where id = $1))
         order by id for update",
        id
    )
    .fetch_all(conn)
    .await?;
    let mut claims = read(rows)?;
    let Some(at) = claims.iter().position(|claim| claim.id == id) else { return Ok(None) };
    let claim = claims.swap_remove(at);
    let holder = claims.into_iter().find(Claim::is_verified);
    Ok((claim.state != State::Released).then_some((claim, holder)))
}

pub(super) async fn is_in_quarantine(
    conn: &mut PgConnection,
    name: &Name,
    now: Timestamp,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from certificates.quarantine where name = $1 and until > $2)
               as "exists!""#,
        name.as_str(),
        now.to_sqlx() as Sql,
    )
    .fetch_one(conn)
    .await
}

async fn quarantine(conn: &mut PgConnection, name: &Name, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into certificates.quarantine (name, until) values ($1, $2)
         on conflict (name) do update set until = greatest(quarantine.until, excluded.until)",
        name.as_str(),
        (now + QUARANTINE).to_sqlx() as Sql,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a name up.
pub(super) async fn release(
    conn: &mut PgConnection,
    claim: &Claim,
    now: Timestamp,
) -> sqlx::Result<()> {
    let was_verified = sqlx::query_scalar!(
        r#"with old as (select id, state from certificates.claim
                        where id = $1 and state <> 'released' for update)
           update certificates.claim set state = 'released', released_at = $2, verified_at = null
           from old where claim.id = old.id
           returning old.state = 'verified' as "was_verified!""#,
        claim.id,
        now.to_sqlx() as Sql,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if was_verified != Some(true) {
        return Ok(());
    }
    drop_order(conn, &claim.name, now).await?;
    quarantine(conn, &claim.name, now).await
}

/// Nobody has the name any more for which a certificate is ordered.
async fn drop_order(conn: &mut PgConnection, name: &Name, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "update certificates.acme_order set state = 'dropped', ended_at = $2
         where name = $1 and state = 'open'",
        name.as_str(),
        now.to_sqlx() as Sql,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn verify(
    conn: &mut PgConnection,
    claim: &Claim,
    look: &Look,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update certificates.claim
         set state = 'verified', verified_at = $2, looked_at = $2, look_at = $3, misses = 0,
             why = null, found = $4
         where id = $1",
        claim.id,
        now.to_sqlx() as Sql,
        (now + next_look(claim, true, look, now)).to_sqlx() as Sql,
        &look.found,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from certificates.quarantine where name = $1", claim.name.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// Another claim has won the name. The token that won it before is worth nothing from here on.
pub(super) async fn displace(
    conn: &mut PgConnection,
    holder: &Claim,
    now: Timestamp,
) -> sqlx::Result<()> {
    to_pending(conn, holder, Why::Displaced, &holder.found, now).await
}

/// The name has not belonged here for days.
pub(super) async fn lose(
    conn: &mut PgConnection,
    claim: &Claim,
    look: &Look,
    now: Timestamp,
) -> sqlx::Result<()> {
    to_pending(conn, claim, Why::Lost, &look.found, now).await?;
    drop_order(conn, &claim.name, now).await?;
    quarantine(conn, &claim.name, now).await
}

async fn to_pending(
    conn: &mut PgConnection,
    claim: &Claim,
    why: Why,
    found: &[String],
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update certificates.claim
         set state = 'pending', verified_at = null, misses = 0, why = $2, found = $3, token = $4,
             target = $5, look_at = $6
         where id = $1",
        claim.id,
        why.word(),
        found,
        token(),
        target(),
        (now + next_look(claim, false, &Look::default(), now)).to_sqlx() as Sql,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn stay(
    conn: &mut PgConnection,
    claim: &Claim,
    look: &Look,
    stay: Stay,
    now: Timestamp,
) -> sqlx::Result<()> {
    let pause = next_look(claim, claim.is_verified(), look, now);
    sqlx::query!(
        "update certificates.claim
         set looked_at = $2, look_at = $3, misses = $4, why = $5, found = $6
         where id = $1",
        claim.id,
        now.to_sqlx() as Sql,
        (now + pause).to_sqlx() as Sql,
        i16::from(stay.misses),
        stay.why.map(Why::word),
        &look.found,
    )
    .execute(conn)
    .await?;
    Ok(())
}
