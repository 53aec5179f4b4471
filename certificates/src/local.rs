//! The local authority: a key and a certificate in a private folder, and a certificate for each
//! name as it is first asked for.
//!
//! Its certificate may sign for `localhost` and names under it only, so that trusting it on a
//! machine gives nobody any other name.

use std::collections::HashMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints,
};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

const KEY: &str = "authority.key";
const CERTIFICATE: &str = "authority.pem";
/// Names kept at once; further ones are signed again each time they are asked for.
const MOST_NAMES: usize = 1000;
/// How long the authority is valid.
const AUTHORITY_DAYS: u32 = 3650;
/// How long a name's certificate is valid; browsers refuse much longer ones. It is signed anew
/// with each start.
const NAME_DAYS: u32 = 397;

/// Why there is no local authority.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its files are not what they should be, or a certificate cannot be made.
    #[error(
        "the local certificate authority in {folder} cannot be used: {source}; remove that folder to make a new one"
    )]
    Unusable {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        source: rcgen::Error,
    },
    /// The TLS library refuses its settings.
    #[error("set up TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// Signs for names under `.localhost`, on this machine only.
pub struct LocalAuthority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
    known: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl LocalAuthority {
    /// The authority in a folder; made when there is none.
    pub fn read_or_create(folder: &Path) -> Result<Self, LocalError> {
        let unusable = |source| LocalError::Unusable { folder: folder.to_owned(), source };
        let key_file = folder.join(KEY);
        let file = folder.join(CERTIFICATE);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| LocalError::File { path, source }
        };
        if !file.exists() {
            std::fs::create_dir_all(folder).map_err(failed(folder))?;
            let key = KeyPair::generate().map_err(unusable)?;
            let certificate = authority().self_signed(&key).map_err(unusable)?;
            write_private(&key_file, key.serialize_pem().as_bytes()).map_err(failed(&key_file))?;
            // Last: who finds it finds the key too.
            std::fs::write(&file, certificate.pem()).map_err(failed(&file))?;
        }
        let key = std::fs::read_to_string(&key_file).map_err(failed(&key_file))?;
        let pem = std::fs::read_to_string(&file).map_err(failed(&file))?;
        let key = KeyPair::from_pem(&key).map_err(unusable)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key).map_err(unusable)?;
        Ok(Self { issuer, file, known: Mutex::default() })
    }

    /// The certificate that browsers have to trust, as PEM.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// TLS with this authority's certificates, for HTTP/1.1 and HTTP/2.
    pub fn server(self) -> Result<Arc<ServerConfig>, LocalError> {
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// A certificate for a name under `.localhost`; none for any other.
    fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let label = name.strip_suffix(".localhost")?;
        if label.is_empty() || label.contains('.') {
            return None;
        }
        if let Some(known) = self.known().get(name) {
            return Some(Arc::clone(known));
        }
        let signed = self
            .sign(name)
            .inspect_err(|error| tracing::error!(name, "sign a local certificate: {error}"))
            .ok()?;
        let mut known = self.known();
        if known.len() < MOST_NAMES {
            known.insert(name.to_owned(), Arc::clone(&signed));
        }
        Some(signed)
    }

    fn sign(&self, name: &str) -> Result<Arc<CertifiedKey>, Box<dyn std::error::Error>> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = valid_for(NAME_DAYS);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = aws_lc_rs::default_provider();
        Ok(Arc::new(CertifiedKey::from_der(chain, key, &provider)?))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for LocalAuthority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate(&hello.server_name()?.to_ascii_lowercase())
    }
}

impl fmt::Debug for LocalAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalAuthority").field("file", &self.file).finish_non_exhaustive()
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "create-ai-platform local authority");
    (params.not_before, params.not_after) = valid_for(AUTHORITY_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("localhost".to_owned())],
        // A list of permitted names says nothing about addresses: those are excluded one and all.
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
        ],
    });
    params
}

/// From yesterday, for clocks that are behind, for so many days.
fn valid_for<T: From<SystemTime>>(days: u32) -> (T, T) {
    const DAY: Duration = Duration::from_hours(24);
    let now = SystemTime::now();
    let end = now + DAY * days;
    ((now - DAY).into(), end.into())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_signs_for_platforms_of_this_machine_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let authority = LocalAuthority::read_or_create(folder.path()).unwrap();
        assert!(authority.certificate("acme.localhost").is_some());
        for name in ["example.com", "localhost", ".localhost", "a.b.localhost", "localhost.evil"] {
            assert!(authority.certificate(name).is_none(), "{name}");
        }
    }

    #[test]
    fn it_stays_the_same_and_keeps_its_key_to_itself() {
        let folder = tempfile::tempdir().unwrap();
        let first = LocalAuthority::read_or_create(folder.path()).unwrap();
        let pem = std::fs::read(first.file()).unwrap();
        let again = LocalAuthority::read_or_create(folder.path()).unwrap();
        assert_eq!(std::fs::read(again.file()).unwrap(), pem);
        let mode = std::fs::metadata(folder.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_one_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        LocalAuthority::read_or_create(folder.path()).unwrap();
        std::fs::write(folder.path().join(KEY), "nonsense").unwrap();
        let error = LocalAuthority::read_or_create(folder.path()).unwrap_err();
        assert!(error.to_string().contains("remove that folder"), "{error}");
    }
}
