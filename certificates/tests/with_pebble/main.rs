//! Certificates from a real authority for tests: Pebble. `SOULFRA_TEST_PEBBLE`,
//! `SOULFRA_TEST_CHALLTESTSRV` and `SOULFRA_TEST_KNOTD` say where its programs are: `cargo xtask test --suite domains`.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

mod accounts;
mod answers;
mod broken;
mod by_text;
mod issuing;
mod keeping;
mod proxy;
mod renewing;
mod rig;
mod waiting;
mod zone;

use std::sync::Arc;
use std::time::Duration;

use certificates::acme::Authority;
use certificates::orders::{self, Issuer, RetryPolicy, Settings};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use work::Clock;
use work::sealed::RootKey;

use rig::{Looks, Rig};

/// Issuing of one certificate takes no longer, whatever goes wrong on the way.
const PATIENCE: Duration = Duration::from_mins(1);

/// An issuer at work; it ends when this is dropped.
struct Working {
    root: Arc<RootKey>,
    _stop: DropGuard,
    _run: JoinHandle<()>,
}

fn root_key() -> Arc<RootKey> {
    Arc::new(RootKey::from_bytes([9; 32]))
}

fn settings(authorities: Vec<Authority>) -> Settings {
    let polls = RetryPolicy::new().initial_delay(Duration::from_millis(20)).backoff(1.5);
    Settings { authorities, at_once: 8, polls, own: None }
}

fn work(db: &PgPool, settings: Settings) -> Working {
    let (root, stop) = (root_key(), CancellationToken::new());
    let issuer = Arc::new(Issuer::new(db.clone(), root.clone(), settings, Clock::System));
    let run = tokio::spawn(issuer.run(stop.clone()));
    Working { root, _stop: stop.drop_guard(), _run: run }
}

/// Orders certificates for these names, and waits until all of them are there.
async fn issue(db: &PgPool, working: &Working, names: &[String]) {
    let mut told = PgListener::connect_with(db).await.unwrap();
    told.listen("certificates").await.unwrap();
    let mut conn = db.acquire().await.unwrap();
    for name in names {
        orders::want(&mut conn, &working.root, name, Clock::System.now()).await.unwrap();
    }
    let all = async {
        for _ in names {
            told.recv().await.unwrap();
        }
    };
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        let open = orders::open(&mut conn, &names[0]).await.unwrap();
        panic!("not all are there; the first order: {open:?}");
    }
}

/// An authority of this run, and somebody who answers it from this database.
async fn rig(db: &PgPool) -> (Rig, answers::Answers) {
    let answers = answers::Answers::from(db).await;
    (Rig::start(Looks::at(answers.port), &[]).await, answers)
}
