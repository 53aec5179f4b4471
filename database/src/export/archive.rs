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
/// Of a schema; each takes a file of its own.
const MOST_TABLES: usize = 1000;
/// What Postgres keeps of a name.
const LONGEST_NAME: usize = 63;
const LEVEL: i32 = 3;

/// How many bytes a file may unpack to.
#[derive(Clone, Copy)]
struct Bounds {
    /// For its size: rows are texts, and pack to a tenth. What holds far more was made to fill
    /// the disk.
    sound: u64,
    /// For the disk.
    room: u64,
}

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
    tokio::task::spawn_blocking(move || unpack_within(&path, Bounds::of(&path)?))
        .await
        .map_err(|e| Error::Io { path: file.to_owned(), source: io::Error::other(e) })?
}

fn beside(file: &Path) -> &Path {
    file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Bounds {
    fn of(file: &Path) -> Result<Self, Error> {
        const FREE: u64 = 1024 * 1024 * 1024;
        const TIMES: u64 = 100;
        let io = |source| Error::Io { path: file.to_owned(), source };
        let size = file.metadata().map_err(io)?.len();
        let sound = size.saturating_mul(TIMES).saturating_add(FREE);
        Ok(Self { sound, room: super::room_in(beside(file)).map_err(io)? })
    }

    /// What is left when one entry has its part.
    fn less(self, bytes: u64) -> Option<Self> {
        let (sound, room) = (self.sound.checked_sub(bytes)?, self.room.checked_sub(bytes)?);
        Some(Self { sound, room })
    }

    fn exceeded(self, file: &Path) -> Error {
        let file = file.to_owned();
        if self.room < self.sound {
            Error::NoRoom { file, room: self.room / 1024 / 1024 }
        } else {
            let why = "it would unpack to far more than an export of its size holds".into();
            Error::Damaged { file, why }
        }
    }
}

fn unpack_within(file: &Path, bounds: Bounds) -> Result<Unpacked, Error> {
    /// Between the tables: their headers, and what fills their last blocks.
    const FRAME: u64 = 2 * 1024 * 1024;
    let io = |source| Error::Io { path: file.to_owned(), source };
    let damaged = |why: String| Error::Damaged { file: file.to_owned(), why };
    let packed = File::open(file).map_err(io)?;
    let folder = scratch(beside(file)).map_err(io)?;
    let unpacker = zstd::Decoder::new(BufReader::new(packed)).map_err(io)?;
    let mut tar =
        tar::Archive::new(unpacker.take(bounds.sound.min(bounds.room).saturating_add(FRAME)));
    let mut left = bounds;
    let mut found = HashMap::new();
    let mut manifest = None;
    // Raw: a long name is not read into memory for us, but is an entry that does not belong.
    for entry in tar.entries().map_err(|e| damaged(e.to_string()))?.raw(true) {
        let mut entry = entry.map_err(|e| damaged(e.to_string()))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).escape_debug().to_string();
        if !entry.header().entry_type().is_file() || manifest.is_some() || found.len() > MOST_TABLES
        {
            return Err(damaged(format!("`{name}` does not belong there")));
        }
        left = left.less(entry.size()).ok_or_else(|| bounds.exceeded(file))?;
        if name == MANIFEST {
            let mut text = Vec::new();
            entry
                .by_ref()
                .take(LARGEST_MANIFEST)
                .read_to_end(&mut text)
                .map_err(|e| damaged(e.to_string()))?;
            let read: Manifest =
                serde_json::from_slice(&text).map_err(|e| damaged(format!("manifest: {e}")))?;
            if !are_names(&read) {
                return Err(damaged("its manifest has names that no table can have".into()));
            }
            manifest = Some(read);
        } else if name == format!("tables/{}", member(found.len())) {
            let path = folder.path().join(member(found.len()));
            let meter = spill(&mut entry, &path).map_err(|error| match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => io(error),
                _ => damaged(error.to_string()),
            })?;
            found.insert(found.len(), (meter.bytes, meter.rows, meter.sha256()));
        } else {
            return Err(damaged(format!("`{name}` does not belong there")));
        }
    }
    // What follows the archive's end, checksum included, must be sound too.
    let mut rest = tar.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(|e| damaged(e.to_string()))?;
    if rest.limit() == 0 {
        return Err(bounds.exceeded(file));
    }
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

