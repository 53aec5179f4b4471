//! Platforms that sleep while nobody uses them: edges say who was used when, and only what all of
//! them would have said is believed.

use std::time::Duration;

use jiff::Timestamp;
use jiff_sqlx::{Timestamp as Sql, ToSqlx as _};
use sqlx::PgConnection;
use uuid::Uuid;

/// An edge that said nothing for so long may have visitors that it cannot tell of.
const SPEAKS: Duration = Duration::from_secs(15);
/// After this time it is taken to be no more.
const IS_LOST: Duration = Duration::from_hours(1);
/// Then nobody remembers it.
const IS_FORGOTTEN: Duration = Duration::from_hours(24);

/// Who says that platforms are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The name of the edge.
    pub edge: Uuid,
    /// Whether it wakes those that sleep. Beside one that does not, nobody is let sleep.
    pub wakes: bool,
}

/// An edge says which platforms were used when, and that it is there. Of those that never sleep
/// nothing is kept.
///
/// # Errors
/// The database.
pub async fn note_uses(
    conn: &mut PgConnection,
    Speaker { edge, wakes }: Speaker,
    uses: &[(Uuid, Timestamp)],
    now: Timestamp,
) -> sqlx::Result<()> {
    let platforms: Vec<Uuid> = uses.iter().map(|(platform, _)| *platform).collect();
    let times: Vec<Sql> = uses.iter().map(|(_, at)| at.to_sqlx()).collect();
    sqlx::query!(
        "insert into certificates.used as was (platform, at)
         select uid, max(new.at)
         from unnest($1::uuid[], $2::timestamptz[]) as new (platform, at)
         join certificates.platform on uid = new.platform
         where sleeps_in is not null and not asleep and state <> 'gone'
         group by uid
         on conflict (platform) do update set at = excluded.at where was.at < excluded.at",
        &platforms,
        &times as &[Sql],
    )
    .execute(&mut *conn)
    .await?;
    // Last, so that nobody takes it for heard who was not.
    sqlx::query!(
        "with lost as (delete from certificates.edge where heard_at < $3 and id <> $1)
         insert into certificates.edge (id, heard_at, wakes) values ($1, $2, $4)
         on conflict (id) do update set heard_at = excluded.heard_at, wakes = excluded.wakes",
        edge,
        now.to_sqlx() as Sql,
        (now - IS_FORGOTTEN).to_sqlx() as Sql,
        wakes,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An edge ends, and has no visitors any more.
///
/// # Errors
/// The database.
pub async fn say_farewell(conn: &mut PgConnection, edge: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from certificates.edge where id = $1", edge).execute(conn).await?;
    Ok(())
}

/// Since when nobody uses a platform that is awake; `None` where that is not known: it never
/// sleeps, there are no edges, or one of them is not heard or wakes nobody.
///
/// # Errors
/// The database.
pub async fn quiet_since(
    conn: &mut PgConnection,
    platform: Uuid,
    now: Timestamp,
) -> sqlx::Result<Option<Timestamp>> {
    // Who was never used counts as used when somebody first asks.
    sqlx::query!(
        "insert into certificates.used (platform, at)
         select uid, $2 from certificates.platform
         where uid = $1 and sleeps_in is not null and not asleep and state <> 'gone'
         on conflict (platform) do nothing",
        platform,
        now.to_sqlx() as Sql,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar!(
        r#"select at as "at: Sql" from certificates.used
           where platform = $1
             and exists (select from certificates.edge where heard_at >= $2)
             and not exists (
                 select from certificates.edge
                 where heard_at >= $3 and (heard_at < $2 or not wakes))"#,
        platform,
        (now - SPEAKS).to_sqlx() as Sql,
        (now - IS_LOST).to_sqlx() as Sql,
    )
    .fetch_optional(conn)
    .await
    .map(|at| at.map(Sql::to_jiff))
}

/// From now on edges wake the platform before they ask it; false where it was used meanwhile, or
/// nobody knows.
///
/// # Errors
/// The database.
pub async fn let_sleep(
    conn: &mut PgConnection,
    platform: Uuid,
    quiet: Timestamp,
    now: Timestamp,
) -> sqlx::Result<bool> {
    if quiet_since(&mut *conn, platform, now).await? != Some(quiet) {
        return Ok(false);
    }
    let told = sqlx::query!(
        "with forgotten as (delete from certificates.used where platform = $1)
         update certificates.platform set asleep = true
         where uid = $1 and sleeps_in is not null and state = 'serving'",
        platform
    );
    Ok(told.execute(conn).await?.rows_affected() == 1)
}
