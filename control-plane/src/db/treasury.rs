//! Tenants' money, as it is kept. The arithmetic is that of [`usage::Vault`].

use blueprint::Currency;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use sqlx::types::Json;
use usage::{Vault, day_of};
use uuid::Uuid;

use crate::domain::id::PlatformId;
use crate::domain::treasury::Chest;

/// The chests of these tenants and currencies, made where there is none. Names are used again: where
/// another platform has one by now, its chest is new, and no holding of the former one goes on. Until the
/// transaction ends nobody else has them: they are taken in the order of their names, so that nobody
/// waits for somebody who waits for them.
///
/// # Errors
/// The database.
pub async fn open(
    conn: &mut PgConnection,
    of: &[(&str, Currency)],
    now: Timestamp,
) -> sqlx::Result<Vec<Chest>> {
    let tenants: Vec<_> = of.iter().map(|(tenant, _)| (*tenant).to_owned()).collect();
    let currencies: Vec<_> = of.iter().map(|(_, currency)| currency.to_string()).collect();
    sqlx::query!(
        r#"insert into control.treasury (tenant, currency, month, vault)
           select tenant, currency, $3, $4
           from unnest($1::text[], $2::text[]) as new (tenant, currency)
           order by tenant collate "C", currency collate "C"
           on conflict (tenant, currency) do nothing"#,
        &tenants,
        &currencies,
        day_of(now).first_of_month().to_sqlx(),
        Json(Vault::default()) as _,
    )
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query_as!(
        Row,
        r#"select tenant, currency, month, vault as "vault: _", kept.platform as "platform?",
                  owner.id as "owner?"
           from control.treasury kept
           left join control.platform owner
               on owner.name = tenant and owner.gone_at is null and owner.found is null
           where (tenant, currency) in (select * from unnest($1::text[], $2::text[]))
           order by tenant collate "C", currency collate "C" for update of kept"#,
        &tenants,
        &currencies,
    );
    let rows = rows.fetch_all(conn).await?.into_iter();
    rows.map(|row| {
        let owner = row.owner.map(PlatformId);
        let chest = Chest::try_from(row)?;
        let is_theirs = chest.platform == owner;
        Ok(if is_theirs { chest } else { Chest::new(chest.tenant, owner, chest.currency, now) })
    })
    .collect()
}

/// From now on they are so. They are this transaction's.
///
/// # Errors
/// The database.
pub async fn keep(conn: &mut PgConnection, chests: &[Chest]) -> sqlx::Result<()> {
    let tenants: Vec<_> = chests.iter().map(|it| it.tenant.clone()).collect();
    let currencies: Vec<_> = chests.iter().map(|it| it.currency.to_string()).collect();
    let months: Vec<_> = chests.iter().map(|it| it.month.to_string()).collect();
    let platforms: Vec<_> = chests.iter().map(|it| it.platform.map(|it| it.0)).collect();
    let vaults = chests.iter().map(|it| serde_json::to_string(&it.vault));
    let vaults = vaults.collect::<Result<Vec<_>, _>>();
    let vaults = vaults.map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query!(
        "update control.treasury kept
         set platform = new.platform, month = new.month::date, vault = new.vault::jsonb
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[])
             as new (tenant, currency, month, vault, platform)
         where kept.tenant = new.tenant and kept.currency = new.currency",
        &tenants,
        &currencies,
        &months,
        &vaults,
        &platforms as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The chests of a tenant while it is this platform, or nobody's, as they are at the moment.
///
/// # Errors
/// The database.
pub async fn of(
    conn: &mut PgConnection,
    tenant: &str,
    platform: Option<PlatformId>,
) -> sqlx::Result<Vec<Chest>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select tenant, currency, month, vault as "vault: _", platform as "platform?",
                  null::uuid as "owner?"
           from control.treasury
           where tenant = $1 and platform is not distinct from $2::uuid order by currency"#,
        tenant,
        platform.map(|it| it.0),
    );
    rows.fetch_all(conn).await?.into_iter().map(Chest::try_from).collect()
}

/// Whether there is a chest of this tenant and currency, whichever platform it was.
///
/// # Errors
/// The database.
pub async fn is_kept(
    conn: &mut PgConnection,
    tenant: &str,
    currency: Currency,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from control.treasury where tenant = $1 and currency = $2
           ) as "is_kept!""#,
        tenant,
        currency.to_string(),
    )
    .fetch_one(conn)
    .await
}

/// Until the transaction ends nobody waits for a chest of others for longer than a second.
///
/// # Errors
/// The database.
pub async fn wait_briefly(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query_scalar!("select set_config('lock_timeout', '1s', true)").fetch_one(conn).await?;
    Ok(())
}

/// Whether others had a chest for so long.
pub fn is_others(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("55P03")
}

struct Row {
    tenant: String,
    platform: Option<Uuid>,
    owner: Option<Uuid>,
    currency: String,
    month: jiff_sqlx::Date,
    vault: Json<Vault>,
}

impl TryFrom<Row> for Chest {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            tenant: row.tenant,
            platform: row.platform.map(PlatformId),
            currency: row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            month: row.month.to_jiff(),
            vault: row.vault.0,
        })
    }
}
