//! Tenants' money, as it is kept. The arithmetic is that of [`usage::Vault`].

use blueprint::Currency;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use sqlx::types::Json;
use usage::{Vault, day_of};

use crate::domain::treasury::Chest;

/// The chests of these tenants and currencies, made where there is none. Until the transaction ends
/// nobody else has them: they are taken in the order of their names, so that nobody waits for somebody
/// who waits for them.
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
        r#"select tenant, currency, month, vault as "vault: _" from control.treasury
           where (tenant, currency) in (select * from unnest($1::text[], $2::text[]))
           order by tenant collate "C", currency collate "C" for update"#,
        &tenants,
        &currencies,
    );
    rows.fetch_all(conn).await?.into_iter().map(Chest::try_from).collect()
}

/// From now on they are so. They are this transaction's.
///
/// # Errors
/// The database.
pub async fn keep(conn: &mut PgConnection, chests: &[Chest]) -> sqlx::Result<()> {
    let tenants: Vec<_> = chests.iter().map(|it| it.tenant.clone()).collect();
    let currencies: Vec<_> = chests.iter().map(|it| it.currency.to_string()).collect();
    let months: Vec<_> = chests.iter().map(|it| it.month.to_string()).collect();
    let vaults = chests.iter().map(|it| serde_json::to_string(&it.vault));
    let vaults = vaults.collect::<Result<Vec<_>, _>>();
    let vaults = vaults.map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query!(
        "update control.treasury kept set month = new.month::date, vault = new.vault::jsonb
         from unnest($1::text[], $2::text[], $3::text[], $4::text[])
             as new (tenant, currency, month, vault)
         where kept.tenant = new.tenant and kept.currency = new.currency",
        &tenants,
        &currencies,
        &months,
        &vaults,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The chests of a tenant, as they are at the moment.
///
/// # Errors
/// The database.
pub async fn of(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<Vec<Chest>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select tenant, currency, month, vault as "vault: _" from control.treasury
           where tenant = $1 order by currency"#,
        tenant,
    );
    rows.fetch_all(conn).await?.into_iter().map(Chest::try_from).collect()
}

struct Row {
    tenant: String,
    currency: String,
    month: jiff_sqlx::Date,
    vault: Json<Vault>,
}

impl TryFrom<Row> for Chest {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            tenant: row.tenant,
            currency: row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            month: row.month.to_jiff(),
            vault: row.vault.0,
        })
    }
}
