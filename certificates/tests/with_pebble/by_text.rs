//! The certificate for the names right below a domain of ours: proven by a text in the DNS.

use std::sync::Arc;

use certificates::claims::Tenant;
use certificates::dns::Editor as _;
use certificates::keeper::Keeper;
use certificates::orders::{self, Issuer, OwnDomain, Settings};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio_util::sync::CancellationToken;
use work::Clock;

use crate::keeping::zones;
use crate::rig::{Looks, Rig};
use crate::zone::{DOMAIN, SECRET, Zone};
use crate::{PATIENCE, root_key, settings};

const AT: &str = "_acme-challenge.platforms.test";

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn names_below_our_own_domain_have_one_certificate_without_being_claimed(db: PgPool) {
    let zone = Zone::start().await;
    // It asks the server that has changes later than the other one.
    let rig = Rig::start(Looks { dns: Some(zone.second), ..Looks::at(1) }, &[]).await;
    let editor = Arc::new(zone.editor(SECRET).unwrap());
    let own = Some(OwnDomain { domain: DOMAIN.to_owned(), editor });
    let settings = Settings { own, ..settings(vec![rig.authority("pebble")]) };
    let issuer = Arc::new(Issuer::new(db.clone(), root_key(), settings, Clock::System));
    let (root, clock, told) = (root_key(), Clock::System, |_: &Tenant| {});
    let keeper = Keeper::new(db.clone(), zone.dns(), zones(), root, issuer.clone(), clock, told);
    let mut told = PgListener::connect_with(&db).await.unwrap();
    told.listen("certificates").await.unwrap();
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(issuer.run(stop.clone()));
    let keeping = tokio::spawn(async move { keeper.run(stop).await });
    let name = tokio::time::timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
    assert_eq!(name.payload(), "*.platforms.test");
    let mut conn = db.acquire().await.unwrap();
    let chain = orders::current(&mut conn, "*.platforms.test").await.unwrap().unwrap();
    let now = Clock::System.now();
    assert!(chain.not_after > now);
    // Once it is there nothing is ordered, until it is time to renew it.
    assert!(!orders::is_due(&mut conn, "*.platforms.test", now).await.unwrap());
    assert!(orders::is_due(&mut conn, "*.platforms.test", chain.not_after).await.unwrap());
    keeping.abort();
}

#[tokio::test]
#[ignore = "needs Pebble"]
async fn a_text_is_with_every_server_once_it_is_said_to_be_set() {
    let zone = Zone::start().await;
    let (editor, dns) = (zone.editor(SECRET).unwrap(), zone.dns());
    for text in ["one", "two", "two"] {
        editor.set(AT, text).await.unwrap();
        assert_eq!(dns.texts(AT).await.unwrap(), [text], "in place of what was there");
    }
    for _ in 0..2 {
        editor.clear(AT).await.unwrap();
    }
    editor.set("other.platforms.test", "three").await.unwrap();
    assert_eq!(dns.texts(AT).await.unwrap(), [""; 0]);
}

#[tokio::test]
#[ignore = "needs Pebble"]
async fn nobody_changes_a_zone_with_another_key_and_no_other_zone_is_changed() {
    let zone = Zone::start().await;
    let stranger = zone.editor("c29tZWJvZHkgZWxzZSdzIGtleSBlbnRpcmVseQ==").unwrap();
    let refused = stranger.set(AT, "mine").await.unwrap_err();
    assert!(!refused.to_string().contains("c29tZWJvZHk"), "{refused}");
    assert!(refused.to_string().contains("does it know the key `operator.`"), "{refused}");
    assert_eq!(zone.dns().texts(AT).await.unwrap(), [""; 0]);
    let editor = zone.editor(SECRET).unwrap();
    let elsewhere = editor.set("_acme-challenge.example.com", "mine").await.unwrap_err();
    assert!(elsewhere.to_string().contains("not in the zone platforms.test"), "{elsewhere}");
    assert!(zone.editor("no base64!").unwrap_err().to_string().contains("the key operator"));
}

#[tokio::test]
#[ignore = "needs Pebble"]
async fn a_server_of_the_zone_that_is_not_there_holds_nothing_up() {
    let zone = Zone::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let editor = zone.editor_of(SECRET, vec![nobody, zone.second]).unwrap();
    editor.set(AT, "one").await.unwrap();
    assert_eq!(zone.dns().texts(AT).await.unwrap(), ["one"]);
    let editor = zone.editor_of(SECRET, vec![nobody]).unwrap();
    assert!(editor.set(AT, "two").await.is_err(), "nobody can be asked");
}
