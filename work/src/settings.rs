//! Files that the settings of a program name: secrets are in those, never in the settings.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::PgConnectOptions;

use crate::sealed::RootKeyError;

/// Why settings cannot be used. Nothing here repeats a secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("`{what}` names a file that cannot be read: {file}: {cause}", file = told(file))]
    File {
        /// The setting that names it.
        what: String,
        /// Which.
        file: PathBuf,
        /// What went wrong.
        cause: io::Error,
    },
    /// It says something that cannot be.
    #[error("{file} cannot be used: {why}", file = told(file))]
    Content {
        /// Which.
        file: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// There is no key.
    #[error(transparent)]
    Key(#[from] RootKeyError),
}

/// What the file that the setting `what` names has in it.
///
/// # Errors
/// [`SettingsError::File`]
pub fn text(what: &str, file: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(file).map_err(|cause| SettingsError::File {
        what: what.to_owned(),
        file: file.to_owned(),
        cause,
    })
}

/// The same of a secret, without the line's end.
///
/// # Errors
/// [`SettingsError::File`]
pub fn secret(what: &str, file: &Path) -> Result<SecretString, SettingsError> {
    Ok(text(what, file)?.trim().to_owned().into())
}

/// The database whose URL is in that file.
///
/// # Errors
/// [`SettingsError`]
pub fn database(what: &str, file: &Path) -> Result<PgConnectOptions, SettingsError> {
    let url = secret(what, file)?;
    let url = url.expose_secret();
    let is_one = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let options = is_one.then(|| url.parse().ok()).flatten();
    options.ok_or_else(|| SettingsError::Content {
        file: file.to_owned(),
        why:
            "not a URL such as postgres://user:password@host:5432/name; what is no letter or digit \
              in a password is written as % and two hexadecimal digits"
                .to_owned(),
    })
}

/// The name of a file, as it may be told: whoever wrote the secret where its file's name belongs would
/// read it in the log else. Told is what is there, or could be: in a folder that is.
pub(crate) fn told(file: &Path) -> impl fmt::Display {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if file.exists() || folder.is_some_and(Path::is_dir) {
        file.display().to_string()
    } else {
        "(not repeated, as nothing is there: what belongs here is the name of a file, not what is in it)"
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wrote_the_secret_where_its_file_belongs_does_not_find_it_in_the_log() {
        let url = "postgres://edge:geheim77@127.0.0.1:5432/fleet";
        for said in [url, "geheim77", "geheim77/bc", "/geheim77/bc"] {
            let why = database("database", Path::new(said)).unwrap_err().to_string();
            assert!(!why.contains("geheim77"), "{why}");
            assert!(why.contains("`database`") && why.contains("the name of a file"), "{why}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        let why = database("database", &file).unwrap_err().to_string();
        assert!(why.contains(&file.display().to_string()), "{why}");
    }

    #[test]
    fn what_is_no_url_of_a_database_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        for url in ["mysql://edge:geheim77@db/fleet", "postgres://edge:geheim77#/@db/fleet", ""] {
            std::fs::write(&file, url).unwrap();
            let why = database("database", &file).unwrap_err().to_string();
            assert!(why.contains("postgres://user:password@host") && why.contains('%'), "{why}");
            assert!(!why.contains("geheim77"), "{why}");
        }
        std::fs::write(&file, "postgres://edge:a%23b@db:5433/fleet\n").unwrap();
        assert_eq!(database("database", &file).unwrap().get_port(), 5433);
    }
}
