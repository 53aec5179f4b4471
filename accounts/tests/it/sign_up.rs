//! Making an account.
use accounts::people::NewPerson;
use accounts::sign_up::{SignUpError, begin, sign_up};
use accounts::{NewPassword, Role, Status, people};
use sqlx::PgPool;

use crate::{PASSWORD, new_person, noon, passwords, seconds, signed_up_as, visit};

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn an_address_has_one_account_however_it_is_written(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "jane", Role::User).await;
    let again = NewPerson { email: "JANE@EXAMPLE.COM".parse().unwrap(), ..new_person("other") };
    let password = NewPassword::new(&PASSWORD.into(), &again.email).unwrap();
    let error = sign_up(&mut conn, &passwords(), &again, &password, &visit(), noon()).await;
    assert!(matches!(error, Err(SignUpError::EmailTaken)), "{error:?}");
    assert_eq!(people::list(&mut conn, None, 10).await.unwrap().people.len(), 1);
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn who_is_pending_gets_no_session(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let new = NewPerson { status: Status::Pending, ..new_person("jane") };
    let password = NewPassword::new(&PASSWORD.into(), &new.email).unwrap();
    let (person, session) =
        sign_up(&mut conn, &passwords(), &new, &password, &visit(), noon()).await.unwrap();
    assert_eq!(person.status, Status::Pending);
    assert!(session.is_none());
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_flood_of_sign_ups_from_one_address_is_slowed(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let mut let_in = 0;
    while begin(&mut conn, &visit(), noon()).await.is_ok() {
        let_in += 1;
    }
    assert_eq!(let_in, 40);
    begin(&mut conn, &visit(), noon() + seconds(1)).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_password_is_not_in_the_database_in_plain(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "jane", Role::User).await;
    let hash: String = sqlx::query_scalar("select hash from accounts.password")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert!(hash.starts_with("$argon2id$") && !hash.contains(PASSWORD));
}
