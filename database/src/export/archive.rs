//! The file: written beside its place and renamed; unpacked only as far as it proves itself.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use sqlx::PgConnection;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::tables::{Meter, Table};
use super::{Error, FORMAT, Manifest, TableData};

const MANIFEST: &str = "manifest.json";
const LARGEST_MANIFEST: u64 = 16 * 1024 * 1024;
/// No tenant is that big; a file that unpacks to more was made to fill the disk.
const LARGEST_TABLE: u64 = 256 * 1024 * 1024 * 1024;
const LEVEL: i32 = 3;

/// A file whose every byte was checked, unpacked.
pub(super) struct Unpacked {
    pub(super) manifest: Manifest,
    pub(super) folder: TempDir,
}

/// A folder for a tenant's data in the clear: for us alone, gone when dropped.
pub(super) fn scratch(beside: &Path) -> io::Result<TempDir> {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tempfile::Builder::new().prefix(".tenant-data-").permissions(private).tempdir_in(beside)
}

/// The file of one table inside the archive.
pub(super) fn member(number: usize) -> String {
    format!("{number:04}.copy")
}

/// Writes one table to `path` and says what it held.
pub(super) async fn copy_out(
    conn: &mut PgConnection,
    table: Table,
    path: &Path,
) -> Result<TableData, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let step = |source| Error::Step { step: "read a table", source };
    let mut file = tokio::io::BufWriter::new(tokio::fs::File::create(path).await.map_err(io)?);
    let mut meter = Meter::default();
    {
        let mut rows = conn.copy_out_raw(&table.copy_out()).await.map_err(step)?;
        while let Some(bytes) = rows.next().await {
            let bytes = bytes.map_err(step)?;
            meter.add(&bytes);
            file.write_all(&bytes).await.map_err(io)?;
        }
    }
    file.flush().await.map_err(io)?;
    Ok(TableData {
        schema: table.schema,
        name: table.name,
        columns: table.columns,
        rows: meter.rows,
        bytes: meter.bytes,
        sha256: meter.sha256(),
    })
}

/// Packs the spooled tables and the manifest into `file`.
pub(super) async fn pack(spool: TempDir, manifest: Manifest, file: PathBuf) -> Result<(), Error> {
    let path = file.clone();
    tokio::task::spawn_blocking(move || pack_into(&spool, &manifest, &file))
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|source| Error::Io { path, source })
}

fn pack_into(spool: &TempDir, manifest: &Manifest, target: &Path) -> io::Result<()> {
    let file = tempfile::NamedTempFile::new_in(spool.path())?;
    let mut packer = zstd::Encoder::new(BufWriter::new(file), LEVEL)?;
    packer.include_checksum(true)?;
    let mut tar = tar::Builder::new(packer);
    for number in 0..manifest.tables.len() {
        let table = File::open(spool.path().join(member(number)))?;
        let size = table.metadata()?.len();
        let name = format!("tables/{}", member(number));
        tar.append_data(&mut header(size), name, BufReader::new(table))?;
    }
    let text = serde_json::to_vec_pretty(manifest)?;
    tar.append_data(&mut header(text.len() as u64), MANIFEST, text.as_slice())?;
    let file = tar.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(target)?;
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// The same for the same data: no time, no owner.
fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    header
}

/// Unpacks beside the file and checks everything against the manifest.
pub(super) async fn unpack(file: &Path) -> Result<Unpacked, Error> {
    let path = file.to_owned();
    tokio::task::spawn_blocking(move || unpack_from(&path))
        .await
        .map_err(|e| Error::Io { path: file.to_owned(), source: io::Error::other(e) })?
}

fn unpack_from(file: &Path) -> Result<Unpacked, Error> {
    let io = |source| Error::Io { path: file.to_owned(), source };
    let damaged = |why: String| Error::Damaged { file: file.to_owned(), why };
    let packed = File::open(file).map_err(io)?;
    let beside = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = scratch(beside).map_err(io)?;
    let unpacker = zstd::Decoder::new(BufReader::new(packed)).map_err(io)?;
    let mut tar = tar::Archive::new(unpacker);
    let mut found = HashMap::new();
    let mut manifest = None;
    for entry in tar.entries().map_err(|e| damaged(e.to_string()))? {
        let mut entry = entry.map_err(|e| damaged(e.to_string()))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !entry.header().entry_type().is_file() || manifest.is_some() {
            return Err(damaged(format!("`{name}` does not belong there")));
        }
        if name == MANIFEST {
            let mut text = Vec::new();
            entry
                .by_ref()
                .take(LARGEST_MANIFEST)
                .read_to_end(&mut text)
                .map_err(|e| damaged(e.to_string()))?;
            let read: Manifest =
                serde_json::from_slice(&text).map_err(|e| damaged(format!("manifest: {e}")))?;
            manifest = Some(read);
        } else if name == format!("tables/{}", member(found.len())) {
            if entry.size() > LARGEST_TABLE {
                return Err(damaged(format!("`{name}` would unpack to {} bytes", entry.size())));
            }
            let path = folder.path().join(member(found.len()));
            let meter = spill(&mut entry, &path).map_err(|e| damaged(e.to_string()))?;
            found.insert(found.len(), (meter.bytes, meter.rows, meter.sha256()));
        } else {
            return Err(damaged(format!("`{name}` does not belong there")));
        }
    }
    // What follows the archive's end, checksum included, must be sound too.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(|e| damaged(e.to_string()))?;
    let manifest = manifest.ok_or_else(|| damaged("it ends before its manifest".into()))?;
    if manifest.format != FORMAT {
        return Err(damaged(format!("it has format {}, not {FORMAT}", manifest.format)));
    }
    if manifest.tables.len() != found.len() {
        return Err(damaged("tables are missing".into()));
    }
    for (number, table) in manifest.tables.iter().enumerate() {
        let told = (table.bytes, table.rows, table.sha256.clone());
        if found.get(&number) != Some(&told) {
            return Err(damaged(format!("{}.{} was changed", table.schema, table.name)));
        }
    }
    Ok(Unpacked { manifest, folder })
}

fn spill(from: &mut impl io::Read, path: &Path) -> io::Result<Meter> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut meter = Meter::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            file.flush()?;
            return Ok(meter);
        }
        meter.add(&buffer[..read]);
        file.write_all(&buffer[..read])?;
    }
}
