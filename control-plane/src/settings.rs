//! The one file that the control plane is told everything by.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use plan::Installation;
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use url::{Host, Url};
use web::serve::Networks;
use work::sealed::{KeyRing, RootKey};
use work::settings::{self, SettingsError};

/// What it is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Where the API is. Something before it ends TLS.
    #[serde(default = "nine_thousand_five_hundred")]
    pub listen: SocketAddr,
    /// The file that holds the URL of the database `control`.
    pub database: PathBuf,
    /// The file of 32 bytes that secrets in the database are sealed with; made at the start if it is not there.
    pub root_key: PathBuf,
    /// Files of root keys that open and do not seal: the one that is to be `rootKey` next, or was before.
    /// These two settings are read again while it runs.
    #[serde(default)]
    pub other_root_keys: Vec<PathBuf>,
    /// These files are of Secrets that Kubernetes has mounted: such a one is a link and the group may read it,
    /// which is refused of a file else; and none is made, since each process would have its own.
    #[serde(default)]
    pub root_key_is_mounted: bool,
    /// Networks inside that webhooks may call; the internet they may call in any case.
    #[serde(default)]
    pub egress: Networks,
    /// Where people meet it: `https://console.example`, or on one machine `http://127.0.0.1:9500`.
    pub url: Url,
    /// Where proxies of yours are that callers come through, as networks or addresses: whom a request
    /// is from is what they say in `X-Forwarded-For`.
    #[serde(default)]
    pub trusted_proxies: Networks,
    /// The operator's settings, of which `installation` is read: what a change starts again and what it
    /// does to data is reckoned by it, and platforms are asked for admin links below its `domain`. Without it
    /// previews tell fields and costs only, and nobody is asked for links.
    #[serde(default)]
    pub operator: Option<PathBuf>,
    /// Where platforms are asked for admin links, if not where their names lead: a gateway inside that takes
    /// them by `http`, such as `http://10.96.4.20`, whose network stands in `egress`.
    #[serde(default)]
    pub gateway: Option<Url>,
}

/// What of the operator's settings is used here; it has more.
#[derive(Deserialize)]
struct OfOperator {
    installation: Installation,
}

