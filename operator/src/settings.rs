//! The one file that an operator is told everything by.

mod domains;
mod sense;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use database::Admin;
use plan::Installation;
use serde::Deserialize;
use work::sealed::RootKey;
use work::settings;
pub use work::settings::SettingsError;

pub use domains::{
    Agreed, AuthoritySettings, BindingSettings, CertificateFiles, DomainSettings, LimitSettings,
    ZoneKeySettings, ZoneSettings,
};

/// What an operator is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// What is the same for all platforms.
    pub installation: Installation,
    /// Of each database server of the installation: the file that holds the URL of a role which
    /// may make databases and roles.
    #[serde(default)]
    pub servers: BTreeMap<String, PathBuf>,
    /// The file of 32 bytes that credentials are made from; made once if it is not there.
    pub root_key: PathBuf,
    /// The file is of a Secret that Kubernetes has mounted: it is a link and the group may read it,
    /// which is refused of a file else; and none is made, since each process would have its own.
    #[serde(default)]
    pub root_key_is_mounted: bool,
    /// Names of platforms' own, and how they are met; without it nobody looks after them.
    #[serde(default)]
    pub domains: Option<DomainSettings>,
    /// Where `/healthz`, `/readyz` and `/metrics` are.
    #[serde(default = "everywhere")]
    pub health: SocketAddr,
    /// Turns at once.
    #[serde(default = "sixteen")]
    pub workers: usize,
    /// The namespace of the Lease by which one of several operators is in charge.
    pub namespace: String,
}

fn sixteen() -> usize {
    16
}

fn everywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9_400))
}

impl Settings {
    /// Reads the file.
    pub fn read(file: &Path) -> Result<Self, SettingsError> {
        let text = settings::text("--settings", file)?;
        let refused = |why: String| SettingsError::Content { file: file.to_owned(), why };
        let settings: Self =
            serde_saphyr::from_str(&text).map_err(|error| refused(error.to_string()))?;
        for server in &settings.installation.fleet.servers {
            if !settings.servers.contains_key(&server.name) {
                return Err(refused(format!(
                    "the fleet has a database server `{0}` and `servers` has no file for it: add \
                     `{0}: /path/of/the/url`",
                    server.name
                )));
            }
        }
        if let Some(domains) = &settings.domains
            && !settings.servers.contains_key(&domains.server)
        {
            return Err(refused(format!(
                "domains: server: there is no `{0}` in `servers`: add `{0}: /path/of/the/url`",
                domains.server
            )));
        }
        let mut problems = sense::problems(&settings.installation);
        let own = &settings.installation.domain;
        let of_names = |names| sense::problems_of_names(names, own);
        problems.extend(settings.domains.iter().flat_map(of_names));
        if !problems.is_empty() {
            return Err(refused(problems.join("; ")));
        }
        if settings.workers == 0 || settings.workers > 256 {
            return Err(refused("workers: 1 to 256 turns at once".to_owned()));
        }
        Ok(settings)
    }

    /// What credentials are made from.
    pub fn key(&self) -> Result<RootKey, SettingsError> {
        key(&self.root_key, self.root_key_is_mounted)
    }

    /// The servers, by name.
    pub fn admins(&self) -> Result<BTreeMap<String, Admin>, SettingsError> {
        let admin = |(name, file): (&String, &PathBuf)| {
            let url = settings::secret(&format!("servers: {name}"), file)?;
            let admin = Admin::from_url(&url).map_err(|_| SettingsError::Content {
                file: file.clone(),
                why: "not a URL such as postgres://user:password@host:5432/postgres".to_owned(),
            })?;
            Ok((name.clone(), admin))
        };
        self.servers.iter().map(admin).collect()
    }
}

