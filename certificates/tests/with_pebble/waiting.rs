//! Who has to wait for an authority, and until when.

use certificates::acme::{Authority, Trouble};
use certificates::limits::{Limit, Limits};
use certificates::orders::{self, Advanced, Issuer, Order};
use jiff::SignedDuration;
use sqlx::PgPool;
use work::Clock;

use crate::{root_key, settings};

async fn wanted(db: &PgPool, clock: &Clock, name: &str) -> Order {
    let mut conn = db.acquire().await.unwrap();
    orders::want(&mut conn, &root_key(), name, clock.now()).await.unwrap();
    orders::open(&mut conn, name).await.unwrap().unwrap()
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn who_waits_for_a_place_keeps_it_and_is_told_until_when(db: PgPool) {
    let (rig, _answers) = crate::rig(&db).await;
    let hour = SignedDuration::from_hours(1);
    let limits = Limits { orders: Limit { most: 2, every: hour }, ..Limits::none() };
    let authority = Authority { limits, ..rig.authority("pebble") };
    let start = Clock::System.now();
    let clock = Clock::fixed(start);
    let issuer = || {
        let settings = settings(vec![authority.clone()]);
        Issuer::new(db.clone(), root_key(), settings, clock.clone())
    };
    let mut orders = Vec::new();
    for name in ["a.example.com", "b.example.com", "c.example.com"] {
        orders.push(wanted(&db, &clock, name).await);
    }
    let [a, b, c] = &orders[..] else { panic!("{orders:?}") };
    assert_eq!(issuer().one(a).await, Advanced::Issued);
    let Advanced::Later(Trouble::Full(b_at)) = issuer().one(b).await else { panic!("no limit") };
    let Advanced::Later(Trouble::Full(c_at)) = issuer().one(c).await else { panic!("no limit") };
    assert_eq!(c_at, b_at + hour);
    // Another process, and one that asks too early: the place is the same, and nobody else's.
    assert_eq!(issuer().one(b).await, Advanced::Later(Trouble::Full(b_at)));
    clock.advance(b_at.duration_since(start));
    assert_eq!(issuer().one(c).await, Advanced::Later(Trouble::Full(c_at)));
    assert_eq!(issuer().one(b).await, Advanced::Issued);
    clock.advance(hour);
    assert_eq!(issuer().one(c).await, Advanced::Issued);
    let left: i64 =
        sqlx::query_scalar("select count(*) from certificates.place").fetch_one(&db).await.unwrap();
    assert_eq!(left, 0);
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn an_authority_that_is_silent_is_not_asked_for_every_single_order(db: PgPool) {
    let (rig, _answers) = crate::rig(&db).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent =
        Authority { directory: format!("https://{nobody}/dir"), ..rig.authority("silent") };
    let clock = Clock::fixed(Clock::System.now());
    let issuer = Issuer::new(db.clone(), root_key(), settings(vec![silent]), clock.clone());
    let mut said = Vec::new();
    for n in 0..4 {
        let order = wanted(&db, &clock, &format!("n{n}.example.com")).await;
        let Advanced::Later(trouble) = issuer.one(&order).await else { panic!("who made it?") };
        said.push(trouble.to_string());
    }
    let left_alone: Vec<_> = said.iter().map(|it| it.contains("is left alone")).collect();
    assert_eq!(left_alone, [false, false, false, true], "{said:#?}");
}
