//! Brings the tables of an existing tenant up to date.

use blueprint::BlueprintName;
use sqlx::PgConnection;

use super::lock::not_available;
use super::marker;
use super::names::Names;
use super::provision::mark;
use super::steps::reading;
use super::{Error, Steps, TenantSchema, hold, privileges};
use crate::Admin;
use crate::sql::ident;

/// What [`migrate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The version it found.
    pub from: i32,
    /// The version there is now.
    pub to: i32,
}

/// Runs the migrations that the tenant has not had, as its owner role. One that waits longer than
/// two seconds for a lock gives up, so that it never stands before the runtime: [`Error::Busy`].
/// A process that dies inside leaves whole migrations; the next run goes on.
pub async fn migrate(
    admin: &Admin,
    name: &BlueprintName,
    schema: &TenantSchema,
) -> Result<Migrated, Error> {
    let names = Names::of(name);
    let what = format!("the database of {name}");
    let mut conn = admin.connect().await?;
    hold(&mut conn, &what).await?;
    let found = marker::of_tenant(&mut conn, &names).await;
    let found = found.map_err(reading("look for the database"))?;
    let Some(marker) = found else { return Err(Error::Missing(name.clone())) };
    let from = marker.version.unwrap_or_default();
    if from > schema.version {
        let known = schema.version;
        return Err(Error::Newer { name: name.clone(), found: from, known });
    }
    if from == schema.version {
        return Ok(Migrated { from, to: from });
    }
    let mut inside = admin.connect_to(&names.database).await?;
    run(&mut inside, &names, schema).await.map_err(|error| match error {
        Error::Migration {
            source: sqlx::migrate::MigrateError::ExecuteMigration(e, _), ..
        } if not_available(&e) => Error::Busy { what: format!("a table in {what}") },
        other => other,
    })?;
    let steps = &mut Steps::all();
    privileges::ensure_rows(&mut inside, steps, &names, schema.readable).await?;
    let marker = marker::Marker { version: Some(schema.version), untouched: None, ..marker };
    mark(&mut conn, steps, &names, &marker).await?;
    Ok(Migrated { from, to: schema.version })
}

async fn run(conn: &mut PgConnection, names: &Names, schema: &TenantSchema) -> Result<(), Error> {
    let become_owner = format!(
        "SET lock_timeout = '2s'; SET statement_timeout = '10min'; SET ROLE {}",
        ident(&names.owner)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(become_owner))
        .execute(&mut *conn)
        .await
        .map_err(reading("become the tenant's owner role"))?;
    for migrator in schema.migrators {
        // The session lock that it takes goes with this connection, also after an error.
        migrator
            .run_direct(None, conn, false)
            .await
            .map_err(|source| Error::Migration { database: names.database.clone(), source })?;
    }
    sqlx::raw_sql("RESET ROLE")
        .execute(conn)
        .await
        .map_err(reading("be the administrator again"))?;
    Ok(())
}