fn key(file: &Path, is_mounted: bool) -> Result<RootKey, SettingsError> {
    Ok(if is_mounted { RootKey::read_mounted(file)? } else { RootKey::read_or_create(file)? })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use certificates::dns::{Dns, Resolver};

    use super::*;

    const SETTINGS: &str = "
namespace: soulfra-system
rootKey: /var/lib/soulfra/root.key
servers: {db-1: /run/secrets/db-1}
installation:
  domain: platforms.example
  version: 1.0.0
  images: {runtime: registry.example/runtime, modelServer: registry.example/models}
  defaultPlan: starter
  defaultModel: smollm2-135m
  dns: {pods: {namespace: kube-system}}
  edge: {pods: {namespace: soulfra-edge}}
  fleet:
    servers:
      - {name: db-1, at: {network: {cidr: 10.0.0.1/32}}, port: 5432, databases: 0, most: 100, awake: 0}
";

    fn read(text: &str) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("operator.yaml");
        std::fs::write(&file, text).unwrap();
        Settings::read(&file)
    }

    #[test]
    fn every_server_of_the_fleet_needs_a_way_in() {
        let settings = read(SETTINGS).unwrap();
        assert_eq!((settings.workers, settings.installation.fleet.servers.len()), (16, 1));
        let without = SETTINGS.replace("servers: {db-1: /run/secrets/db-1}\n", "");
        let why = read(&without).unwrap_err().to_string();
        assert!(why.contains("`servers` has no file for it"), "{why}");
    }

    #[test]
    fn the_example_can_be_used_as_it_is() {
        let settings = read(include_str!("../../charts/operator.example.yaml")).unwrap();
        assert!(settings.domains.is_some());
    }

    #[test]
    fn a_control_planes_keys_are_what_it_printed_or_it_does_not_start() {
        let key = "{kty: OKP, crv: Ed25519, kid: kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k, \
                   x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}";
        let with = |keys: &str| {
            let grants = format!("{{issuer: 'https://console.example', keys: [{keys}]}}");
            let control_plane = format!(
                "  controlPlane:\n    url: https://control-plane.soulfra-system\n    at: {{pods: \
                 {{namespace: soulfra-system}}}}\n    port: 8443\n    grants: {grants}\n  fleet:\n"
            );
            read(&SETTINGS.replace("  fleet:\n", &control_plane))
        };
        with(key).unwrap();
        for (keys, wrong) in [
            (String::new(), "keys: name at least one"),
            (key.replace("kPrK", "mine"), "keys[0]: kid: this key is called kPrK"),
            (key.replace("OKP", "RSA"), "keys[0]: "),
        ] {
            let why = with(&keys).unwrap_err().to_string();
            assert!(why.contains(&format!("installation.controlPlane.grants.{wrong}")), "{why}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_at_the_start_all_at_once_each_with_its_path() {
        let text = SETTINGS
            .replace("platforms.example", "not a domain!")
            .replace("registry.example/runtime", "registry.example/runtime:1.2")
            .replace("kube-system", "Kube System")
            .replace("10.0.0.1/32", "10.0.0.1/33");
        let why = read(&text).unwrap_err().to_string();
        for path in ["domain", "images.runtime", "dns", "fleet.servers[0].at"] {
            assert!(why.contains(&format!("installation.{path}: ")), "{path}: {why}");
        }
        for good in ["2001:db8::/32", "0.0.0.0/0"] {
            read(&SETTINGS.replace("10.0.0.1/32", good)).unwrap();
        }
    }

    #[test]
    fn names_are_kept_on_a_server_that_there_is_and_proven_at_authorities_with_their_limits() {
        let domains = |server| {
            format!(
                "{SETTINGS}domains:
  server: {server}
  targets: edge.platforms.example
  key: /run/secrets/certificates
  authorities:
    - {{name: first, directory: https://ca.example/directory}}
    - {{name: ours, directory: https://other.example/directory, limits: none}}
    - name: third
      directory: https://third.example/directory
      limits: {{orders: 3000, registered: 500, name: 5}}
"
            )
        };
        let settings = read(&domains("db-1")).unwrap().domains.unwrap();
        let all = settings.authorities().unwrap();
        let limits: Vec<_> = all.iter().map(|it| it.limits.orders.most).collect();
        assert_eq!(limits, [300, u32::MAX, 3_000]);
        let zones = settings.zones("platforms.example");
        assert_eq!(zones.own, ["platforms.example"]);
        let misspelt = domains("db-1").replace("edge.platforms.example", "Edge.Platforms.Example");
        let why = read(&misspelt).unwrap_err().to_string();
        assert!(why.contains("domains.targets: "), "{why}");
        let why = read(&domains("db-2")).unwrap_err().to_string();
        assert!(why.contains("there is no `db-2` in `servers`"), "{why}");
    }

    #[test]
    fn the_own_domains_certificate_is_brought_or_ordered_and_not_both() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("tsig");
        let domains = format!(
            "{SETTINGS}domains:
  server: db-1
  targets: edge.platforms.example
  key: /run/secrets/certificates
  authorities: [{{name: first, directory: https://ca.example/directory}}]
  zone:
    server: 10.0.0.53:53
    key: {{name: operator, algorithm: hmac-sha512, secret: {}}}
",
            secret.display()
        );
        let dns: Arc<dyn Dns> =
            Arc::new(Resolver::new(&["127.0.0.1:53".parse().unwrap()]).unwrap());
        let settings = read(&domains).unwrap().domains.unwrap();
        assert!(settings.editor("platforms.example", &dns).is_err(), "there is no file");
        std::fs::write(&secret, "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0\n").unwrap();
        let editor = settings.editor("platforms.example", &dns).unwrap().unwrap();
        let shown = format!("{editor:?}");
        assert!(shown.contains("platforms.example") && !shown.contains("c2Vj"), "{shown}");
        let both = format!("{domains}  certificate: {{chain: /a, key: /b}}\n");
        let why = read(&both).unwrap_err().to_string();
        assert!(why.contains("one of the two"), "{why}");
        let elsewhere = domains.replace("  zone:\n", "  zone:\n    name: other.example\n");
        let why = read(&elsewhere).unwrap_err().to_string();
        assert!(why.contains("`other.example`: platforms.example is not in it"), "{why}");
        let nobody =
            domains.replace("[{name: first, directory: https://ca.example/directory}]", "[]");
        let why = read(&nobody).unwrap_err().to_string();
        assert!(why.contains("domains.zone: there are no `authorities`"), "{why}");
    }

    #[test]
    fn a_mounted_key_may_be_a_link_that_the_group_reads_and_is_never_made() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("data"), folder.path().join("root.key"));
        let mut settings = read(SETTINGS).unwrap();
        settings.root_key = link.clone();
        settings.root_key_is_mounted = true;
        assert!(settings.key().is_err() && !link.exists());
        std::fs::write(&file, "07".repeat(32)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let key = settings.key().unwrap();
        assert_eq!(key.id(), RootKey::from_bytes([7; 32]).id());
        settings.root_key_is_mounted = false;
        assert!(settings.key().is_err(), "a link is not taken else");
    }

    #[test]
    fn what_is_misspelt_is_refused_by_name() {
        let why = read(&SETTINGS.replace("rootKey", "rootkey")).unwrap_err().to_string();
        assert!(why.contains("rootkey"), "{why}");
    }
}
