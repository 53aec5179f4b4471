//! The template database: every table of one schema version, made once per server.
//!
//! It is built beside its place and published by a rename, with its marker already on: a template
//! under its final name is whole. Its tables belong to a role of their own, so that a clone can
//! hand them to the tenant in one statement.

use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use super::lock::{hold, release};
use super::marker::{self, Kind, Marker};
use super::roles::Role;
use super::steps::reading;
use super::{Error, Steps, TenantSchema, privileges};
use crate::Admin;
use crate::export;
use crate::sql::{ident, literal};

/// Names of one template.
pub(super) struct Template<'a> {
    schema: &'a TenantSchema,
    pub(super) name: String,
    building: String,
    /// Owns the tables.
    pub(super) tables: String,
    /// Owns the database, by which an unfinished one is known to be ours.
    builder: String,
}

impl<'a> Template<'a> {
    pub(super) fn of(schema: &'a TenantSchema) -> Self {
        let name = format!("{}_v{}", schema.name, schema.version);
        Self {
            schema,
            building: format!("{name}_building"),
            name,
            tables: format!("{}_template", schema.name),
            builder: format!("{}_builder", schema.name),
        }
    }

    /// Makes the template unless it is there, and returns its marker.
    pub(super) async fn ensure(
        &self,
        admin: &Admin,
        conn: &mut PgConnection,
        steps: &mut Steps,
    ) -> Result<Marker, Error> {
        let what = format!("the template {}", self.name);
        hold(conn, &what).await?;
        let fingerprint = fingerprint(self.schema);
        let marker = match self.published(conn, &fingerprint).await? {
            Some(marker) => marker,
            None => self.build(admin, conn, steps, fingerprint).await?,
        };
        release(conn, &what).await?;
        Ok(marker)
    }

    async fn published(
        &self,
        conn: &mut PgConnection,
        fingerprint: &str,
    ) -> Result<Option<Marker>, Error> {
        let Some(found) = self.look(conn, &self.name).await? else { return Ok(None) };
        let marker = found.marker.filter(|marker| marker.is(Kind::Template, self.schema.name));
        match marker {
            Some(marker) if marker.fingerprint.as_deref() == Some(fingerprint) => Ok(Some(marker)),
            // Made from other migrations under the same version, while they were written.
            Some(_) => Ok(None),
            None if found.half_dropped && found.owner == self.builder => Ok(None),
            None => Err(Error::Foreign { what: format!("the database `{}`", self.name) }),
        }
    }

    async fn build(
        &self,
        admin: &Admin,
        conn: &mut PgConnection,
        steps: &mut Steps,
        fingerprint: String,
    ) -> Result<Marker, Error> {
        for role in [&self.tables, &self.builder] {
            let marker = Marker::new(Kind::TemplateRole, self.schema.name);
            Role::owner(role, marker).ensure(conn, steps).await?;
        }
        for old in [&self.name, &self.building] {
            self.remove(conn, steps, old).await?;
        }
        let building = ident(&self.building);
        steps
            .write(
                conn,
                "create the template database",
                format!(
                    "CREATE DATABASE {building} TEMPLATE template0 ENCODING 'UTF8'
                     ALLOW_CONNECTIONS false OWNER {}",
                    ident(&self.builder)
                ),
            )
            .await?;
        steps
            .write(
                conn,
                "close the template database",
                format!(
                    "REVOKE ALL ON DATABASE {building} FROM PUBLIC;
                     GRANT CONNECT, CREATE ON DATABASE {building} TO {};
                     ALTER DATABASE {building} WITH ALLOW_CONNECTIONS true",
                    ident(&self.tables)
                ),
            )
            .await?;
        let untouched = self.fill(admin, steps).await?;
        let marker = Marker {
            version: Some(self.schema.version),
            fingerprint: Some(fingerprint),
            untouched: Some(untouched),
            ..Marker::new(Kind::Template, self.schema.name)
        };
        steps
            .write(
                conn,
                "seal the template database",
                format!(
                    "COMMENT ON DATABASE {building} IS {};
                     ALTER DATABASE {building} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false",
                    literal(&marker.text())
                ),
            )
            .await?;
        steps
            .write(
                conn,
                "publish the template database",
                format!("ALTER DATABASE {building} RENAME TO {}", ident(&self.name)),
            )
            .await?;
        Ok(marker)
    }

    /// Makes the tables; returns the digest of the rows that migrations left.
    async fn fill(&self, admin: &Admin, steps: &mut Steps) -> Result<String, Error> {
        let mut conn = admin.connect_to(&self.building).await?;
        privileges::ensure_no_large_objects(&mut conn, steps).await?;
        steps
            .write(
                &mut conn,
                "close the schema public",
                format!(
                    "REVOKE ALL ON SCHEMA public FROM PUBLIC; SET ROLE {}",
                    ident(&self.tables)
                ),
            )
            .await?;
        for migrator in self.schema.migrators {
            steps.may_go_on()?;
            migrator
                .run_direct(None, &mut conn, false)
                .await
                .map_err(|source| Error::Migration { database: self.building.clone(), source })?;
            steps.note("make a crate's tables");
        }
        let untouched = export::digest(&mut conn).await.map_err(reading("read the template"))?;
        sqlx::Connection::close(conn).await.map_err(reading("leave the template"))?;
        Ok(untouched.digest)
    }

    /// Drops an older or unfinished template; never anything else.
    async fn remove(
        &self,
        conn: &mut PgConnection,
        steps: &mut Steps,
        database: &str,
    ) -> Result<(), Error> {
        let Some(found) = self.look(conn, database).await? else { return Ok(()) };
        if found.owner != self.builder {
            return Err(Error::Foreign { what: format!("the database `{database}`") });
        }
        let name = ident(database);
        if found.is_template {
            let sql = format!("ALTER DATABASE {name} WITH IS_TEMPLATE false");
            steps.write(conn, "unlock an old template database", sql).await?;
        }
        let sql = format!("DROP DATABASE {name} WITH (FORCE)");
        steps.write(conn, "drop an old template database", sql).await
    }

    async fn look(
        &self,
        conn: &mut PgConnection,
        database: &str,
    ) -> Result<Option<marker::Database>, Error> {
        marker::database(conn, database).await.map_err(reading("look for the template"))
    }
}

/// The same for the same migrations, whatever their version is called.
fn fingerprint(schema: &TenantSchema) -> String {
    let mut digest = Sha256::new();
    for migrator in schema.migrators {
        digest.update(migrator.table_name.as_bytes());
        for migration in migrator.iter() {
            digest.update(migration.version.to_be_bytes());
            digest.update(&migration.checksum);
        }
    }
    hex::encode(&digest.finalize()[..16])
}
