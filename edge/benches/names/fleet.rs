//! Many names with certificates, in a database of their own.

use std::str::FromStr as _;
use std::sync::Arc;

use certificates::orders;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::task::JoinSet;
use uuid::Uuid;
use work::Clock;
use work::sealed::RootKey;

/// Names of one platform.
const EACH: usize = 10;
/// Certificates of one transaction.
const BATCH: usize = 200;
/// Transactions at once.
const AT_ONCE: usize = 4;

pub(crate) struct Fleet {
    pub(crate) db: PgPool,
    pub(crate) url: String,
    /// The key that certificates are sealed with, as a file has it.
    pub(crate) key: String,
    /// Whom visitors trust.
    pub(crate) root: String,
    authority: Arc<Issuer<'static, KeyPair>>,
    name: String,
}

/// The name of this number.
pub(crate) fn name(number: usize) -> String {
    format!("shop-{}.owner-{}.example.org", number % EACH, number / EACH)
}

pub(crate) const SEAL: [u8; 32] = [9; 32];

impl Fleet {
    /// All of them with certificates.
    pub(crate) async fn make(names: usize) -> Self {
        let fleet = Self::claimed(names).await;
        fleet.issue(names).await;
        sqlx::raw_sql("analyze").execute(&fleet.db).await.unwrap();
        fleet
    }

    /// Proven, and no more.
    pub(crate) async fn claimed(names: usize) -> Self {
        let server = std::env::var_os("DATABASE_URL").unwrap().into_string().unwrap();
        let options = PgConnectOptions::from_str(&server).unwrap();
        let admin = PgPoolOptions::new().max_connections(1).connect_with(options.clone());
        let name = format!("bench_edge_{}", &Uuid::new_v4().simple().to_string()[..8]);
        let sql = AssertSqlSafe(format!("create database {name}"));
        sqlx::raw_sql(sql).execute(&admin.await.unwrap()).await.unwrap();
        let (before, _) = server.rsplit_once('/').unwrap();
        let url = format!("{before}/{name}");
        let db = PgPoolOptions::new().connect(&url).await.unwrap();
        certificates::MIGRATOR.run(&db).await.unwrap();
        let key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.use_authority_key_identifier_extension = true;
        let pem = root.self_signed(&key).unwrap().pem();
        let authority = Arc::new(Issuer::new(root, key));
        let fleet = Self { db, url, key: "09".repeat(SEAL.len()), root: pem, authority, name };
        fleet.claim(names).await;
        fleet
    }

    /// Platforms, and their names, all of them proven.
    async fn claim(&self, names: usize) {
        let sql = format!(
            "insert into certificates.platform
                 (uid, name, backend, own_host, state, display_name)
             select gen_random_uuid(), 'p-' || n, '127.0.0.1:9', 'p-' || n || '.soulfra.test',
                    'serving', 'P'
             from generate_series(0, {last}) n;
             insert into certificates.claim
                 (id, name, tenant, tenant_uid, token, target, state, claimed_at, verified_at,
                  look_at)
             select gen_random_uuid(),
                    'shop-' || k || '.owner-' || substr(name, 3) || '.example.org',
                    name, uid, gen_random_uuid()::text, gen_random_uuid()::text, 'verified', now(),
                    now(), now() + interval '1 day'
             from certificates.platform, generate_series(0, {each} - 1) k;",
            last = names.div_ceil(EACH) - 1,
            each = EACH,
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.db).await.unwrap();
    }

    async fn issue(&self, names: usize) {
        let mut tasks = JoinSet::new();
        for from in (0..names).step_by(BATCH) {
            if tasks.len() == AT_ONCE {
                tasks.join_next().await.unwrap().unwrap();
            }
            let (db, authority) = (self.db.clone(), self.authority.clone());
            tasks.spawn(async move {
                let mut tx = db.begin().await.unwrap();
                for number in from..(from + BATCH).min(names) {
                    bring(&mut tx, &authority, &name(number)).await;
                }
                tx.commit().await.unwrap();
            });
        }
        tasks.join_all().await;
    }

    /// The name has another certificate from now on: its serial.
    pub(crate) async fn renew(&self, name: &str) -> Vec<u8> {
        let mut tx = self.db.begin().await.unwrap();
        let serial = bring(&mut tx, &self.authority, name).await;
        tx.commit().await.unwrap();
        serial
    }

    /// A certificate for a name and its key, in PEM, that edges know nothing of.
    pub(crate) fn pair(&self, name: &str) -> (String, String) {
        let (leaf, key) = signed(&self.authority, name);
        (leaf.pem(), key.serialize_pem())
    }

    pub(crate) async fn remove(self) {
        self.db.close().await;
        let (before, _) = self.url.rsplit_once('/').unwrap();
        let server = PgPoolOptions::new().connect(&format!("{before}/postgres")).await.unwrap();
        let sql = AssertSqlSafe(format!("drop database {} with (force)", self.name));
        sqlx::raw_sql(sql).execute(&server).await.unwrap();
    }
}

/// Makes a certificate for a name; its serial.
async fn bring(
    conn: &mut sqlx::PgConnection,
    authority: &Issuer<'static, KeyPair>,
    name: &str,
) -> Vec<u8> {
    let (leaf, key) = signed(authority, name);
    let root = RootKey::from_bytes(SEAL);
    let now = Clock::System.now();
    orders::bring(conn, &root, name, leaf.pem(), &key.serialize_pem(), now).await.unwrap();
    leaf.der().to_vec()
}

fn signed(authority: &Issuer<'static, KeyPair>, name: &str) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new([name.to_owned()]).unwrap();
    leaf.use_authority_key_identifier_extension = true;
    (leaf.signed_by(&key, authority).unwrap(), key)
}
