//! One-time links.
use accounts::Role;
use accounts::links::{LinkError, Purpose, consume, issue, peek};
use sqlx::{Connection, PgPool};

use crate::{noon, seconds, signed_up_as};

const PURPOSE: Purpose = Purpose::ResetPassword;

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_used_link_cannot_be_used_again(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    let link = issue(&mut conn, PURPOSE, Some(jane.id), noon()).await.unwrap();
    let token = link.token.expose();
    let used = consume(&mut conn, token, PURPOSE, noon()).await.unwrap();
    assert_eq!(used.person_id, Some(jane.id));
    let again = consume(&mut conn, token, PURPOSE, noon()).await;
    assert!(matches!(again, Err(LinkError::Used)), "{again:?}");
    assert!(matches!(peek(&mut conn, token, PURPOSE, noon()).await, Err(LinkError::Used)));
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn of_many_at_once_one_uses_the_link(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    let link = issue(&mut conn, PURPOSE, Some(jane.id), noon()).await.unwrap();
    let all: Vec<_> = (0..10)
        .map(|_| {
            let (db, token) = (db.clone(), link.token.clone());
            tokio::spawn(async move {
                let mut tx = db.begin().await.unwrap();
                let used = consume(&mut tx, token.expose(), PURPOSE, noon()).await;
                tx.commit().await.unwrap();
                used
            })
        })
        .collect();
    let mut used = 0;
    for one in all {
        match one.await.unwrap() {
            Ok(_) => used += 1,
            Err(error) => assert!(matches!(error, LinkError::Used), "{error:?}"),
        }
    }
    assert_eq!(used, 1);
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_link_whose_effect_failed_is_still_good(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    let link = issue(&mut conn, PURPOSE, Some(jane.id), noon()).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    consume(&mut tx, link.token.expose(), PURPOSE, noon()).await.unwrap();
    tx.rollback().await.unwrap();
    consume(&mut conn, link.token.expose(), PURPOSE, noon()).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn looking_at_a_link_does_not_use_it(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let link = issue(&mut conn, Purpose::AdminWelcome, None, noon()).await.unwrap();
    for _ in 0..3 {
        let seen = peek(&mut conn, link.token.expose(), Purpose::AdminWelcome, noon()).await;
        assert_eq!(seen.unwrap().expires_at, link.expires_at);
    }
    consume(&mut conn, link.token.expose(), Purpose::AdminWelcome, noon()).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_link_ends_in_its_time(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let link = issue(&mut conn, Purpose::AdminWelcome, None, noon()).await.unwrap();
    let day_later = noon() + seconds(24 * 3600);
    assert_eq!(link.expires_at, day_later);
    let token = link.token.expose();
    let late = consume(&mut conn, token, Purpose::AdminWelcome, day_later).await;
    assert!(matches!(late, Err(LinkError::Expired)), "{late:?}");
    consume(&mut conn, token, Purpose::AdminWelcome, day_later - seconds(1)).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_new_link_ends_the_former_of_its_kind_only(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    let (john, _) = signed_up_as(&mut conn, "john", Role::User).await;
    let other = issue(&mut conn, Purpose::VerifyEmail, Some(jane.id), noon()).await.unwrap();
    let johns = issue(&mut conn, PURPOSE, Some(john.id), noon()).await.unwrap();
    for (purpose, subject) in [(PURPOSE, Some(jane.id)), (Purpose::AdminWelcome, None)] {
        let former = issue(&mut conn, purpose, subject, noon()).await.unwrap();
        consume(&mut conn, former.token.expose(), purpose, noon()).await.unwrap();
        let former = issue(&mut conn, purpose, subject, noon()).await.unwrap();
        let newer = issue(&mut conn, purpose, subject, noon()).await.unwrap();
        let gone = consume(&mut conn, former.token.expose(), purpose, noon()).await;
        assert!(matches!(gone, Err(LinkError::Unknown)), "{gone:?}");
        consume(&mut conn, newer.token.expose(), purpose, noon()).await.unwrap();
    }
    consume(&mut conn, other.token.expose(), Purpose::VerifyEmail, noon()).await.unwrap();
    consume(&mut conn, johns.token.expose(), PURPOSE, noon()).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_link_is_good_for_its_purpose_only(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    let link = issue(&mut conn, Purpose::VerifyEmail, Some(jane.id), noon()).await.unwrap();
    for text in [link.token.expose(), "made-up", ""] {
        let wrong = consume(&mut conn, text, PURPOSE, noon()).await;
        assert!(matches!(wrong, Err(LinkError::Unknown)), "{wrong:?}");
    }
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_link_is_not_in_the_database_in_plain(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let link = issue(&mut conn, Purpose::AdminWelcome, None, noon()).await.unwrap();
    let row: String = sqlx::query_scalar("select row_to_json(link)::text from accounts.link")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert!(!row.contains(link.token.expose()), "{row}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn only_the_owner_to_come_is_nobody_yet(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let refused = issue(&mut conn, PURPOSE, None, noon()).await.unwrap_err();
    let constraint = refused.as_database_error().and_then(|error| error.constraint());
    assert_eq!(constraint, Some("link_has_subject"));
}
