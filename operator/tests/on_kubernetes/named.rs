//! Names of a platform's own, from its blueprint to its status: the test sets the records, and is
//! who gives certificates.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use blueprint::PlatformBlueprint;
use blueprint::status::{DomainState, DomainStatus};
use certificates::claims::Zones;
use certificates::dns::{Dns, NoAnswer};
use certificates::{orders, served};
use kube::api::{Patch, PatchParams};
use operator::domains::{Keeping, Own, Register, Whose};
use operator::reconcile::{RECHECK, UNDELETE};
use operator::seen::facts::PURGE;
use operator::settings::CertificateFiles;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use work::Clock;
use work::sealed::RootKey;

use crate::house::{House, admin, said};

/// What owners have in the DNS: names of other names.
#[derive(Default)]
struct Records(Mutex<BTreeMap<String, String>>);

#[async_trait]
impl Dns for Records {
    async fn texts(&self, _: &str) -> Result<Vec<String>, NoAnswer> {
        Ok(Vec::new())
    }

    async fn alias(&self, name: &str) -> Result<Option<String>, NoAnswer> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    async fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        Ok(Vec::new())
    }
}

/// An installation that looks after names.
struct Names {
    house: House,
    records: Arc<Records>,
    db: PgPool,
    database: String,
    _files: TempDir,
    _stop: DropGuard,
}

fn root() -> Arc<RootKey> {
    Arc::new(RootKey::from_bytes([9; 32]))
}

/// A certificate and its key, in PEM.
fn certificate(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new([name.to_owned()]).unwrap();
    leaf.use_authority_key_identifier_extension = true;
    let authority = rcgen::Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
    (leaf.signed_by(&key, &authority).unwrap().pem(), key.serialize_pem())
}

impl Names {
    async fn open() -> Self {
        let database = format!("fleet_{}", uuid::Uuid::new_v4().simple());
        let zones = Zones {
            own: vec!["platforms.example".to_owned()],
            targets: "edge.platforms.example".to_owned(),
            addresses: Vec::new(),
        };
        let clock = Clock::System;
        let register =
            Register::new(admin(), &database, zones.clone(), "none", None, clock.clone());
        let house = House::with_names(register.clone(), 2).await;
        let files = tempfile::tempdir().unwrap();
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| files.path().join(name));
        let (own, its_key) = certificate("*.platforms.example");
        std::fs::write(&chain, own).unwrap();
        std::fs::write(&key, its_key).unwrap();
        let (records, stop) = (Arc::new(Records::default()), CancellationToken::new());
        let db = register.open().await.unwrap();
        let domain = "platforms.example".to_owned();
        let keeping = Keeping {
            register,
            root: root(),
            zones,
            dns: records.clone(),
            authorities: Vec::new(),
            own: Some(Own::Brought(domain, CertificateFiles { chain, key })),
            clock,
        };
        let (driver, queue) = (house.driver.clone(), house.queue.clone());
        let changed = move |whose: Whose<'_>| match whose {
            Whose::Of(name) => {
                driver.memory.forget(name);
                queue.push(name);
            }
            Whose::All => driver.memory.forget_all(),
        };
        let told = stop.clone();
        tokio::spawn(async move { keeping.run(changed, told).await });
        Self { house, records, db, database, _files: files, _stop: stop.drop_guard() }
    }

    /// Whoever gives certificates gives one for this name.
    async fn issue(&self, name: &str) {
        let (chain, key) = certificate(name);
        let mut tx = self.db.begin().await.unwrap();
        let now = Clock::System.now();
        orders::bring(&mut tx, &root(), name, chain, &key, now).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn close(self) {
        self.db.close().await;
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.database);
        let mut conn = admin().connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    }
}

fn domain(blueprint: &PlatformBlueprint) -> Option<&DomainStatus> {
    blueprint.status.as_ref()?.domains.first()
}

