//! What an edge keeps on its own disk, so that it serves with everything else gone: names,
//! platforms, certificates. Each value is sealed and bound to its key, so who can write to the file
//! can lead no name elsewhere.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use certificates::served::{Changes, Issued, Platform};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use work::sealed::{self, Place, RootKey};

type Values = TableDefinition<'static, &'static str, &'static [u8]>;

const PLATFORMS: Values = TableDefinition::new("platforms");
const HOSTS: Values = TableDefinition::new("hosts");
const CERTIFICATES: Values = TableDefinition::new("certificates");

/// Of the file so much is kept in memory.
const IN_MEMORY: usize = 32 << 20;

/// The file.
#[derive(Clone)]
pub struct Disk {
    file: Arc<Database>,
    key: Arc<RootKey>,
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The file itself.
    #[error("{}", of_the_file(.0))]
    File(#[from] redb::Error),
    /// A value in it.
    #[error("a value is not what was written: {0}")]
    Value(String),
    /// The program ends.
    #[error("the program ends")]
    Ended,
}

type Result<T> = std::result::Result<T, DiskError>;

impl DiskError {
    fn is_of_what_is_in_it(&self) -> bool {
        match self {
            Self::Value(_) => true,
            Self::File(redb::Error::Io(error)) => error.kind() == ErrorKind::InvalidData,
            Self::File(error) => matches!(
                error,
                redb::Error::Corrupted(_)
                    | redb::Error::UpgradeRequired(_)
                    | redb::Error::RepairAborted
                    | redb::Error::TableTypeMismatch { .. }
            ),
            Self::Ended => false,
        }
    }
}

fn of_the_file(error: &redb::Error) -> String {
    match error {
        redb::Error::DatabaseAlreadyOpen => "another edge uses this folder".to_owned(),
        error => error.to_string(),
    }
}

impl Disk {
    /// Opens the file of this key in the folder, or makes it. One that cannot be read is put aside: all
    /// that is in it is in the database too. With another key it is as if there were none, and with the
    /// former key all is there again.
    ///
    /// # Errors
    /// Where none can be made.
    pub fn open(folder: &Path, key: &Arc<RootKey>) -> Result<Self> {
        let path = &folder.join(format!("edge-{}.redb", key.id()));
        let disk = match Self::try_open(path, key) {
            Ok(disk) => disk,
            // Of another process, on a full disk, not ours to open: it is not the file's fault.
            Err(error) if !error.is_of_what_is_in_it() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "put aside: it cannot be read");
                let aside = path.with_extension("unreadable");
                std::fs::rename(path, aside).map_err(redb::Error::Io)?;
                Self::try_open(path, key)?
            }
        };
        Ok(disk)
    }

    fn try_open(path: &Path, key: &Arc<RootKey>) -> Result<Self> {
        let file = Database::builder().set_cache_size(IN_MEMORY).create(path);
        let disk = Self { file: Arc::new(file.map_err(redb::Error::from)?), key: key.clone() };
        disk.write(|_| Ok(()))?;
        // What cannot be read now never will be.
        disk.some(PLATFORMS, "platforms", 1).map(|_: Vec<Platform>| disk)
    }

    /// All names and platforms.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn load(&self) -> Result<Changes> {
        let platforms = self.some(PLATFORMS, "platforms", usize::MAX)?;
        let hosts = self.some(HOSTS, "hosts", usize::MAX)?;
        Ok(Changes { platforms, hosts, ..Changes::default() })
    }

    /// There is this, and nothing else; of certificates, those of these names.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn replace(&self, all: &Changes) -> Result<()> {
        let used: HashSet<String> =
            all.hosts.iter().filter_map(|host| Some(host.certificate?.to_string())).collect();
        self.write(|tables| {
            tables.platforms.retain(|_, _| false).map_err(redb::Error::from)?;
            tables.hosts.retain(|_, _| false).map_err(redb::Error::from)?;
            let unused = |id: &str, _: &[u8]| used.contains(id);
            tables.certificates.retain(unused).map_err(redb::Error::from)?;
            self.put(tables, all)
        })
    }

    /// This changed.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn apply(&self, changes: &Changes) -> Result<()> {
        self.write(|tables| {
            for uid in &changes.gone_platforms {
                tables.platforms.remove(uid.to_string().as_str()).map_err(redb::Error::from)?;
            }
            for name in &changes.gone_hosts {
                tables.hosts.remove(name.as_str()).map_err(redb::Error::from)?;
            }
            self.put(tables, changes)
        })
    }

    /// A certificate, if it is here.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn certificate(&self, id: Uuid) -> Result<Option<Issued>> {
        let id = id.to_string();
        let read = self.file.begin_read().map_err(redb::Error::from)?;
        let table = read.open_table(CERTIFICATES).map_err(redb::Error::from)?;
        let Some(value) = table.get(id.as_str()).map_err(redb::Error::from)? else {
            return Ok(None);
        };
        self.unsealed("certificates", &id, value.value()).map(Some)
    }

    /// Which of these certificates are not here.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn missing(&self, ids: impl IntoIterator<Item = Uuid>) -> Result<Vec<Uuid>> {
        let read = self.file.begin_read().map_err(redb::Error::from)?;
        let table = read.open_table(CERTIFICATES).map_err(redb::Error::from)?;
        let mut missing = Vec::new();
        for id in ids {
            if table.get(id.to_string().as_str()).map_err(redb::Error::from)?.is_none() {
                missing.push(id);
            }
        }
        Ok(missing)
    }

    /// Keeps certificates.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn keep(&self, certificates: &[Issued]) -> Result<()> {
        self.write(|tables| {
            for issued in certificates {
                let id = issued.id.to_string();
                let value = self.sealed("certificates", &id, issued)?;
                tables.certificates.insert(id.as_str(), &*value).map_err(redb::Error::from)?;
            }
            Ok(())
        })
    }

    fn put(&self, tables: &mut Tables<'_>, changes: &Changes) -> Result<()> {
        for platform in &changes.platforms {
            let uid = platform.uid.to_string();
            let value = self.sealed("platforms", &uid, platform)?;
            tables.platforms.insert(uid.as_str(), &*value).map_err(redb::Error::from)?;
        }
        for host in &changes.hosts {
            let value = self.sealed("hosts", &host.name, host)?;
            tables.hosts.insert(host.name.as_str(), &*value).map_err(redb::Error::from)?;
        }
        Ok(())
    }

    fn write(&self, change: impl FnOnce(&mut Tables<'_>) -> Result<()>) -> Result<()> {
        let write = self.file.begin_write().map_err(redb::Error::from)?;
        {
            let mut tables = Tables {
                platforms: write.open_table(PLATFORMS).map_err(redb::Error::from)?,
                hosts: write.open_table(HOSTS).map_err(redb::Error::from)?,
                certificates: write.open_table(CERTIFICATES).map_err(redb::Error::from)?,
            };
            change(&mut tables)?;
        }
        write.commit().map_err(redb::Error::from)?;
        Ok(())
    }

    fn some<T: DeserializeOwned>(&self, of: Values, table: &str, most: usize) -> Result<Vec<T>> {
        let read = self.file.begin_read().map_err(redb::Error::from)?;
        let values = read.open_table(of).map_err(redb::Error::from)?;
        let mut found = Vec::new();
        for entry in values.iter().map_err(redb::Error::from)?.take(most) {
            let (key, value) = entry.map_err(redb::Error::from)?;
            found.push(self.unsealed(table, key.value(), value.value())?);
        }
        Ok(found)
    }

    fn sealed(&self, table: &str, field: &str, value: &impl Serialize) -> Result<Vec<u8>> {
        let failed = |error: &dyn std::fmt::Display| DiskError::Value(error.to_string());
        let text = serde_json::to_string(value).map_err(|error| failed(&error))?;
        let place = Place { tenant: "edge", table, field };
        sealed::seal(&self.key, place, &text.into()).map_err(|error| failed(&error))
    }

    fn unsealed<T: DeserializeOwned>(&self, table: &str, field: &str, bytes: &[u8]) -> Result<T> {
        use secrecy::ExposeSecret as _;
        let failed = |error: &dyn std::fmt::Display| DiskError::Value(error.to_string());
        let place = Place { tenant: "edge", table, field };
        let text = sealed::open(&self.key, place, bytes).map_err(|error| failed(&error))?;
        serde_json::from_str(text.expose_secret()).map_err(|error| failed(&error))
    }
}

