//! From a claim to a served name and on, with a real authority that looks at the edge itself.
//! `SOULFRA_TEST_PEBBLE` and `SOULFRA_TEST_CHALLTESTSRV` say where its programs are:
//! `cargo xtask test --suite domains`.
#![expect(clippy::unwrap_used, reason = "the helpers here are no tests, but only tests call them")]

#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../../../certificates/tests/with_pebble/rig.rs"]
mod authority;
mod judged;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../it/rig.rs"]
mod rig;

use std::sync::Arc;
use std::time::Duration;

use authority::Looks;
use axum::Router;
use axum::routing::get;
use certificates::claims::{self, Claim, Tenant, Zones};
use certificates::dns::Resolver;
use certificates::keeper::Keeper;
use certificates::orders::{Issuer, RetryPolicy, Settings};
use certificates::served::Platform;
use judged::{Browser, curl, found_by_testssl};
use rig::{Rig, root_key};
use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};
use work::Clock;

/// curl's word for a handshake that failed.
const NO_TLS: i32 = 35;

fn zones() -> Zones {
    Zones {
        own: vec!["soulfra.test".to_owned()],
        targets: "edge.soulfra.test".to_owned(),
        addresses: vec!["192.0.2.80".parse().unwrap()],
    }
}

/// A fleet whose names are looked at, and get their certificates, by themselves.
struct Fleet {
    rig: Rig,
    authority: authority::Rig,
    keeper: Arc<Keeper>,
    _stop: DropGuard,
}

impl Fleet {
    async fn start(db: PgPool, looks: impl FnOnce(&Rig) -> Looks) -> Self {
        let mut rig = Rig::start(db.clone()).await;
        let authority = authority::Rig::start(looks(&rig), &[]).await;
        rig.roots.push(authority.issuing_root().await);
        let polls = RetryPolicy::new().initial_delay(Duration::from_millis(20)).backoff(1.5);
        let authorities = vec![authority.authority("pebble")];
        let settings = Settings { authorities, at_once: 8, polls, own: None };
        let issuer = Arc::new(Issuer::new(db.clone(), root_key(), settings, Clock::System));
        let dns = Arc::new(Resolver::new(&[authority.dns]).unwrap());
        let (root, clock, told) = (root_key(), Clock::System, |_: &Tenant| {});
        let keeper = Keeper::new(db, dns, zones(), root, issuer.clone(), clock, told);
        let (keeper, stop) = (Arc::new(keeper), CancellationToken::new());
        tokio::spawn(issuer.run(stop.clone()));
        let (keeping, told) = (keeper.clone(), stop.clone());
        tokio::spawn(async move { keeping.run(told).await });
        Self { rig, authority, keeper, _stop: stop.drop_guard() }
    }

    /// A platform that wants this name.
    async fn claim(&self, platform: &str, name: &str) -> (Platform, Claim) {
        let router = Router::new().fallback(get(async || "I am it"));
        // As platforms do.
        let router = web::security::headers(router);
        let platform = self.rig.bare_platform(platform, router).await;
        let tenant = Tenant { name: platform.name.clone(), uid: platform.uid };
        let mut conn = self.rig.db.acquire().await.unwrap();
        let (names, now) = ([name.parse().unwrap()], Clock::System.now());
        let claims = claims::want(&mut conn, &zones(), &tenant, &names, now).await.unwrap();
        (platform, claims.into_iter().next().unwrap())
    }

    /// Waits for longer than an order does whose name an authority did not find at first; says what
    /// stands against the orders where that is not enough.
    async fn until(&self, done: impl Future<Output = ()>) {
        if tokio::time::timeout(Duration::from_mins(3), done).await.is_err() {
            let told =
                "select format('%s is %s: %s', name, state, failure) from certificates.acme_order";
            let told: Vec<String> = sqlx::query_scalar(told).fetch_all(&self.rig.db).await.unwrap();
            panic!("it does not come about: {told:?}");
        }
    }

