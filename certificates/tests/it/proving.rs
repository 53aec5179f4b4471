//! How a name becomes a platform's, and stops being it.

use certificates::claims::{self, State, Why};
use jiff::SignedDuration;
use sqlx::PgPool;

use crate::{EDGE, Zone, again, claim, days, look, name, noon, owner, tenant, want, zones};

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn either_record_proves_a_name(db: PgPool) {
    let (dns, acme) = (Zone::default(), tenant("acme"));
    let claims =
        want(&db, &acme, &["a.example.com", "b.example.com", "c.example.com"], noon()).await;
    let [a, b, c] = &claims[..] else { panic!("{claims:?}") };
    assert_eq!(look(&db, &dns, a, noon()).await.tenants, []);
    assert_eq!(again(&db, a).await.why, Some(Why::NothingThere));
    dns.point(a);
    dns.set_token(b);
    // By another name of the name.
    dns.alias("c.example.com", "www.example.net");
    dns.alias("www.example.net", &c.points_at(&zones()));
    for each in [a, b, c] {
        assert_eq!(
            look(&db, &dns, each, noon()).await.tenants,
            std::slice::from_ref(&acme),
            "{}",
            each.name
        );
        assert_eq!(again(&db, each).await.state, State::Verified(noon()));
        assert_eq!(look(&db, &dns, each, noon()).await.tenants, [], "nothing new");
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn people_see_what_was_found_instead(db: PgPool) {
    let (dns, acme) = (Zone::default(), tenant("acme"));
    let claim = claim(&db, &acme, "shop.example.com").await;
    dns.alias("shop.example.com", "old\u{1b}[2Jhost.example.net");
    dns.address("old\u{1b}[2Jhost.example.net", &["198.51.100.7"]);
    look(&db, &dns, &claim, noon()).await;
    let claim = again(&db, &claim).await;
    assert_eq!(claim.why, Some(Why::PointsElsewhere));
    assert_eq!(claim.found, ["A 198.51.100.7", "CNAME old?[2Jhost.example.net"]);
    dns.set_silent(true);
    look(&db, &dns, &claim, noon()).await;
    assert_eq!(again(&db, &claim).await.why, Some(Why::NoAnswer));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn wanting_the_same_names_again_writes_nothing(db: PgPool) {
    let acme = tenant("acme");
    let names = ["a.example.com", "b.example.com"];
    let first = want(&db, &acme, &names, noon()).await;
    let second = want(&db, &acme, &["b.example.com", "a.example.com"], noon() + days(1)).await;
    assert_eq!(first, second);
    let fewer = want(&db, &acme, &["b.example.com"], noon() + days(1)).await;
    assert_eq!(fewer, first[1..]);
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_name_is_lost_after_three_days_without_a_record_and_not_before(db: PgPool) {
    let (dns, acme) = (Zone::default(), tenant("acme"));
    let claim = claim(&db, &acme, "shop.example.com").await;
    dns.point(&claim);
    look(&db, &dns, &claim, noon()).await;
    dns.clear();
    for day in 1..3 {
        assert_eq!(look(&db, &dns, &claim, noon() + days(day)).await.tenants, []);
        assert!(again(&db, &claim).await.is_verified(), "day {day}");
    }
    // One day on which it is there again begins the count anew.
    dns.point(&claim);
    look(&db, &dns, &claim, noon() + days(3)).await;
    dns.clear();
    for day in 4..6 {
        look(&db, &dns, &claim, noon() + days(day)).await;
    }
    assert_eq!(look(&db, &dns, &claim, noon() + days(6)).await.tenants, [acme]);
    let lost = again(&db, &claim).await;
    assert_eq!((lost.state, lost.why), (State::Pending, Some(Why::Lost)));
    assert_ne!(lost.token, claim.token);
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn servers_that_do_not_answer_take_nothing_from_anybody(db: PgPool) {
    let (dns, acme) = (Zone::default(), tenant("acme"));
    let claim = claim(&db, &acme, "shop.example.com").await;
    dns.point(&claim);
    look(&db, &dns, &claim, noon()).await;
    dns.set_silent(true);
    for day in 1..10 {
        assert_eq!(look(&db, &dns, &claim, noon() + days(day)).await.tenants, []);
    }
    assert_eq!(owner(&db, "shop.example.com").await, Some(acme));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_name_without_cname_is_proven_by_its_text_and_kept_by_its_addresses(db: PgPool) {
    let (dns, acme) = (Zone::default(), tenant("acme"));
    let claim = claim(&db, &acme, "example.com").await;
    dns.address("example.com", &[EDGE]);
    look(&db, &dns, &claim, noon()).await;
    assert!(!again(&db, &claim).await.is_verified(), "everybody can point at the edge");
    dns.set_token(&claim);
    look(&db, &dns, &claim, noon()).await;
    dns.clear();
    dns.address("example.com", &[EDGE]);
    for day in 1..5 {
        look(&db, &dns, &claim, noon() + days(day)).await;
    }
    assert!(again(&db, &claim).await.is_verified());
    dns.address("example.com", &[EDGE, "198.51.100.7"]);
    for day in 5..8 {
        look(&db, &dns, &claim, noon() + days(day)).await;
    }
    assert!(!again(&db, &claim).await.is_verified(), "half of its visitors went elsewhere");
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn looks_follow_each_other_quickly_at_first_and_once_a_day_in_the_end(db: PgPool) {
    let (dns, acme) = (Zone::default(), tenant("acme"));
    let claim = claim(&db, &acme, "shop.example.com").await;
    let mut conn = db.acquire().await.unwrap();
    let mut looks = Vec::new();
    while let Some(now) =
        claims::next_due(&mut conn).await.unwrap().filter(|at| *at < noon() + days(30))
    {
        let due = claims::due(&mut conn, 10, now).await.unwrap();
        assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [claim.id]);
        assert!(claims::due(&mut conn, 10, now).await.unwrap().is_empty(), "nobody else gets it");
        look(&db, &dns, &claim, now).await;
        looks.push(now);
    }
    let within = |until: SignedDuration| looks.iter().filter(|at| **at < noon() + until).count();
    let minutes = SignedDuration::from_mins;
    assert!((120..140).contains(&within(minutes(10))), "{}", within(minutes(10)));
    let hour = within(minutes(60)) - within(minutes(10));
    assert!((100..115).contains(&hour), "{hour}");
    let late = within(days(30)) - within(days(15));
    assert!((15..18).contains(&late), "{late}");
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_platform_cannot_claim_without_end(db: PgPool) {
    let acme = tenant("acme");
    let mut conn = db.acquire().await.unwrap();
    for at in 0..claims::MOST_A_DAY {
        let name = name(&format!("n{at}.example.com"));
        claims::want(&mut conn, &zones(), &acme, &[name], noon()).await.unwrap();
    }
    let more = [name("more.example.com")];
    let refused = claims::want(&mut conn, &zones(), &acme, &more, noon()).await;
    assert!(matches!(refused, Err(claims::Error::TooMany)), "{refused:?}");
    claims::want(&mut conn, &zones(), &acme, &more, noon() + days(1)).await.unwrap();
    let other = tenant("other");
    claims::want(&mut conn, &zones(), &other, &more, noon()).await.unwrap();
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_platform_that_comes_back_has_its_names(db: PgPool) {
    let (dns, before, after) = (Zone::default(), tenant("acme"), tenant("acme"));
    let first = claim(&db, &before, "shop.example.com").await;
    dns.point(&first);
    look(&db, &dns, &first, noon()).await;
    let mut conn = db.acquire().await.unwrap();
    for _ in 0..2 {
        claims::inherit(&mut conn, before.uid, after.uid).await.unwrap();
    }
    let its = want(&db, &after, &["shop.example.com"], noon()).await;
    assert_eq!((its[0].id, its[0].is_verified()), (first.id, true));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn looking_often_takes_no_name_from_anybody(db: PgPool) {
    let (dns, acme) = (Zone::default(), tenant("acme"));
    let claim = claim(&db, &acme, "shop.example.com").await;
    dns.point(&claim);
    look(&db, &dns, &claim, noon()).await;
    dns.clear();
    for minute in 1..20 {
        look(&db, &dns, &claim, noon() + SignedDuration::from_mins(minute)).await;
    }
    assert!(again(&db, &claim).await.is_verified());
}