struct Tables<'a> {
    platforms: redb::Table<'a, &'static str, &'static [u8]>,
    hosts: redb::Table<'a, &'static str, &'static [u8]>,
    certificates: redb::Table<'a, &'static str, &'static [u8]>,
}

/// Does this where waiting holds nobody up.
///
/// # Errors
/// What it says, or [`DiskError::Ended`].
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| DiskError::Ended)?
}

#[cfg(test)]
mod tests {
    use certificates::served::{Host, Standing};

    use super::*;

    fn key(byte: u8) -> Arc<RootKey> {
        Arc::new(RootKey::from_bytes([byte; 32]))
    }

    fn all(names: &[&str]) -> (Changes, Uuid) {
        let platform = Platform {
            uid: Uuid::new_v4(),
            name: "acme".to_owned(),
            backend: "127.0.0.1:1".to_owned(),
            own_host: "acme.soulfra.app".to_owned(),
            primary_host: None,
            standing: Standing::Serving,
            display_name: "Acme".to_owned(),
            support_email: None,
            looks: None,
            sleeps: None,
        };
        let certificate = Uuid::new_v4();
        let host = |name: &&str| Host {
            name: (*name).to_owned(),
            platform: platform.uid,
            certificate: Some(certificate),
        };
        let hosts = names.iter().map(host).collect();
        (Changes { platforms: vec![platform], hosts, ..Changes::default() }, certificate)
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_and_what_went_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (mut before, certificate) = all(&["a.example.com", "b.example.com"]);
        let issued = Issued { id: certificate, chain: "PEM".to_owned(), key: vec![7; 40] };
        let disk = Disk::open(path, &key(1)).unwrap();
        disk.replace(&before).unwrap();
        assert_eq!(disk.missing([certificate]).unwrap(), [certificate]);
        disk.keep(std::slice::from_ref(&issued)).unwrap();
        let gone = Changes { gone_hosts: vec!["b.example.com".to_owned()], ..Changes::default() };
        disk.apply(&gone).unwrap();
        drop(disk);

        let disk = Disk::open(path, &key(1)).unwrap();
        before.hosts.truncate(1);
        assert_eq!(disk.load().unwrap(), before);
        assert!(disk.certificate(certificate).unwrap() == Some(issued));
        assert!(disk.missing([certificate]).unwrap().is_empty());
        disk.replace(&all(&[]).0).unwrap();
        assert!(disk.certificate(certificate).unwrap().is_none(), "nobody needs it any more");
    }