fn is(blueprint: &PlatformBlueprint, state: DomainState) -> bool {
    domain(blueprint).is_some_and(|domain| domain.state == state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster: cargo xtask test --suite cluster"]
async fn a_name_of_its_own_is_proven_served_kept_for_who_comes_back_and_given_up_with_the_data() {
    let names = Names::open().await;
    let house = &names.house;
    let name = house.name("a");
    let shop = format!("{name}.example.com");
    house.apply(&name, |it| it["spec"]["domains"] = json!([shop])).await;
    let waits = house.until(&name, "waiting", |it| is(it, DomainState::WaitingForRecord)).await;
    let record = domain(&waits).unwrap().record.clone().unwrap();
    assert_eq!((&*record.kind, &*record.name), ("CNAME", &*shop));
    assert!(record.value.ends_with(".edge.platforms.example"), "{}", record.value);
    assert_eq!(said(&waits, "DomainsReady"), ("False", "WaitingForRecord"));

    // Its owner sets the record, and says so.
    names.records.0.lock().unwrap().insert(shop.clone(), record.value);
    let now = Clock::System.now().to_string();
    let says = json!({"metadata": {"annotations": {RECHECK: now}}});
    let parameters = PatchParams::default();
    house.blueprints().patch(&name, &parameters, &Patch::Merge(&says)).await.unwrap();
    let proven = house.until(&name, "proven", |it| is(it, DomainState::Verified)).await;
    assert_eq!(said(&proven, "DomainsReady"), ("True", "Proven"));
    assert_eq!(said(&proven, "CertificatesReady").0, "False");

    names.issue(&shop).await;
    // The clock of this house stands still, so nobody looks again by themselves.
    house.driver.memory.forget(&name);
    house.queue.push(&name);
    let served = house.until(&name, "served", |it| is(it, DomainState::Serving)).await;
    assert_eq!(said(&served, "CertificatesReady"), ("True", "Issued"));
    assert!(domain(&served).unwrap().expires_at.is_some());
    let url = served.status.as_ref().unwrap().url.clone().unwrap();
    assert_eq!(url, format!("https://{shop}"), "the first of its names is its main address");
    let mut conn = names.db.acquire().await.unwrap();
    let met = served::all(&mut conn).await.unwrap();
    assert_eq!(met.platforms[0].primary_host.as_deref(), Some(&*shop));
    assert_eq!(met.platforms[0].backend, format!("runtime.tenant-{name}.svc:80"));
    assert!(met.hosts.iter().all(|host| host.certificate.is_some()), "{:?}", met.hosts);

    // Deleted: nobody meets it, and nobody else gets the name.
    house.until_made(&name).await;
    house.delete(&name).await;
    house.until_gone(&name).await;
    let until_met = async |count: usize| {
        let met = async {
            let mut conn = names.db.acquire().await.unwrap();
            while served::all(&mut conn).await.unwrap().platforms.len() != count {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(crate::house::SOON, met).await.unwrap();
    };
    until_met(0).await;
    house
        .apply(&name, |it| {
            it["metadata"]["annotations"] = json!({UNDELETE: "true"});
            it["spec"]["domains"] = json!([shop]);
        })
        .await;
    house.until(&name, "served again", |it| is(it, DomainState::Serving)).await;
    until_met(1).await;

    // Gone for good: so is the name.
    house.until_made(&name).await;
    house.delete(&name).await;
    house.until_gone(&name).await;
    let typed = json!({"metadata": {"annotations": {PURGE: name}}});
    let home = format!("tenant-{name}");
    house.namespaces().patch(&home, &parameters, &Patch::Merge(&typed)).await.unwrap();
    house.until_known(&name, |it| it.home().is_none_or(|(child, _)| child.going)).await;
    assert!(house.driver.domains.as_ref().unwrap().of_name(&name).await.unwrap().is_empty());
    drop(conn);
    names.close().await;
}