    /// Its owner sets the record.
    async fn point(&self, claim: &Claim) {
        let target = claim.points_at(&zones());
        self.authority.set_cname(claim.name.as_str(), &target).await;
        self.keeper.notice();
    }
}

/// Which certificate is served.
async fn serial(rig: &Rig, name: &str) -> Vec<u8> {
    let stream = rig.visitor(name, "http/1.1").await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn a_name_is_claimed_proven_ordered_served_renewed_and_given_up(db: PgPool) {
    let looks = |rig: &Rig| Looks::at(rig.edge.http.port());
    let fleet = Fleet::start(db.clone(), looks).await;
    let (platform, claim) = fleet.claim("acme", "shop.example.com").await;
    fleet.point(&claim).await;
    fleet.rig.until_served("shop.example.com").await;
    let first = serial(&fleet.rig, "shop.example.com").await;
    assert_eq!(curl(&fleet.rig, "shop.example.com").await.as_deref(), Ok("I am it"));
    let browser = Browser::trusting(&fleet.rig).await;
    let shown = browser.shows(&fleet.rig, "shop.example.com").await.unwrap();
    assert!(shown.contains("I am it"), "{shown}");

    let due = "update certificates.certificate set renew_at = now() where replaced_at is null";
    sqlx::query(due).execute(&db).await.unwrap();
    fleet.keeper.notice();
    let renewed = async { while serial(&fleet.rig, "shop.example.com").await == first {} };
    fleet.until(renewed).await;
    assert_eq!(curl(&fleet.rig, "shop.example.com").await.as_deref(), Ok("I am it"));
    let shown = browser.shows(&fleet.rig, "shop.example.com").await.unwrap();
    assert!(shown.contains("I am it"), "{shown}");

    let tenant = Tenant { name: platform.name.clone(), uid: platform.uid };
    let mut conn = db.acquire().await.unwrap();
    let now = Clock::System.now();
    claims::want(&mut conn, &zones(), &tenant, &[], now).await.unwrap();
    let gone = async {
        while fleet.rig.visitor("shop.example.com", "http/1.1").await.is_some() {
            tokio::task::yield_now().await;
        }
    };
    fleet.until(gone).await;
    assert_eq!(curl(&fleet.rig, "shop.example.com").await, Err(NO_TLS));
    let said = browser.shows(&fleet.rig, "shop.example.com").await.unwrap_err();
    assert!(said.contains("net::ERR_SSL"), "{said}");
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn whoever_judges_how_tls_is_spoken_finds_nothing_above_low(db: PgPool) {
    let looks = |rig: &Rig| Looks::at(rig.edge.http.port());
    let fleet = Fleet::start(db, looks).await;
    let (_, claim) = fleet.claim("acme", "shop.example.com").await;
    fleet.point(&claim).await;
    fleet.rig.until_served("shop.example.com").await;
    let found = found_by_testssl(&fleet.rig, "shop.example.com").await;
    assert!(found.is_empty(), "{found:#?}");
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
#[ignore = "needs Pebble"]
async fn where_plain_http_is_closed_a_name_is_proven_by_tls(db: PgPool) {
    // Nobody is at port 1.
    let looks = |rig: &Rig| Looks { tls: rig.edge.https.port(), ..Looks::at(1) };
    let fleet = Fleet::start(db.clone(), looks).await;
    let (_, claim) = fleet.claim("acme", "shop.example.com").await;
    fleet.point(&claim).await;
    let refused = async {
        let asked = "select count(*) from certificates.acme_order where refusals > 0";
        while sqlx::query_scalar::<_, i64>(asked).fetch_one(&db).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), refused).await.unwrap();
    // Who is refused waits a minute; here nobody does.
    let now = "update certificates.acme_order set next_at = now()";
    sqlx::query(now).execute(&db).await.unwrap();
    fleet.rig.until_served("shop.example.com").await;
}