    #[test]
    fn who_was_given_another_key_by_mistake_has_everything_again_with_the_former_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let disk = Disk::open(path, &key(1)).unwrap();
        let kept = all(&["a.example.com"]).0;
        disk.replace(&kept).unwrap();
        drop(disk);
        assert_eq!(Disk::open(path, &key(2)).unwrap().load().unwrap(), Changes::default());
        assert_eq!(Disk::open(path, &key(1)).unwrap().load().unwrap(), kept);
    }

    #[test]
    fn a_file_that_is_none_is_put_aside_and_one_that_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (held, again) = (Disk::open(path, &key(2)).unwrap(), Disk::open(path, &key(2)));
        assert!(matches!(again, Err(DiskError::File(redb::Error::DatabaseAlreadyOpen))));
        drop(held);
        let name = format!("edge-{}", key(2).id());
        std::fs::write(path.join(format!("{name}.redb")), "no such file").unwrap();
        assert_eq!(Disk::open(path, &key(2)).unwrap().load().unwrap(), Changes::default());
        assert!(path.join(format!("{name}.unreadable")).exists());
    }

    #[test]
    fn a_value_leads_nowhere_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path(), &key(1)).unwrap();
        disk.replace(&all(&["a.example.com"]).0).unwrap();
        let value = {
            let read = disk.file.begin_read().unwrap();
            let hosts = read.open_table(HOSTS).unwrap();
            hosts.get("a.example.com").unwrap().unwrap().value().to_vec()
        };
        let moved = disk.write(|tables| {
            tables.hosts.insert("b.example.com", &*value).map_err(redb::Error::from)?;
            Ok(())
        });
        moved.unwrap();
        assert!(matches!(disk.load(), Err(DiskError::Value(_))));
    }
}
