//! A zone of ours on two real name servers: one takes changes, and the other one has it from there.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use certificates::dns::{Algorithm, Dns, Key, NotSet, Primary, Resolver, Update};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::rig::{free_ports, ready, told};

pub(crate) const DOMAIN: &str = "platforms.test";
pub(crate) const SECRET: &str = "b3VyLXplcm8tb25lLXR3by10aHJlZS1mb3VyLWZpdmU=";

pub(crate) struct Zone {
    /// The one that takes changes.
    pub(crate) first: SocketAddr,
    /// The one that strangers ask.
    pub(crate) second: SocketAddr,
    _servers: [Child; 2],
    _folder: TempDir,
}

impl Zone {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = free_ports();
        let own = format!(
            "$ORIGIN {DOMAIN}.\n$TTL 5\n@ SOA ns1 hostmaster 1 3600 600 86400 5\n@ NS ns1\n\
             ns1 A 127.0.0.1\n"
        );
        let takes = format!(
            "
remote:
  - id: other
    address: 127.0.0.1@{second}
key:
  - id: operator
    algorithm: hmac-sha256
    secret: {SECRET}
acl:
  - id: changes
    key: operator
    action: update
  - id: copies
    address: 127.0.0.1
    action: transfer
zone:
  - domain: {DOMAIN}
    notify: other
    acl: [changes, copies]
"
        );
        let copies = format!(
            "
remote:
  - id: other
    address: 127.0.0.1@{first}
acl:
  - id: notices
    address: 127.0.0.1
    action: notify
zone:
  - domain: {DOMAIN}
    master: other
    acl: notices
"
        );
        let first_server = server(&folder.path().join("1"), first, &takes, Some(&own)).await;
        let second_server = server(&folder.path().join("2"), second, &copies, None).await;
        Self {
            first: SocketAddr::from(([127, 0, 0, 1], first)),
            second: SocketAddr::from(([127, 0, 0, 1], second)),
            _servers: [first_server, second_server],
            _folder: folder,
        }
    }

    /// Who changes it, with this key.
    pub(crate) fn editor(&self, secret: &str) -> Result<Update, NotSet> {
        self.editor_of(secret, vec![self.second])
    }

    /// The same, where strangers ask these servers.
    pub(crate) fn editor_of(
        &self,
        secret: &str,
        servers: Vec<SocketAddr>,
    ) -> Result<Update, NotSet> {
        let primary = Primary { server: self.first, zone: DOMAIN.to_owned(), servers };
        let (name, algorithm) = ("operator".to_owned(), Algorithm::HmacSha256);
        let key = Key { name, algorithm, secret: secret.into() };
        Update::new(primary, &key, self.dns())
    }

    /// What strangers see.
    pub(crate) fn dns(&self) -> Arc<dyn Dns> {
        Arc::new(Resolver::new(&[self.second]).unwrap())
    }
}

async fn server(folder: &Path, port: u16, more: &str, zone: Option<&str>) -> Child {
    std::fs::create_dir(folder).unwrap();
    if let Some(zone) = zone {
        std::fs::write(folder.join(format!("{DOMAIN}.zone")), zone).unwrap();
    }
    let at = folder.display();
    let config = format!(
        "
server:
    rundir: {at}
    listen: 127.0.0.1@{port}
log:
  - target: stdout
    any: info
database:
    storage: {at}
template:
  - id: default
    storage: {at}
    zonefile-sync: -1
    journal-content: all
{more}"
    );
    let file = folder.join("knot.conf");
    std::fs::write(&file, config).unwrap();
    let mut program = Command::new(told("SOULFRA_TEST_KNOTD"));
    program.arg("-c").arg(&file);
    ready(program, "serial none -> 1").await
}
