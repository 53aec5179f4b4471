//! Making an account.
use accounts::people::{ChangeError, NewPerson};
use accounts::sign_up::{SignUpError, begin, finish, sign_up};
use accounts::{NewPassword, Person, Role, Status, people};
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
    let passwords = passwords();
    let turn = || passwords.turn().unwrap();
    while begin(&mut conn, turn(), &visit(), noon()).await.is_ok() {
        let_in += 1;
    }
    assert_eq!(let_in, 40);
    begin(&mut conn, turn(), &visit(), noon() + seconds(1)).await.unwrap();
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

/// Comes for one of so many places; whether somebody is in afterwards.
async fn comes(db: &PgPool, name: &str, places: Option<u32>) -> Result<Person, SignUpError> {
    let new = new_person(name);
    let password = NewPassword::new(&PASSWORD.into(), &new.email).unwrap();
    let hash = passwords().hash(&password).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let (person, _) = finish(&mut tx, &new, &hash, places, &visit(), noon()).await?;
    tx.commit().await.unwrap();
    Ok(person)
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn of_many_who_come_for_the_last_place_one_gets_it(db: PgPool) {
    comes(&db, "jane", Some(1)).await.unwrap();
    for round in 0..5 {
        let crowd: Vec<_> = (0..4)
            .map(|number| {
                let db = db.clone();
                let places = Some(2 + round);
                tokio::spawn(async move { comes(&db, &format!("p{round}-{number}"), places).await })
            })
            .collect();
        let mut let_in = 0;
        for one in crowd {
            match one.await.unwrap() {
                Ok(_) => let_in += 1,
                Err(SignUpError::Full) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(let_in, 1);
    }
    // Too many are here for a smaller plan: they stay, and nobody else comes.
    assert!(matches!(comes(&db, "late", Some(1)).await, Err(SignUpError::Full)));
    let mut conn = db.acquire().await.unwrap();
    assert_eq!(people::places_taken(&mut conn).await.unwrap(), 6);
    comes(&db, "late", None).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn who_has_an_account_is_told_so_also_where_nobody_else_fits(db: PgPool) {
    comes(&db, "jane", Some(1)).await.unwrap();
    let again = comes(&db, "jane", Some(1)).await;
    assert!(matches!(again, Err(SignUpError::EmailTaken)), "{again:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_suspension_frees_a_place_that_is_needed_to_come_back(db: PgPool) {
    let jane = comes(&db, "jane", Some(1)).await.unwrap();
    let mut conn = db.acquire().await.unwrap();
    people::suspend(&mut conn, Role::Admin, jane.id).await.unwrap();
    let bob = comes(&db, "bob", Some(1)).await.unwrap();

    let mut tx = db.begin().await.unwrap();
    let refused = people::activate(&mut tx, Role::Admin, jane.id, Some(1)).await;
    assert!(matches!(refused, Err(ChangeError::NoPlace)), "{refused:?}");
    tx.rollback().await.unwrap();
    assert_eq!(people::get(&mut conn, jane.id).await.unwrap().unwrap().status, Status::Suspended);
    // Who is in needs none.
    people::activate(&mut conn, Role::Admin, bob.id, Some(0)).await.unwrap();
    people::activate(&mut conn, Role::Admin, jane.id, Some(2)).await.unwrap();
}
