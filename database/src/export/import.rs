//! Back into a database: all of it and as it was, or nothing.

use std::path::Path;

use blueprint::BlueprintName;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::archive::{self, Unpacked};
use super::tables::{self, Table};
use super::{Error, Manifest, enter};
use crate::Admin;
use crate::sql::{ident, qualified};
use crate::tenant::{self, TenantSchema};

/// Puts an export into the tenant's database, which must be as it was provisioned and of the
/// same schema version. The tenant's name may be another one than the export's.
pub async fn import(
    admin: &Admin,
    name: &BlueprintName,
    schema: &TenantSchema,
    file: &Path,
) -> Result<Manifest, Error> {
    let unpacked = archive::unpack(file).await?;
    let mut held = admin.connect().await?;
    tenant::hold(&mut held, &format!("the database of {name}")).await?;
    fill_held(admin, name, schema, file, &unpacked, &[]).await?;
    Ok(unpacked.manifest)
}

/// The same, while the caller holds the tenant's lock, and without the rows of some tables.
pub(super) async fn fill_held(
    admin: &Admin,
    name: &BlueprintName,
    schema: &TenantSchema,
    file: &Path,
    unpacked: &Unpacked,
    without: &[(&str, &str)],
) -> Result<(), Error> {
    let other = |why: String| Error::OtherSchema { file: file.to_owned(), why };
    let step = |step| move |source| Error::Step { step, source };
    let (mut conn, marker) = enter(admin, name).await?;
    let manifest = &unpacked.manifest;
    if (manifest.schema.as_str(), Some(manifest.version)) != (schema.name, marker.version) {
        return Err(other(format!(
            "it has schema {} version {}, the database {} version {}",
            manifest.schema,
            manifest.version,
            schema.name,
            marker.version.unwrap_or_default()
        )));
    }
    let rows = tables::digest(&mut conn).await.map_err(step("look for rows"))?;
    if marker.untouched != Some(rows.digest) {
        return Err(Error::NotEmpty(name.clone()));
    }
    let mut tx = conn.begin().await.map_err(step("begin"))?;
    tables::settle(&mut tx).await.map_err(step("settle the format"))?;
    let found = tables::list(&mut tx).await.map_err(step("look for tables"))?;
    if let Some(why) = difference(&found, manifest) {
        return Err(other(why));
    }
    fill(&mut tx, &found, unpacked).await?;
    for sequence in &manifest.sequences {
        tables::restart(&mut tx, sequence).await.map_err(step("set a sequence"))?;
    }
    for (table, told) in found.iter().zip(&manifest.tables) {
        let meter = tables::meter(&mut tx, table).await.map_err(step("read a table back"))?;
        if meter.sha256() != told.sha256 {
            return Err(other(format!("{} reads back differently", table.named())));
        }
    }
    for (schema, table) in without {
        let sql = format!("DELETE FROM {}", qualified(schema, table));
        run(&mut tx, sql).await.map_err(step("leave out what stays behind"))?;
    }
    tx.commit().await.map_err(step("commit"))
}

fn difference(found: &[Table], manifest: &Manifest) -> Option<String> {
    if found.len() != manifest.tables.len() {
        let (here, there) = (found.len(), manifest.tables.len());
        return Some(format!("it has {there} tables, the database {here}"));
    }
    found
        .iter()
        .zip(&manifest.tables)
        .find(|(here, there)| {
            (&here.schema, &here.name, &here.columns)
                != (&there.schema, &there.name, &there.columns)
        })
        .map(|(here, there)| format!("{} is not {}.{}", here.named(), there.schema, there.name))
}

/// Fills the tables with foreign keys checked at the end and triggers asleep, so that neither
/// the order nor a trigger changes what is stored.
async fn fill(conn: &mut PgConnection, found: &[Table], from: &Unpacked) -> Result<(), Error> {
    let step = |step| move |source| Error::Step { step, source };
    let before = interruptions(conn).await.map_err(step("look for keys and triggers"))?;
    for (off, _) in &before {
        run(conn, off.clone()).await.map_err(step("let keys and triggers rest"))?;
    }
    if !found.is_empty() {
        let all: Vec<_> = found.iter().map(Table::qualified).collect();
        let sql = format!("TRUNCATE ONLY {}", all.join(", ONLY "));
        run(conn, sql).await.map_err(step("empty the tables"))?;
    }
    for (number, table) in found.iter().enumerate() {
        let path = from.folder.path().join(archive::member(number));
        let file = tokio::fs::File::open(&path).await;
        let file = file.map_err(|source| Error::Io { path, source })?;
        let mut copy = conn.copy_in_raw(&table.copy_in()).await.map_err(step("fill a table"))?;
        copy.read_from(file).await.map_err(step("fill a table"))?;
        copy.finish().await.map_err(step("fill a table"))?;
    }
    run(conn, "SET CONSTRAINTS ALL IMMEDIATE".into()).await.map_err(step("check the keys"))?;
    for (_, on) in before {
        run(conn, on).await.map_err(step("wake keys and triggers"))?;
    }
    Ok(())
}

/// What would act while rows come in: statements that put it to rest, and back.
async fn interruptions(conn: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let keys: Vec<(String, String, String, bool, bool)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, k.conname::text, k.condeferrable, k.condeferred
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY 1, 2, 3",
    )
    .fetch_all(&mut *conn)
    .await?;
    let triggers: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, t.tgname::text
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled = 'O' ORDER BY 1, 2, 3",
    )
    .fetch_all(conn)
    .await?;
    let keys = keys.into_iter().map(|(schema, table, key, deferrable, deferred)| {
        let alter =
            format!("ALTER TABLE {} ALTER CONSTRAINT {}", qualified(&schema, &table), ident(&key));
        let back = match (deferrable, deferred) {
            (false, _) => "NOT DEFERRABLE",
            (true, false) => "DEFERRABLE INITIALLY IMMEDIATE",
            (true, true) => "DEFERRABLE INITIALLY DEFERRED",
        };
        (format!("{alter} DEFERRABLE INITIALLY DEFERRED"), format!("{alter} {back}"))
    });
    let triggers = triggers.into_iter().map(|(schema, table, trigger)| {
        let alter = |verb| {
            format!("ALTER TABLE {} {verb} TRIGGER {}", qualified(&schema, &table), ident(&trigger))
        };
        (alter("DISABLE"), alter("ENABLE"))
    });
    Ok(keys.chain(triggers).collect())
}

async fn run(conn: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}
