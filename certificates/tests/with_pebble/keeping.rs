//! From a claim to a certificate, by the real resolver and the real authority.

use std::sync::Arc;
use std::time::Duration;

use certificates::claims::{self, State, Tenant, Why, Zones};
use certificates::dns::{Dns as _, Resolver};
use certificates::keeper::Keeper;
use certificates::orders::Issuer;
use certificates::{Name, orders};
use jiff::SignedDuration;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use work::Clock;

use crate::{PATIENCE, rig, root_key, settings};

pub(crate) fn zones() -> Zones {
    Zones {
        own: vec!["soulfra.test".to_owned()],
        targets: "edge.soulfra.test".to_owned(),
        addresses: vec!["192.0.2.80".parse().unwrap()],
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn a_name_whose_record_is_set_has_its_certificate_within_seconds(db: PgPool) {
    let (rig, _answers) = rig(&db).await;
    let settings = settings(vec![rig.authority("pebble")]);
    let issuer = Arc::new(Issuer::new(db.clone(), root_key(), settings, Clock::System));
    let dns = Arc::new(Resolver::new(&[rig.dns]).unwrap());
    let (say, mut changed) = tokio::sync::mpsc::channel(8);
    let say = move |tenant: &Tenant| say.try_send(tenant.clone()).unwrap();
    let (root, clock) = (root_key(), Clock::System);
    let keeper = Keeper::new(db.clone(), dns, zones(), root, issuer.clone(), clock, say);
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(issuer.run(stop.clone()));
    let mut told = PgListener::connect_with(&db).await.unwrap();
    told.listen("certificates").await.unwrap();

    let acme = Tenant { name: "acme".to_owned(), uid: Uuid::new_v4() };
    let name: Name = "shop.example.com".parse().unwrap();
    let mut conn = db.acquire().await.unwrap();
    let now = Clock::System.now();
    let wanted = claims::want(&mut conn, &zones(), &acme, &[name], now).await.unwrap();
    rig.set_cname("shop.example.com", &wanted[0].points_at(&zones())).await;
    let keeping = tokio::spawn(async move { keeper.run(stop).await });
    let served = async {
        assert_eq!(changed.recv().await, Some(acme));
        told.recv().await.unwrap();
    };
    tokio::time::timeout(PATIENCE, served).await.unwrap();
    let chain = orders::current(&mut conn, "shop.example.com").await.unwrap().unwrap();
    assert!(chain.not_after > now + SignedDuration::from_hours(24));
    keeping.abort();
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn the_resolver_tells_records_from_none_and_from_no_answer(db: PgPool) {
    let (rig, _answers) = rig(&db).await;
    let dns = Resolver::new(&[rig.dns]).unwrap();
    rig.set_txt("_platform-challenge.shop.example.com", "one").await;
    rig.set_cname("www.example.com", "Other.Example.NET").await;
    assert_eq!(dns.texts("_platform-challenge.shop.example.com").await.unwrap(), ["one"]);
    assert_eq!(dns.texts("nothing.example.com").await.unwrap(), [""; 0]);
    assert_eq!(dns.alias("www.example.com").await.unwrap().as_deref(), Some("other.example.net"));
    assert_eq!(dns.alias("nothing.example.com").await.unwrap(), None);
    let addresses = dns.addresses("nothing.example.com").await.unwrap();
    assert_eq!(addresses, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    rig.refuse("broken.example.com").await;
    assert!(dns.texts("broken.example.com").await.is_err());
    // Of a claim that nobody can be asked about it is only known that nobody can.
    let acme = Tenant { name: "acme".to_owned(), uid: Uuid::new_v4() };
    let name: Name = "broken.example.com".parse().unwrap();
    let mut conn = db.acquire().await.unwrap();
    let now = Clock::System.now();
    let claim = claims::want(&mut conn, &zones(), &acme, &[name], now).await.unwrap().remove(0);
    rig.refuse(&claim.challenge()).await;
    let look = claims::look(&dns, &zones(), &claim).await;
    claims::record(&mut conn, claim.id, &look, now).await.unwrap();
    let claim = claims::find(&mut conn, claim.id).await.unwrap().unwrap();
    assert_eq!((claim.state, claim.why), (State::Pending, Some(Why::NoAnswer)));
}

#[tokio::test]
#[ignore = "needs Pebble"]
async fn a_server_that_is_not_there_is_no_answer_in_time() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dns = Resolver::new(&[nobody]).unwrap();
    let asked = tokio::time::timeout(Duration::from_secs(20), dns.texts("shop.example.com"));
    assert!(asked.await.unwrap().is_err());
}
