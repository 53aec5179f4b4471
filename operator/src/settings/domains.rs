//! What an operator is told about names: where they are kept, what proves them, and who gives
//! certificates for them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use certificates::acme::{Authority, Binding};
use certificates::claims::Zones;
use certificates::dns::{Algorithm, Dns, Editor, Key, Primary, Update};
use certificates::limits::{Limit, Limits};
use jiff::SignedDuration;
use secrecy::SecretString;
use serde::Deserialize;
use work::sealed::RootKey;
use work::settings::{SettingsError, secret, text};

use super::key;

/// What an operator is told about names.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DomainSettings {
    /// The database server, of those in `servers`, that names and certificates are kept on.
    pub server: String,
    /// The database there, made where it is not.
    #[serde(default = "fleet")]
    pub database: String,
    /// The zone that owners point their names into: everything in it leads to the edges.
    pub targets: String,
    /// The addresses of the edges, for names that can have no CNAME.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Zones beside the installation's own that are nobody's to claim.
    #[serde(default)]
    pub reserved: Vec<String>,
    /// The file of the key that certificates are sealed with. Edges have it too, and not the root
    /// key, which all passwords hang on.
    pub key: PathBuf,
    /// That file is of a Secret that Kubernetes has mounted.
    #[serde(default)]
    pub key_is_mounted: bool,
    /// The file of the password that edges log in with.
    #[serde(default)]
    pub edge_password: Option<PathBuf>,
    /// Whom the DNS is asked through; the machine's own resolvers if there are none.
    #[serde(default)]
    pub resolvers: Vec<SocketAddr>,
    /// The certificate of the installation's own domain, where it comes from elsewhere.
    #[serde(default)]
    pub certificate: Option<CertificateFiles>,
    /// Where the installation's own domain is changed in the DNS: its certificate is ordered then,
    /// like those of all other names.
    #[serde(default)]
    pub zone: Option<ZoneSettings>,
    /// Who gives certificates: the first, and those after it where it does not answer.
    #[serde(default)]
    pub authorities: Vec<AuthoritySettings>,
}

/// A certificate in files, which are read again when they change.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateFiles {
    /// PEM, the certificate itself first; it is for the names below the installation's domain.
    pub chain: PathBuf,
    /// Its key, as PKCS #8 in PEM.
    pub key: PathBuf,
}

/// Where a zone is changed in the DNS, by RFC 2136.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ZoneSettings {
    /// The server that takes changes, such as `10.0.0.53:53`.
    pub server: SocketAddr,
    /// The zone; the installation's domain, where it is not part of another one.
    #[serde(default)]
    pub name: Option<String>,
    /// Whom strangers ask about the zone. If there are none, those that the zone names itself.
    #[serde(default)]
    pub servers: Vec<SocketAddr>,
    /// What changes are signed with.
    pub key: ZoneKeySettings,
}

/// A key that server and operator share.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ZoneKeySettings {
    /// What the server calls it.
    pub name: String,
    /// How it signs.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// The file of the key in base64.
    pub secret: PathBuf,
}

/// An authority that speaks ACME.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthoritySettings {
    /// What it is called here.
    pub name: String,
    /// The address of its directory.
    pub directory: String,
    /// Whom it writes to, such as `mailto:ops@example.com`.
    #[serde(default)]
    pub contact: Vec<String>,
    /// Which sort of certificate is wanted, such as `shortlived`.
    #[serde(default)]
    pub profile: Option<String>,
    /// An account that was made with it by other means.
    #[serde(default)]
    pub binding: Option<BindingSettings>,
    /// What it allows.
    #[serde(default)]
    pub limits: LimitSettings,
    /// The file of its own root, where the machine does not know it.
    #[serde(default)]
    pub root: Option<PathBuf>,
}

/// An account that exists with an authority outside of ACME.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BindingSettings {
    /// What the authority calls it.
    pub id: String,
    /// The file of its key, as the authority handed it out.
    pub key: PathBuf,
}

/// What an authority allows.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum LimitSettings {
    /// What Let's Encrypt publishes.
    #[default]
    LetsEncrypt,
    /// Anything.
    None,
    /// What was agreed with it.
    #[serde(untagged)]
    Agreed(Agreed),
}

/// What was agreed with an authority.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Agreed {
    /// Orders in three hours.
    orders: u32,
    /// Certificates in a week for names of one registered domain.
    registered: u32,
    /// Certificates in a week for the very same name.
    name: u32,
}

fn fleet() -> String {
    "fleet".to_owned()
}

impl DomainSettings {
    /// What the service has in the DNS; `domain` is the installation's own.
    pub fn zones(&self, domain: &str) -> Zones {
        Zones {
            own: std::iter::once(domain.to_owned()).chain(self.reserved.iter().cloned()).collect(),
            targets: self.targets.clone(),
            addresses: self.addresses.clone(),
        }
    }

    /// What certificates are sealed with.
    pub fn key(&self) -> Result<Arc<RootKey>, SettingsError> {
        Ok(Arc::new(key(&self.key, self.key_is_mounted)?))
    }

    /// What edges log in with.
    pub fn edge_password(&self) -> Result<Option<SecretString>, SettingsError> {
        let read = |file| secret("domains: edgePassword", file);
        self.edge_password.as_deref().map(read).transpose()
    }

    /// Who changes the installation's own domain in the DNS.
    pub fn editor(
        &self,
        domain: &str,
        dns: &Arc<dyn Dns>,
    ) -> Result<Option<Arc<dyn Editor>>, SettingsError> {
        let Some(zone) = &self.zone else { return Ok(None) };
        let ZoneKeySettings { name, algorithm, secret: file } = &zone.key;
        let key = Key {
            name: name.clone(),
            algorithm: *algorithm,
            secret: secret("zone: key: secret", file)?,
        };
        let primary = Primary {
            server: zone.server,
            zone: zone.name.clone().unwrap_or_else(|| domain.to_owned()),
            servers: zone.servers.clone(),
        };
        let update = Update::new(primary, &key, dns.clone());
        let update = update
            .map_err(|why| SettingsError::Content { file: file.clone(), why: why.to_string() })?;
        Ok(Some(Arc::new(update)))
    }

    /// Who gives certificates.
    pub fn authorities(&self) -> Result<Vec<Authority>, SettingsError> {
        self.authorities.iter().map(AuthoritySettings::read).collect()
    }
}

impl AuthoritySettings {
    fn read(&self) -> Result<Authority, SettingsError> {
        let binding = |binding: &BindingSettings| -> Result<_, SettingsError> {
            Ok(Binding { id: binding.id.clone(), key: secret("binding: key", &binding.key)? })
        };
        Ok(Authority {
            name: self.name.clone(),
            directory: self.directory.clone(),
            contact: self.contact.clone(),
            profile: self.profile.clone(),
            binding: self.binding.as_ref().map(binding).transpose()?,
            limits: self.limits.into(),
            root: self.root.as_deref().map(|file| text("root", file)).transpose()?,
        })
    }
}

impl From<LimitSettings> for Limits {
    fn from(settings: LimitSettings) -> Self {
        let hours = SignedDuration::from_hours;
        match settings {
            LimitSettings::LetsEncrypt => Self::lets_encrypt(),
            LimitSettings::None => Self::none(),
            LimitSettings::Agreed(Agreed { orders, registered, name }) => Self {
                orders: Limit::over(orders, hours(3)),
                registered: Limit::over(registered, hours(7 * 24)),
                name: Limit::over(name, hours(7 * 24)),
            },
        }
    }
}
