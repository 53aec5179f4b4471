//! Makes a tenant's database and roles, or makes them right.

use blueprint::BlueprintName;
use secrecy::SecretString;
use sqlx::{ConnectOptions as _, PgConnection};
use work::sealed::RootKey;

use super::marker::{self, Kind, Marker};
use super::names::{Login, Names};
use super::password::Password;
use super::roles::Role;
use super::steps::reading;
use super::template::Template;
use super::{Error, Steps, TenantDatabase, TenantSchema, hold, logins, privileges};
use crate::sql::{ident, literal};
use crate::{Admin, export};

/// Makes the tenant's database from the template, and its roles; a second run writes nothing.
/// An existing database keeps its schema version: see [`super::migrate()`].
pub async fn provision(
    admin: &Admin,
    name: &BlueprintName,
    schema: &TenantSchema,
    key: &RootKey,
) -> Result<TenantDatabase, Error> {
    provision_by(&mut Steps::all(), admin, name, schema, key, 0).await
}

/// Like [`provision`], by steps that are counted and may be stopped, and with passwords of this
/// number at least. Where it grows by one, the passwords before it stay good until
/// [`super::close_old`].
pub async fn provision_by(
    steps: &mut Steps,
    admin: &Admin,
    name: &BlueprintName,
    schema: &TenantSchema,
    key: &RootKey,
    number: u32,
) -> Result<TenantDatabase, Error> {
    let mut conn = admin.connect().await?;
    hold(&mut conn, &format!("the database of {name}")).await?;
    provision_held(steps, admin, &mut conn, name, schema, key, number).await
}

/// The same over a connection that holds the tenant's lock.
pub(crate) async fn provision_held(
    steps: &mut Steps,
    admin: &Admin,
    conn: &mut PgConnection,
    name: &BlueprintName,
    schema: &TenantSchema,
    key: &RootKey,
    number: u32,
) -> Result<TenantDatabase, Error> {
    let names = Names::of(name);
    let number = number.max(logins::number(conn, &names).await?.unwrap_or_default());
    let owner = Marker::new(Kind::Role, &names.database);
    Role::owner(&names.owner, owner).ensure(conn, steps).await?;
    logins::ensure(conn, steps, &names, key, number).await?;
    let marker = match existing(admin, conn, steps, &names, schema).await? {
        Some(marker) => marker,
        None => clone(admin, conn, steps, &names, schema).await?,
    };
    let mut inside = admin.connect_to(&names.database).await?;
    privileges::ensure_no_large_objects(&mut inside, steps).await?;
    let from = Template::of(schema).tables;
    privileges::ensure_ownership(&mut inside, steps, &names, &from).await?;
    privileges::ensure_rows(&mut inside, steps, &names, schema.readable).await?;
    mark(conn, steps, &names, &marker).await?;

    let (app, read) = access(admin, name, key, number);
    let version = marker.version.unwrap_or_default();
    Ok(TenantDatabase { version, number, app, read, database: names.database })
}

/// The name that a tenant's database has on whatever server.
pub fn database_name(name: &BlueprintName) -> String {
    Names::of(name).database
}

/// The URLs of the role that reads and writes rows, and of the one that only reads, with passwords
/// of this number. No server is asked: whether the database is there does not show.
pub fn access(
    admin: &Admin,
    name: &BlueprintName,
    key: &RootKey,
    number: u32,
) -> (SecretString, SecretString) {
    let names = Names::of(name);
    let of = |login: Login| {
        let role = names.login(login, number);
        url(admin, &names, &role, &Password::text_of(&role, number, key))
    };
    (of(Login::App), of(Login::Read))
}

/// The marker of the database that is there. What a DROP left half is dropped for good.
async fn existing(
    admin: &Admin,
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
    schema: &TenantSchema,
) -> Result<Option<Marker>, Error> {
    let found = marker::database(conn, &names.database).await;
    let Some(found) = found.map_err(reading("look for the database"))? else { return Ok(None) };
    let ours = found.marker.filter(|marker| marker.is(Kind::Database, &names.database));
    // The owner is a role of ours with this very name, given in CREATE DATABASE itself.
    if ours.is_none() && found.owner != names.owner {
        return Err(Error::Foreign { what: format!("the database `{}`", names.database) });
    }
    if found.half_dropped {
        return drop_unfinished(conn, steps, names).await;
    }
    open(conn, steps, names, found.connectable).await?;
    match ours {
        Some(marker) => Ok(Some(marker)),
        None => unmarked(admin, conn, steps, names, schema).await,
    }
}

/// Closes the database to others, and only then lets anybody in: who was connected before it is
/// closed would stay.
async fn open(
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
    is_open: bool,
) -> Result<(), Error> {
    privileges::ensure_connect(conn, steps, names).await?;
    if is_open {
        return Ok(());
    }
    let sql = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", ident(&names.database));
    steps.write(conn, "open the database", sql).await
}

/// We died between CREATE DATABASE and its marker: an untouched clone is taken as it is, one of
/// an older template is made anew while it holds no row; with rows it needs a person.
async fn unmarked(
    admin: &Admin,
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
    schema: &TenantSchema,
) -> Result<Option<Marker>, Error> {
    let template = Template::of(schema).ensure(admin, conn, steps).await?;
    let mut inside = admin.connect_to(&names.database).await?;
    let rows = export::digest(&mut inside).await.map_err(reading("read the database"))?;
    if template.untouched.as_deref() == Some(rows.digest.as_str()) {
        return Ok(Some(marker_of(names, schema, &template)));
    }
    drop(inside);
    if rows.count > 0 {
        return Err(Error::Unmarked { database: names.database.clone() });
    }
    drop_unfinished(conn, steps, names).await
}

async fn drop_unfinished(
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
) -> Result<Option<Marker>, Error> {
    let sql = format!("DROP DATABASE {} WITH (FORCE)", ident(&names.database));
    steps.write(conn, "drop an unfinished database", sql).await?;
    Ok(None)
}

fn marker_of(names: &Names, schema: &TenantSchema, template: &Marker) -> Marker {
    Marker {
        version: Some(schema.version),
        untouched: template.untouched.clone(),
        ..Marker::new(Kind::Database, &names.database)
    }
}

async fn clone(
    admin: &Admin,
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
    schema: &TenantSchema,
) -> Result<Marker, Error> {
    let template = Template::of(schema);
    let from = template.ensure(admin, conn, steps).await?;
    // Not by copying files: that makes two checkpoints, and with them all other tenants wait.
    let sql = format!(
        "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY wal_log ALLOW_CONNECTIONS false",
        ident(&names.database),
        ident(&template.name),
        ident(&names.owner)
    );
    steps.write(conn, "create the database", sql).await?;
    open(conn, steps, names, false).await?;
    Ok(marker_of(names, schema, &from))
}

pub(super) async fn mark(
    conn: &mut PgConnection,
    steps: &mut Steps,
    names: &Names,
    marker: &Marker,
) -> Result<(), Error> {
    let found = marker::database(conn, &names.database).await;
    let found = found.map_err(reading("look at the database"))?;
    if found.and_then(|found| found.marker).as_ref() == Some(marker) {
        return Ok(());
    }
    let sql =
        format!("COMMENT ON DATABASE {} IS {}", ident(&names.database), literal(&marker.text()));
    steps.write(conn, "mark the database", sql).await
}

fn url(admin: &Admin, names: &Names, role: &str, password: &str) -> SecretString {
    admin
        .options()
        .clone()
        .database(&names.database)
        .username(role)
        .password(password)
        .to_url_lossy()
        .to_string()
        .into()
}