fn nine_thousand_five_hundred() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 9_500))
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let text = settings::text("--settings", file)?;
        let refused = |why| SettingsError::Content { file: file.to_owned(), why };
        let settings: Self =
            serde_saphyr::from_str(&text).map_err(|error| refused(error.to_string()))?;
        let url = &settings.url;
        let is_met = matches!(url.scheme(), "https" | "http") && url.path() == "/";
        if !is_met || url.query().is_some() || url.fragment().is_some() {
            let why = "url: only where it is met, such as https://console.example";
            return Err(refused(why.to_owned()));
        }
        // Behind what ends TLS everybody would be one address, and one who fails lock all others out.
        if url.scheme() == "https" && settings.trusted_proxies.0.is_empty() {
            let why = "trustedProxies: name what ends TLS before it, such as [10.0.0.0/8]";
            return Err(refused(why.to_owned()));
        }
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if url.scheme() == "http" && !is_here {
            let why = "url: what is met from other machines is met by https://, since passwords and \
                       invitations go by it";
            return Err(refused(why.to_owned()));
        }
        // A name would be looked up, and what is called inside is known by its address.
        let is_gateway = |it: &Url| {
            let is_address = matches!(it.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
            it.scheme() == "http" && it.path() == "/" && is_address
        };
        if settings.gateway.as_ref().is_some_and(|it| !is_gateway(it)) {
            let why = "gateway: only the address at which it takes platforms inside, such as \
                       http://10.96.4.20";
            return Err(refused(why.to_owned()));
        }
        Ok(settings)
    }

    /// What is the same for all platforms, where the operator's settings are named.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn installation(&self) -> Result<Option<Installation>, SettingsError> {
        let Some(file) = &self.operator else { return Ok(None) };
        let text = settings::text("operator", file)?;
        let refused = |why| SettingsError::Content { file: file.clone(), why };
        let OfOperator { installation } =
            serde_saphyr::from_str(&text).map_err(|error| refused(error.to_string()))?;
        Ok(Some(installation))
    }

    /// The database.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn database(&self) -> Result<PgConnectOptions, SettingsError> {
        settings::database("database", &self.database)
    }

    /// What secrets in the database are sealed with, where it starts: the first key is made then.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn root_keys(&self) -> Result<KeyRing, SettingsError> {
        if !self.root_key_is_mounted {
            RootKey::read_or_create(&self.root_key)?;
        }
        self.root_keys_that_are_there()
    }

    /// The same without making one: of a name that is misspelt while it runs comes no key.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn root_keys_that_are_there(&self) -> Result<KeyRing, SettingsError> {
        let read = if self.root_key_is_mounted { RootKey::read_mounted } else { RootKey::read };
        let mut keys = KeyRing::of(read(&self.root_key)?);
        for file in &self.other_root_keys {
            keys = keys.and(read(file)?);
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, proxies: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.yaml");
        let text =
            format!("{{database: /d, rootKey: root.key, url: {url:?}, trustedProxies: {proxies}}}");
        std::fs::write(&file, text).unwrap();
        Settings::read(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn of_the_operators_settings_the_installation_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let [settings, operator] =
            ["settings.yaml", "operator.yaml"].map(|it| folder.path().join(it));
        let text = |operator: &Path| {
            let operator = operator.display();
            format!("{{database: /d, rootKey: /k, url: 'http://localhost', operator: {operator}}}")
        };
        std::fs::write(&settings, text(&operator)).unwrap();
        let read = || Settings::read(&settings).unwrap().installation();
        assert!(read().unwrap_err().to_string().contains("`operator` names a file"));
        let installation = include_str!("../../plan/fixtures/installation.json");
        let text = format!("{{namespace: soulfra, rootKey: /k, installation: {installation}}}");
        std::fs::write(&operator, text).unwrap();
        assert_eq!(read().unwrap().unwrap().domain, "platforms.example");
        std::fs::write(&operator, "{namespace: soulfra}").unwrap();
        let why = read().unwrap_err().to_string();
        assert!(why.contains("installation"), "{why}");
    }

    #[test]
    fn a_gateway_inside_is_named_by_where_it_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.yaml");
        let read = |gateway: &str| {
            let text = format!(
                "{{database: /d, rootKey: /k, url: 'http://localhost', gateway: {gateway:?}}}"
            );
            std::fs::write(&file, text).unwrap();
            Settings::read(&file).map_err(|error| error.to_string())
        };
        assert!(read("http://10.96.4.20").unwrap().gateway.is_some());
        assert!(read("http://[fd00::20]:8080").unwrap().gateway.is_some());
        for other in ["https://10.96.4.20", "http://10.96.4.20/platforms", "http://gateway.edge"] {
            assert!(read(other).unwrap_err().contains("gateway: only the address"), "{other}");
        }
    }

    #[test]
    fn a_root_key_is_made_once_and_one_that_is_mounted_never() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = read("http://localhost", "[]").unwrap();
        settings.root_key = folder.path().join("root.key");
        settings.root_key_is_mounted = true;
        assert!(settings.root_keys().is_err() && !settings.root_key.exists());
        settings.root_key_is_mounted = false;
        assert!(settings.root_keys_that_are_there().is_err() && !settings.root_key.exists());
        let made = settings.root_keys().unwrap().seals().id();
        assert_eq!(settings.root_keys().unwrap().seals().id(), made);
    }

    #[test]
    fn other_root_keys_open_and_none_of_them_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = read("http://localhost", "[]").unwrap();
        let [first, next] = ["first.key", "next.key"].map(|it| folder.path().join(it));
        (settings.root_key, settings.other_root_keys) = (first.clone(), vec![next.clone()]);
        assert!(settings.root_keys().is_err() && !next.exists());
        RootKey::read_or_create(&next).unwrap();
        let before: Vec<_> = settings.root_keys().unwrap().ids().collect();
        (settings.root_key, settings.other_root_keys) = (next, vec![first]);
        let after: Vec<_> = settings.root_keys().unwrap().ids().collect();
        assert_eq!(after, [before[1], before[0]]);
    }

    #[test]
    fn who_is_met_from_elsewhere_is_met_by_https_behind_what_ends_it() {
        read("https://console.example", "[10.0.0.0/8]").unwrap();
        for here in ["http://127.0.0.1:9500", "http://[::1]:9500", "http://localhost"] {
            read(here, "[]").unwrap();
        }
        let why = read("https://console.example", "[]").unwrap_err();
        assert!(why.contains("name what ends TLS"), "{why}");
        let why = read("http://console.example", "[]").unwrap_err();
        assert!(why.contains("met by https://"), "{why}");
        let why = read("https://console.example/app", "[10.0.0.1]").unwrap_err();
        assert!(why.contains("only where it is met"), "{why}");
    }
}
