//! Everything by which names were taken from their owners elsewhere.

use std::sync::Arc;

use certificates::claims::{self, State, Why};
use certificates::{BadName, Name};
use sqlx::PgPool;

use crate::{Zone, again, claim, days, look, name, noon, owner, tenant, want, zones};

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn who_claims_a_name_first_keeps_nobody_from_it(db: PgPool) {
    let (dns, squatter, victim) = (Zone::default(), tenant("squatter"), tenant("victim"));
    let squat = claim(&db, &squatter, "shop.example.com").await;
    let real = claim(&db, &victim, "shop.example.com").await;
    dns.point(&real);
    look(&db, &dns, &squat, noon()).await;
    assert_eq!(owner(&db, "shop.example.com").await, None);
    look(&db, &dns, &real, noon()).await;
    assert_eq!(owner(&db, "shop.example.com").await, Some(victim));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_record_left_behind_gives_the_name_to_nobody_else(db: PgPool) {
    let (dns, first, thief) = (Zone::default(), tenant("first"), tenant("thief"));
    let left = claim(&db, &first, "shop.example.com").await;
    dns.point(&left);
    dns.set_token(&left);
    look(&db, &dns, &left, noon()).await;
    want(&db, &first, &[], noon()).await;
    assert_eq!(owner(&db, "shop.example.com").await, None);
    // Both records are still there, long after the quarantine too.
    let stolen = claim(&db, &thief, "shop.example.com").await;
    for day in [0, 1, 8, 400] {
        look(&db, &dns, &stolen, noon() + days(day)).await;
        assert_eq!(owner(&db, "shop.example.com").await, None, "day {day}");
    }
    assert_ne!((&stolen.token, &stolen.target), (&left.token, &left.target));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_name_claimed_again_wants_a_fresh_proof(db: PgPool) {
    let (dns, acme) = (Zone::default(), tenant("acme"));
    let before = claim(&db, &acme, "shop.example.com").await;
    dns.point(&before);
    dns.set_token(&before);
    look(&db, &dns, &before, noon()).await;
    want(&db, &acme, &[], noon()).await;
    let again_claimed = claim(&db, &acme, "shop.example.com").await;
    look(&db, &dns, &again_claimed, noon()).await;
    assert_eq!(owner(&db, "shop.example.com").await, None);
    // The new CNAME alone does not do while the name is in quarantine.
    dns.point(&again_claimed);
    look(&db, &dns, &again_claimed, noon() + days(1)).await;
    assert_eq!(again(&db, &again_claimed).await.why, Some(Why::Quarantined));
    look(&db, &dns, &again_claimed, noon() + days(8)).await;
    assert_eq!(owner(&db, "shop.example.com").await, Some(acme));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_platform_made_anew_under_an_old_name_has_none_of_its_domains(db: PgPool) {
    let (dns, before, after) = (Zone::default(), tenant("acme"), tenant("acme"));
    let old = claim(&db, &before, "shop.example.com").await;
    dns.point(&old);
    dns.set_token(&old);
    look(&db, &dns, &old, noon()).await;
    let mut conn = db.acquire().await.unwrap();
    claims::release_all(&mut conn, before.uid, noon()).await.unwrap();
    let new = claim(&db, &after, "shop.example.com").await;
    for day in [0, 8] {
        look(&db, &dns, &new, noon() + days(day)).await;
    }
    assert_eq!(owner(&db, "shop.example.com").await, None);
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_name_that_somebody_has_is_taken_by_a_fresh_text_record_alone(db: PgPool) {
    let (dns, old, new) = (Zone::default(), tenant("old"), tenant("new"));
    let had = claim(&db, &old, "shop.example.com").await;
    dns.set_token(&had);
    dns.point(&had);
    look(&db, &dns, &had, noon()).await;
    let wants = claim(&db, &new, "shop.example.com").await;
    dns.point(&wants);
    look(&db, &dns, &wants, noon()).await;
    assert_eq!(again(&db, &wants).await.why, Some(Why::Held));
    assert_eq!(owner(&db, "shop.example.com").await, Some(old.clone()));
    dns.set_token(&wants);
    let changed = look(&db, &dns, &wants, noon()).await;
    assert_eq!(changed.tenants, [old.clone(), new.clone()]);
    assert_eq!(owner(&db, "shop.example.com").await, Some(new.clone()));
    // The record by which the old one had it is still there, and wins nothing any more.
    let displaced = again(&db, &had).await;
    assert_eq!((displaced.state, displaced.why), (State::Pending, Some(Why::Displaced)));
    for day in 0..3 {
        look(&db, &dns, &had, noon() + days(day)).await;
        assert_eq!(owner(&db, "shop.example.com").await, Some(new.clone()));
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_wildcard_record_proves_nothing_to_others(db: PgPool) {
    let (dns, owner_of_all, thief) = (Zone::default(), tenant("owner"), tenant("thief"));
    let own = claim(&db, &owner_of_all, "www.example.com").await;
    // `*.example.com CNAME <the owner's target>`: every name below answers with it.
    for name in ["www.example.com", "evil.example.com"] {
        dns.alias(name, &own.points_at(&zones()));
    }
    let stolen = claim(&db, &thief, "evil.example.com").await;
    look(&db, &dns, &stolen, noon()).await;
    assert_eq!(owner(&db, "evil.example.com").await, None);
    assert_eq!(Name::read("*.example.com"), Err(BadName::Wildcard));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn the_token_of_one_name_proves_no_other(db: PgPool) {
    let (dns, acme) = (Zone::default(), tenant("acme"));
    let claims = want(&db, &acme, &["a.example.com", "b.example.com"], noon()).await;
    let mut moved = claims[0].clone();
    moved.name = claims[1].name.clone();
    dns.set_token(&moved);
    dns.point(&moved);
    look(&db, &dns, &claims[1], noon()).await;
    assert_eq!(owner(&db, "b.example.com").await, None);
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn names_of_the_service_are_given_to_nobody(db: PgPool) {
    let thief = tenant("thief");
    let mut conn = db.acquire().await.unwrap();
    for ours in ["soulfra.app", "login.soulfra.app", "edge.soulfra.app", "a.edge.soulfra.app"] {
        let refused = claims::want(&mut conn, &zones(), &thief, &[name(ours)], noon()).await;
        let Err(claims::Error::BadName(_, BadName::Ours)) = refused else { panic!("{refused:?}") };
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn of_a_thousand_races_each_has_one_winner(db: PgPool) {
    const RACES: usize = 1_000;
    let dns = Arc::new(Zone::default());
    let tenants = [tenant("a"), tenant("b"), tenant("c")];
    let mut conn = db.acquire().await.unwrap();
    let mut claims = Vec::new();
    for tenant in &tenants {
        for part in 0..RACES / 100 {
            let names: Vec<Name> =
                (0..100).map(|at| name(&format!("r{}.example.com", part * 100 + at))).collect();
            let all: Vec<Name> = claims
                .iter()
                .filter(|it: &&claims::Claim| it.tenant == *tenant)
                .map(|it| it.name.clone())
                .chain(names)
                .collect();
            // A thousand names of one platform: over some days.
            let day = days(i64::try_from(part).unwrap());
            let its = claims::want(&mut conn, &zones(), tenant, &all, noon() + day).await.unwrap();
            claims.retain(|it| it.tenant != *tenant);
            claims.extend(its);
        }
    }
    drop(conn);
    for claim in &claims {
        dns.set_token(claim);
    }
    let at = noon() + days(20);
    let mut running = tokio::task::JoinSet::new();
    for chunk in 0..8 {
        let (db, dns) = (db.clone(), dns.clone());
        let mut its: Vec<_> = claims.iter().skip(chunk).step_by(8).cloned().collect();
        // Each begins elsewhere, so that they meet.
        its.rotate_left(chunk * 40);
        running.spawn(async move {
            for claim in its {
                let seen = claims::look(&*dns, &zones(), &claim).await;
                let mut tx = db.begin().await.unwrap();
                match claims::record(&mut tx, claim.id, &seen, at).await {
                    Ok(_) => tx.commit().await.unwrap(),
                    Err(error) => {
                        let constraint = error.as_database_error().and_then(|it| it.constraint());
                        assert_eq!(constraint, Some("claim_verified_key"), "{error}");
                    }
                }
            }
        });
    }
    running.join_all().await;
    let held: i64 = sqlx::query_scalar(
        "select count(distinct name) from certificates.claim where state = 'verified'",
    )
    .fetch_one(&db)
    .await
    .unwrap();
    let all: i64 =
        sqlx::query_scalar("select count(*) from certificates.claim where state = 'verified'")
            .fetch_one(&db)
            .await
            .unwrap();
    assert_eq!((held, all), (1_000, 1_000));
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_cname_that_a_displaced_platform_left_behind_wins_nothing_later(db: PgPool) {
    let (dns, old, new) = (Zone::default(), tenant("old"), tenant("new"));
    let had = claim(&db, &old, "shop.example.com").await;
    dns.point(&had);
    look(&db, &dns, &had, noon()).await;
    let wants = claim(&db, &new, "shop.example.com").await;
    dns.set_token(&wants);
    look(&db, &dns, &wants, noon()).await;
    // The new one gives it up, and the CNAME of the old one is still there.
    want(&db, &new, &[], noon()).await;
    for day in [1, 8, 400] {
        look(&db, &dns, &had, noon() + days(day)).await;
        assert_eq!(owner(&db, "shop.example.com").await, None, "day {day}");
    }
}

#[sqlx::test(migrator = "certificates::MIGRATOR")]
async fn a_look_that_began_before_the_name_was_lost_proves_nothing(db: PgPool) {
    let (dns, old, new) = (Zone::default(), tenant("old"), tenant("new"));
    let had = claim(&db, &old, "shop.example.com").await;
    dns.set_token(&had);
    look(&db, &dns, &had, noon()).await;
    let seen = claims::look(&dns, &zones(), &had).await;
    let wants = claim(&db, &new, "shop.example.com").await;
    dns.set_token(&wants);
    look(&db, &dns, &wants, noon()).await;
    let mut conn = db.acquire().await.unwrap();
    claims::record(&mut conn, had.id, &seen, noon()).await.unwrap();
    assert_eq!(owner(&db, "shop.example.com").await, Some(new));
}
