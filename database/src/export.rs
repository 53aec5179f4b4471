//! One tenant's data in one file, and back: for backup, moving, cloning and taking out.
//!
//! ```text
//! FILE = zstd( tar( tables/0000.copy, tables/0001.copy, ..., manifest.json ) )
//! ```
//! All tables are read in one snapshot, in the text format of COPY, each ordered by its key, so
//! that the same data gives the same bytes. The manifest comes last and holds the schema version
//! and a SHA-256 per table: a file that was cut has none. An import happens in one transaction,
//! into a database that nobody used yet, and is compared with the manifest before it commits.
//! A file may come from anywhere: it is unpacked only as far as one of its size can need.
//! Secrets stay sealed: they open only under the same root key and tenant name.

mod archive;
mod import;
mod restore;
mod tables;

use std::io;
use std::path::{Path, PathBuf};

use blueprint::BlueprintName;
pub use import::import;
use jiff::Timestamp;
pub use restore::{Restored, restore};
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection};
pub(crate) use tables::digest;

use crate::tenant::{self, Marker, Names, TenantSchema};
use crate::{Admin, Unreachable, sql};

/// The format this program writes and reads.
const FORMAT: u32 = 1;
/// What stays free on a disk, in MiB.
const KEPT_FREE_MIB: u64 = 1024;

/// What an export holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format of the file.
    pub format: u32,
    /// Whose data it is.
    pub tenant: BlueprintName,
    /// The name of the schema.
    pub schema: String,
    /// The version of its tables.
    pub version: i32,
    /// When it was read.
    pub exported_at: Timestamp,
    /// Every table.
    pub tables: Vec<TableData>,
    /// Every sequence.
    pub sequences: Vec<Sequence>,
}

/// One table of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableData {
    /// Its Postgres schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns, in the order of the file; not those that are computed.
    pub columns: Vec<String>,
    /// How many rows.
    pub rows: u64,
    /// How many bytes, unpacked.
    pub bytes: u64,
    /// SHA-256 of those bytes, in hexadecimal digits.
    pub sha256: String,
}

/// One sequence of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// Its Postgres schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it gives next.
    pub next: i64,
}

/// Nothing was exported or imported; nothing half was left.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The tenant's database is not as it should be.
    #[error(transparent)]
    Tenant(#[from] tenant::Error),
    /// The database is not one of ours, or has no tables of this schema.
    #[error("{0} has no database here: provision it first")]
    Missing(BlueprintName),
    /// The file is cut, changed, or none of ours.
    #[error("{file} is no whole export: {why}; use another copy")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// File and database have different tables.
    #[error(
        "{file} cannot be imported: {why}; provision the database with the program version that made the export, import, then migrate"
    )]
    OtherSchema {
        /// The file.
        file: PathBuf,
        /// What differs.
        why: String,
    },
    /// There is data already.
    #[error(
        "the database of {0} is in use already: import only into one that was just provisioned"
    )]
    NotEmpty(BlueprintName),
    /// The tenant has a database already.
    #[error("there is a database of a platform named {0} already")]
    Taken(BlueprintName),
    /// The disk is too small for it.
    #[error(
        "there is too little room to unpack {file}: {room} MiB beside it, and {KEPT_FREE_MIB} MiB more that stay free; make room on that disk, then run the same again"
    )]
    NoRoom {
        /// The file.
        file: PathBuf,
        /// What there is, in MiB.
        room: u64,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A statement failed.
    #[error("cannot {step}: {source}")]
    Step {
        /// What it was for.
        step: &'static str,
        /// What Postgres said.
        source: sqlx::Error,
    },
}

/// How many bytes may be written into a folder: what its disk has free, less what a database
/// beside them needs to go on.
///
/// # Errors
/// What the system said when it was asked.
pub fn room_in(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    Ok(free.saturating_sub(KEPT_FREE_MIB * 1024 * 1024))
}

/// Writes the tenant's data into `file`, which appears whole or not at all, readable by us only.
/// People may go on working meanwhile; what they change after the start is not in it.
pub async fn export(
    admin: &Admin,
    name: &BlueprintName,
    schema: &TenantSchema,
    file: &Path,
    now: Timestamp,
) -> Result<Manifest, Error> {
    let (mut conn, marker) = enter(admin, name).await?;
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let io = |source| Error::Io { path: file.to_owned(), source };
    let spool = archive::scratch(folder).map_err(io)?;

    let step = |step| move |source| Error::Step { step, source };
    let mut snapshot = conn
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .await
        .map_err(step("begin the snapshot"))?;
    tables::settle(&mut snapshot).await.map_err(step("settle the format"))?;
    let found = tables::list(&mut snapshot).await.map_err(step("look for tables"))?;
    let mut tables = Vec::with_capacity(found.len());
    for (number, table) in found.into_iter().enumerate() {
        let path = spool.path().join(archive::member(number));
        tables.push(archive::copy_out(&mut snapshot, table, &path).await?);
    }
    let sequences = tables::sequences(&mut snapshot).await.map_err(step("read the sequences"))?;
    snapshot.commit().await.map_err(step("end the snapshot"))?;

    let manifest = Manifest {
        format: FORMAT,
        tenant: name.clone(),
        schema: schema.name.to_owned(),
        version: marker.version.unwrap_or_default(),
        exported_at: now,
        tables,
        sequences,
    };
    archive::pack(spool, manifest.clone(), file.to_owned()).await?;
    Ok(manifest)
}

/// A connection inside the tenant's database, as its owner role, and the database's marker.
async fn enter(admin: &Admin, name: &BlueprintName) -> Result<(PgConnection, Marker), Error> {
    let names = Names::of(name);
    let step = |source| Error::Step { step: "enter the database", source };
    let mut conn = admin.connect().await?;
    let marker = tenant::marker_of(&mut conn, &names).await.map_err(step)?;
    let Some(marker) = marker else { return Err(Error::Missing(name.clone())) };
    let mut inside = admin.connect_to(&names.database).await?;
    let become_owner = format!("SET statement_timeout = 0; SET ROLE {}", sql::ident(&names.owner));
    sqlx::raw_sql(sqlx::AssertSqlSafe(become_owner)).execute(&mut inside).await.map_err(step)?;
    Ok((inside, marker))
}