/// Whether all that the manifest names could be in a database, and in an error message.
fn are_names(manifest: &Manifest) -> bool {
    let sound = |name: &String| name.len() <= LONGEST_NAME && !name.contains(char::is_control);
    let Manifest { schema, tables, sequences, .. } = manifest;
    sound(schema)
        && tables.iter().all(|table| {
            sound(&table.schema) && sound(&table.name) && table.columns.iter().all(sound)
        })
        && sequences.iter().all(|sequence| sound(&sequence.schema) && sound(&sequence.name))
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

#[cfg(test)]
mod tests {
    use tar::{Builder, EntryType, Header};

    use super::*;

    type Packer = Builder<zstd::Encoder<'static, File>>;

    const SMALL: u64 = 1024 * 1024;
    const BOUNDS: Bounds = Bounds { sound: SMALL, room: 2 * SMALL };

    /// What a file of these entries is refused for, with small bounds; it leaves nothing behind.
    fn refused(bounds: Bounds, entries: impl FnOnce(&mut Packer)) -> Error {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data.export");
        let packer = zstd::Encoder::new(File::create(&file).unwrap(), LEVEL).unwrap();
        let mut tar = Builder::new(packer);
        entries(&mut tar);
        tar.into_inner().unwrap().finish().unwrap();
        let error = unpack_within(&file, bounds).err().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        error
    }

    fn manifest(tar: &mut Packer, schema: &str) {
        let text = format!(
            r#"{{"format": 1, "tenant": "acme", "schema": "{schema}", "version": 1,
                "exported_at": "1970-01-01T00:00:00Z", "tables": [], "sequences": []}}"#
        );
        tar.append_data(&mut header(text.len() as u64), MANIFEST, text.as_bytes()).unwrap();
    }

    fn table(tar: &mut Packer, number: usize, size: u64) {
        let name = format!("tables/{}", member(number));
        tar.append_data(&mut header(size), name, io::repeat(b'\n').take(size)).unwrap();
    }

    #[test]
    fn a_small_file_that_unpacks_to_much_is_refused() {
        let far_more = |error| {
            assert!(matches!(&error, Error::Damaged { why, .. } if why.contains("far more")));
        };
        far_more(refused(BOUNDS, |tar| table(tar, 0, SMALL + 1)));
        far_more(refused(BOUNDS, |tar| (0..3).for_each(|number| table(tar, number, SMALL / 2))));
        // Behind the end.
        far_more(refused(BOUNDS, |tar| {
            manifest(tar, "tenant");
            tar.finish().unwrap();
            io::copy(&mut io::repeat(0).take(4 * SMALL), tar.get_mut()).unwrap();
        }));
    }

    #[test]
    fn a_file_that_does_not_fit_on_the_disk_is_refused() {
        let error = refused(Bounds { sound: 3 * SMALL, room: SMALL }, |tar| {
            table(tar, 0, 2 * SMALL);
        });
        assert!(matches!(error, Error::NoRoom { room: 1, .. }), "{error}");
        assert!(error.to_string().contains("make room"), "{error}");
    }

    #[test]
    fn names_that_we_do_not_write_are_refused_unread() {
        for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
            let error = refused(BOUNDS, |tar| {
                let mut header = Header::new_gnu();
                header.set_entry_type(kind);
                header.set_path("x").unwrap();
                // As told, far more than there is.
                header.set_size(3 * 1024 * SMALL);
                header.set_cksum();
                tar.append(&header, &b"longer"[..]).unwrap();
            });
            assert!(error.to_string().contains("`x` does not belong there"), "{error}");
        }
        let error = refused(BOUNDS, |tar| {
            (0..=MOST_TABLES + 1).for_each(|number| table(tar, number, 0));
        });
        assert!(error.to_string().contains("does not belong there"), "{error}");
        let error = refused(BOUNDS, |tar| manifest(tar, &"x".repeat(64)));
        assert!(error.to_string().contains("names that no table can have"), "{error}");
    }
}
