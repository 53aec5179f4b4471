//! Who orders certificates, in a process of its own: it can be killed at any moment.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use certificates::acme::Authority;
use certificates::claims::{Tenant, Zones};
use certificates::dns::Resolver;
use certificates::keeper::Keeper;
use certificates::limits::Limits;
use certificates::orders::{Issuer, RetryPolicy, Settings};
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;
use work::Clock;
use work::sealed::RootKey;

use crate::fleet::{Fleet, SEAL};

/// The word that begins what it is told on its command line.
pub(crate) const ROLE: &str = "controller";

/// Orders under way at once. Pebble stands still for ever with many more (letsencrypt/pebble#553).
const AT_ONCE: usize = 12;

/// The process.
pub(crate) struct Controller(Child);

impl Controller {
    /// Starts it for these names, with the authority at this directory.
    pub(crate) fn start(fleet: &Fleet, directory: &str, root: &Path) -> Self {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.arg(ROLE).arg(&fleet.url).arg(directory).arg(root).stdin(Stdio::null());
        Self(program.spawn().unwrap())
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the process does, until it is killed.
pub(crate) async fn run(url: &str, directory: &str, root: &Path) {
    let db = PgPoolOptions::new().max_connections(24).connect(url).await.unwrap();
    let authority = Authority {
        name: "pebble".to_owned(),
        directory: directory.to_owned(),
        contact: Vec::new(),
        profile: None,
        binding: None,
        limits: Limits::none(),
        root: Some(std::fs::read_to_string(root).unwrap()),
    };
    let polls = RetryPolicy::new().initial_delay(Duration::from_millis(50)).backoff(1.5);
    let settings = Settings { authorities: vec![authority], at_once: AT_ONCE, polls, own: None };
    let (key, clock) = (Arc::new(RootKey::from_bytes(SEAL)), Clock::System);
    let issuer = Arc::new(Issuer::new(db.clone(), key.clone(), settings, clock.clone()));
    // All names are proven: nobody asks the DNS.
    let dns = Arc::new(Resolver::new(&[SocketAddr::from(([127, 0, 0, 1], 9))]).unwrap());
    let zones = Zones {
        own: vec!["soulfra.test".to_owned()],
        targets: "edge.soulfra.test".to_owned(),
        addresses: Vec::new(),
    };
    let keeper = Keeper::new(db, dns, zones, key, issuer.clone(), clock, |_: &Tenant| {});
    let stop = CancellationToken::new();
    tokio::join!(Box::pin(issuer.run(stop.clone())), Box::pin(keeper.run(stop)));
}
