//! Sessions: found by their secret, alive for a time, ended by people.
use accounts::cookie::Cookie;
use accounts::sessions::{
    Means, begin, end, end_of_person_within, end_others, end_within, find, find_any, list,
};
use accounts::visitor::person_of;
use accounts::{Role, people, provider};
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{days, noon, seconds, signed_up_as, visit, visit_from};

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_session_id_is_not_in_the_database_in_plain(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (_, session) = signed_up_as(&mut conn, "jane", Role::User).await;
    let row: String = sqlx::query_scalar("select row_to_json(session)::text from accounts.session")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert!(!row.contains(session.token.expose()), "{row}");
    // Nor does what is stored open anything.
    let stored: Vec<u8> = sqlx::query_scalar("select token_hash from accounts.session")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let stolen = URL_SAFE_NO_PAD.encode(stored);
    assert!(find(&mut conn, &stolen, noon()).await.unwrap().is_none());
    assert!(find(&mut conn, session.token.expose(), noon()).await.unwrap().is_some());
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_request_is_its_cookies_person(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, session) = signed_up_as(&mut conn, "jane", Role::User).await;
    let carrying = |cookie: String| HeaderMap::from_iter([(COOKIE, cookie.parse().unwrap())]);
    let headers = carrying(format!("__Host-session={}", session.token.expose()));
    let signed_in = person_of(&mut conn, &headers, Cookie::Https, noon()).await.unwrap().unwrap();
    assert_eq!(signed_in.person, jane);
    for headers in [HeaderMap::new(), carrying("__Host-session=made-up".to_owned())] {
        let nobody = person_of(&mut conn, &headers, Cookie::Https, noon()).await.unwrap();
        assert!(nobody.is_none());
    }
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_session_unused_for_two_weeks_is_over(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, session) = signed_up_as(&mut conn, "jane", Role::User).await;
    let token = session.token.expose();
    let over = noon() + days(14);
    assert!(list(&mut conn, jane.id, over).await.unwrap().is_empty());
    assert!(find(&mut conn, token, over).await.unwrap().is_none());
    assert!(find(&mut conn, token, over - seconds(1)).await.unwrap().is_some());
    assert!(find(&mut conn, token, over).await.unwrap().is_some(), "it was used a second before");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_session_is_over_after_a_month_however_much_it_is_used(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (_, session) = signed_up_as(&mut conn, "jane", Role::User).await;
    for day in 0..30 {
        let used = find(&mut conn, session.token.expose(), noon() + days(day)).await.unwrap();
        assert!(used.is_some(), "day {day}");
    }
    assert!(find(&mut conn, session.token.expose(), session.expires_at).await.unwrap().is_none());
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn use_is_written_down_once_a_minute(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, session) = signed_up_as(&mut conn, "jane", Role::User).await;
    for (after, seen) in [(59, 0), (60, 60), (119, 60), (120, 120), (90, 120)] {
        find(&mut conn, session.token.expose(), noon() + seconds(after)).await.unwrap().unwrap();
        let session = &list(&mut conn, jane.id, noon()).await.unwrap()[0];
        assert_eq!(session.last_seen_at, noon() + seconds(seen), "used after {after} s");
    }
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn people_see_and_end_their_own_sessions_only(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, first) = signed_up_as(&mut conn, "jane", Role::User).await;
    let (john, _) = signed_up_as(&mut conn, "john", Role::User).await;
    let elsewhere = visit_from("198.51.100.7");
    let second = begin(&mut conn, (jane.id, Means::Password), &elsewhere, noon() + seconds(9))
        .await
        .unwrap();
    let third = begin(&mut conn, (jane.id, Means::Password), &elsewhere, noon() + seconds(5))
        .await
        .unwrap();

    let listed = list(&mut conn, jane.id, noon()).await.unwrap();
    assert_eq!(listed.iter().map(|s| s.id).collect::<Vec<_>>(), [second.id, third.id, first.id]);
    assert_eq!(
        (listed[0].device.as_str(), listed[0].ip.as_str()),
        ("Firefox on Linux", "198.51.100.7")
    );

    assert!(!end(&mut conn, john.id, first.id).await.unwrap(), "not his");
    assert!(end(&mut conn, jane.id, first.id).await.unwrap());
    assert!(!end(&mut conn, jane.id, first.id).await.unwrap(), "gone already");
    assert_eq!(end_others(&mut conn, jane.id, second.id).await.unwrap(), 1);
    assert!(find(&mut conn, third.token.expose(), noon()).await.unwrap().is_none());
    assert!(find(&mut conn, second.token.expose(), noon()).await.unwrap().is_some());
    assert_eq!(list(&mut conn, john.id, noon()).await.unwrap().len(), 1);
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_suspended_person_loses_all_sessions_for_good(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, session) = signed_up_as(&mut conn, "jane", Role::User).await;
    people::suspend(&mut conn, Role::Admin, jane.id).await.unwrap();
    assert!(find(&mut conn, session.token.expose(), noon()).await.unwrap().is_none());
    people::activate(&mut conn, Role::Admin, jane.id, None).await.unwrap();
    assert!(find(&mut conn, session.token.expose(), noon()).await.unwrap().is_none());
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_session_that_slipped_past_a_suspension_counts_for_nothing(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    people::suspend(&mut conn, Role::Admin, jane.id).await.unwrap();
    let session = begin(&mut conn, (jane.id, Means::Password), &visit(), noon()).await.unwrap();
    assert!(find(&mut conn, session.token.expose(), noon()).await.unwrap().is_none());
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_new_role_counts_from_the_next_request_on(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, session) = signed_up_as(&mut conn, "jane", Role::Admin).await;
    people::set_role(&mut conn, Role::Owner, jane.id, Role::User).await.unwrap();
    let found = find(&mut conn, session.token.expose(), noon()).await.unwrap().unwrap();
    assert_eq!(found.person.role, Role::User);
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_person_has_a_bounded_number_of_sessions(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, first) = signed_up_as(&mut conn, "jane", Role::User).await;
    let mut last = None;
    for second in 1..=60 {
        let now = noon() + seconds(second);
        last = Some(begin(&mut conn, (jane.id, Means::Password), &visit(), now).await.unwrap());
    }
    assert_eq!(count(&mut conn).await, 50);
    assert!(find(&mut conn, first.token.expose(), noon()).await.unwrap().is_none());
    assert!(find(&mut conn, last.unwrap().token.expose(), noon()).await.unwrap().is_some());
}

async fn count(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from accounts.session").fetch_one(conn).await.unwrap()
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn whom_a_provider_let_in_is_found_by_who_asks_for_such_sessions_and_by_nobody_else(
    db: PgPool,
) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, own) = signed_up_as(&mut conn, "jane", Role::User).await;
    let (here, there) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let mut begun = Vec::new();
    for within in [here, there] {
        let who = (jane.id, within);
        let session = provider::sign_in(&mut conn, who, &visit(), noon()).await.unwrap().unwrap();
        let token = session.token.expose().to_owned();
        assert!(find(&mut conn, &token, noon()).await.unwrap().is_none());
        let found = find_any(&mut conn, &token, noon()).await.unwrap().unwrap();
        assert_eq!((found.person.id, found.means), (jane.id, Means::Provider(within)));
        let late = noon() + seconds(12 * 3_600);
        assert!(find_any(&mut conn, &token, late).await.unwrap().is_none());
        begun.push(token);
    }
    // However many there are, they end none of those elsewhere.
    for _ in 0..60 {
        provider::sign_in(&mut conn, (jane.id, here), &visit(), noon()).await.unwrap();
    }
    assert!(find_any(&mut conn, &begun[1], noon()).await.unwrap().is_some());
    let found = find(&mut conn, own.token.expose(), noon()).await.unwrap().unwrap();
    assert_eq!((found.means, found.begun_at), (Means::Password, noon()));
    assert_eq!(end_of_person_within(&mut conn, jane.id, there).await.unwrap(), 1);
    assert_eq!(end_within(&mut conn, here).await.unwrap(), 50);
    assert_eq!(list(&mut conn, jane.id, noon()).await.unwrap().len(), 1);
    let nobody = (Uuid::from_u128(9), here);
    assert!(provider::sign_in(&mut conn, nobody, &visit(), noon()).await.unwrap().is_none());
}
