//! From an order to a certificate.

use std::sync::Arc;

use certificates::orders;
use sqlx::PgPool;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use work::Clock;

use crate::rig::Looks;
use crate::{issue, rig, root_key, settings, work};

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn a_name_gets_a_certificate(db: PgPool) {
    let (rig, _answers) = rig(&db).await;
    let working = work(&db, settings(vec![rig.authority("pebble")]));
    issue(&db, &working, &["shop.example.com".to_owned()]).await;
    let mut conn = db.acquire().await.unwrap();
    let chain = orders::current(&mut conn, "shop.example.com").await.unwrap().unwrap();
    assert!(chain.not_after > Clock::System.now());
    // Who trusts the authority trusts it, without knowing what is between the two.
    let mut roots = RootCertStore::empty();
    let root = rig.issuing_root().await;
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let visitor = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let chain = CertificateDer::pem_slice_iter(chain.pem.as_bytes());
    let chain: Vec<_> = chain.collect::<Result<_, _>>().unwrap();
    let name = "shop.example.com".try_into().unwrap();
    let verified = visitor.build().unwrap().verify_server_cert(
        &chain[0],
        &chain[1..],
        &name,
        &[],
        UnixTime::now(),
    );
    verified.unwrap();
    assert!(orders::open(&mut conn, "shop.example.com").await.unwrap().is_none());
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn many_names_get_one_certificate_each_although_nonces_are_refused(db: PgPool) {
    let answers = crate::answers::Answers::from(&db).await;
    let refuses = [("PEBBLE_WFE_NONCEREJECT", "15")];
    let rig = crate::Rig::start(Looks::at(answers.port), &refuses).await;
    let working = work(&db, settings(vec![rig.authority("pebble")]));
    let names: Vec<_> = (0..50).map(|at| format!("n{at}.example.com")).collect();
    issue(&db, &working, &names).await;
    let count: (i64, i64) =
        sqlx::query_as("select count(*), count(distinct name) from certificates.certificate")
            .fetch_one(&db)
            .await
            .unwrap();
    assert_eq!(count, (50, 50));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn a_name_that_leads_nowhere_is_refused_with_the_authoritys_words(db: PgPool) {
    let (rig, answers) = rig(&db).await;
    // Nobody answers at the port where the authority looks.
    drop(answers);
    let issuer = orders::Issuer::new(
        db.clone(),
        root_key(),
        settings(vec![rig.authority("pebble")]),
        Clock::System,
    );
    let mut conn = db.acquire().await.unwrap();
    orders::want(&mut conn, &root_key(), "shop.example.com", Clock::System.now()).await.unwrap();
    let order = orders::open(&mut conn, "shop.example.com").await.unwrap().unwrap();
    issuer.one(&order).await;
    let order = orders::open(&mut conn, "shop.example.com").await.unwrap().unwrap();
    assert_eq!((order.refusals, order.url), (1, None));
    let failure = order.failure.unwrap();
    assert!(failure.contains("127.0.0.1"), "{failure}");
}
