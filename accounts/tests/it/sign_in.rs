//! Signing in, and being slowed down.
use accounts::events::{self, Kind};
use accounts::passwords::{Cost, Passwords, PasswordsError};
use accounts::sign_in::{SignIn, SignInError, begin, finish, sign_in, sign_out};
use accounts::{Role, people, sessions};
use sqlx::PgPool;

use crate::{PASSWORD, noon, passwords, seconds, signed_up_as, trying, visit, visit_from};

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn the_right_password_begins_a_session(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    let mut request = trying("jane", PASSWORD);
    request.email = " JANE@Example.com".parse().unwrap();
    let (person, session) = sign_in(&mut conn, &passwords(), request, noon()).await.unwrap();
    assert_eq!(person, jane);
    let found = sessions::find(&mut conn, session.token.expose(), noon()).await.unwrap().unwrap();
    assert_eq!((found.person, found.session_id), (jane, session.id));
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn unknown_and_wrong_are_answered_alike(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "jane", Role::User).await;
    let mut answers = [Vec::new(), Vec::new()];
    for (answers, name) in answers.iter_mut().zip(["jane", "nobody"]) {
        for _ in 0..7 {
            let request = trying(name, "not the password");
            let error = sign_in(&mut conn, &passwords(), request, noon()).await.unwrap_err();
            answers.push(error.to_string());
        }
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][4], "The e-mail address or the password is not right");
    assert_eq!(answers[0][5], "Too many attempts; please wait one second");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn delays_double_up_to_a_quarter_of_an_hour(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "jane", Role::User).await;
    let mut now = noon();
    let mut waits = Vec::new();
    for guess in 0..17 {
        // From all over the world, so that only the account is slowed.
        let request = |password| SignIn {
            visit: visit_from(&format!("192.0.2.{guess}")),
            ..trying("jane", password)
        };
        let error = sign_in(&mut conn, &passwords(), request("a guess"), now).await.unwrap_err();
        assert!(matches!(error, SignInError::Refused), "{error:?}");
        // The right password waits as well.
        match sign_in(&mut conn, &passwords(), request("another guess"), now).await {
            Err(SignInError::TooMany(wait)) => {
                waits.push(wait.seconds());
                now += seconds(wait.seconds());
            }
            Err(SignInError::Refused) if guess < 4 => {}
            other => panic!("{other:?}"),
        }
    }
    // Two guesses a round at first, as nothing held up the second one.
    assert_eq!(waits[..3], [1, 2, 4]);
    assert_eq!(waits.last(), Some(&900));
    assert!(waits.windows(2).all(|pair| pair[1] >= pair[0] && pair[1] <= 2 * pair[0]), "{waits:?}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn while_somebody_waits_even_the_right_password_does_and_nothing_is_counted(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "jane", Role::User).await;
    for _ in 0..5 {
        sign_in(&mut conn, &passwords(), trying("jane", "wrong"), noon()).await.unwrap_err();
    }
    for _ in 0..50 {
        let error = sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), noon()).await;
        assert!(matches!(error, Err(SignInError::TooMany(wait)) if wait.seconds() == 1));
    }
    let later = noon() + seconds(1);
    sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), later).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_success_forgets_the_failures_and_tells_of_them(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    for _ in 0..3 {
        for _ in 0..4 {
            let error = sign_in(&mut conn, &passwords(), trying("jane", "wrong"), noon()).await;
            assert!(matches!(error, Err(SignInError::Refused)));
        }
        sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), noon()).await.unwrap();
    }
    let events = events::list(&mut conn, jane.id, 2).await.unwrap();
    assert_eq!((events[0].kind, events[0].failures), (Kind::SignedIn, 4));
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn failures_are_forgiven_with_time(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    for _ in 0..5 {
        sign_in(&mut conn, &passwords(), trying("jane", "wrong"), noon()).await.unwrap_err();
    }
    let next_day = noon() + seconds(24 * 3600);
    for _ in 0..5 {
        let error = sign_in(&mut conn, &passwords(), trying("jane", "wrong"), next_day).await;
        assert!(matches!(error, Err(SignInError::Refused)));
    }
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn an_address_that_tries_many_accounts_is_slowed_even_if_it_owns_one(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "mallory", Role::User).await;
    let mut refused = 0;
    let wait = loop {
        let request = trying(&format!("victim{refused}"), "123456789");
        match sign_in(&mut conn, &passwords(), request, noon()).await {
            Err(SignInError::Refused) => refused += 1,
            Err(SignInError::TooMany(wait)) => break wait,
            other => panic!("{other:?}"),
        }
        if refused % 3 == 0 {
            sign_in(&mut conn, &passwords(), trying("mallory", PASSWORD), noon()).await.unwrap();
        }
    };
    assert_eq!((refused, wait.seconds()), (20, 1));
    // Others are not.
    let elsewhere = SignIn { visit: visit_from("198.51.100.7"), ..trying("mallory", PASSWORD) };
    sign_in(&mut conn, &passwords(), elsewhere, noon()).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn many_guesses_at_once_are_not_one_guess(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "jane", Role::User).await;
    let passwords = passwords();
    let guesses: Vec<_> = (0..40)
        .map(|guess| {
            let (db, passwords) = (db.clone(), passwords.clone());
            tokio::spawn(async move {
                let mut conn = db.acquire().await.unwrap();
                let visit = visit_from(&format!("192.0.2.{guess}"));
                let request = SignIn { visit, ..trying("jane", "a guess at it") };
                sign_in(&mut conn, &passwords, request, noon()).await.unwrap_err()
            })
        })
        .collect();
    let mut looked_at = 0;
    for guess in guesses {
        match guess.await.unwrap() {
            SignInError::Refused => looked_at += 1,
            SignInError::TooMany(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(looked_at, 5);
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn who_is_told_that_we_are_busy_has_not_tried(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    let passwords = Passwords::new(Cost::CHEAP, 1).unwrap();
    let mut queue = Vec::new();
    while let Ok(turn) = passwords.turn() {
        queue.push(turn);
    }
    for _ in 0..30 {
        let busy = sign_in(&mut conn, &passwords, trying("jane", PASSWORD), noon()).await;
        let busy = busy.unwrap_err();
        assert!(matches!(busy, SignInError::Passwords(PasswordsError::Busy)), "{busy:?}");
    }
    drop(queue);
    sign_in(&mut conn, &passwords, trying("jane", PASSWORD), noon()).await.unwrap();
    let events = events::list(&mut conn, jane.id, 1).await.unwrap();
    assert_eq!((events[0].kind, events[0].failures), (Kind::SignedIn, 0));
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn neither_an_address_nor_a_secret_is_kept_of_those_who_fail(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    for _ in 0..5 {
        sign_in(&mut conn, &passwords(), trying("nobody", "wrong"), noon()).await.unwrap_err();
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from accounts.attempt")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(rows, 2, "one for the account, one for the address");
    let kept: String = sqlx::query_scalar(
        "select coalesce(string_agg(row_to_json(attempt)::text, ''), '') from accounts.attempt",
    )
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    assert!(!kept.contains("nobody") && !kept.contains("192.0.2"), "{kept}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_stronger_hash_takes_the_place_of_a_weaker_one(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "jane", Role::User).await;
    let stronger = Passwords::new(Cost { passes: 3, ..Cost::CHEAP }, 1).unwrap();
    for _ in 0..2 {
        sign_in(&mut conn, &stronger, trying("jane", PASSWORD), noon()).await.unwrap();
    }
    let hash: String = sqlx::query_scalar("select hash from accounts.password")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=8,t=3,p=1$"), "{hash}");
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_form_sent_twice_while_its_hash_is_renewed_signs_in_twice(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "jane", Role::User).await;
    let stronger = Passwords::new(Cost { passes: 3, ..Cost::CHEAP }, 4).unwrap();
    let mut sent = Vec::new();
    for _ in 0..4 {
        let turn = stronger.turn().unwrap();
        let begun = begin(&mut conn, turn, trying("jane", PASSWORD), noon()).await.unwrap();
        let verified = begun.verify().await.unwrap();
        let db = db.clone();
        sent.push(async move {
            let mut tx = db.begin().await.unwrap();
            finish(&mut tx, verified, noon()).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    let sent: Vec<_> = sent.into_iter().map(tokio::spawn).collect();
    for one in sent {
        one.await.unwrap();
    }
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn only_the_right_password_is_told_of_a_suspension(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    people::suspend(&mut conn, Role::Admin, jane.id).await.unwrap();
    let wrong = sign_in(&mut conn, &passwords(), trying("jane", "wrong"), noon()).await;
    assert!(matches!(wrong, Err(SignInError::Refused)));
    let right = sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), noon()).await;
    assert!(matches!(right, Err(SignInError::Suspended)));
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_suspension_between_the_steps_counts(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, _) = signed_up_as(&mut conn, "jane", Role::User).await;
    let begun = begin(&mut conn, passwords().turn().unwrap(), trying("jane", PASSWORD), noon())
        .await
        .unwrap();
    let verified = begun.verify().await.unwrap();
    people::suspend(&mut conn, Role::Admin, jane.id).await.unwrap();
    let finished = finish(&mut conn, verified, noon()).await;
    assert!(matches!(finished, Err(SignInError::Suspended)));
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_password_changed_between_the_steps_is_wrong(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    signed_up_as(&mut conn, "jane", Role::User).await;
    let begun = begin(&mut conn, passwords().turn().unwrap(), trying("jane", PASSWORD), noon())
        .await
        .unwrap();
    let verified = begun.verify().await.unwrap();
    sqlx::query("update accounts.password set changed_at = changed_at + interval '1 second'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let finished = finish(&mut conn, verified, noon()).await;
    assert!(matches!(finished, Err(SignInError::Refused)));
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn signing_out_ends_this_session_only(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, here) = signed_up_as(&mut conn, "jane", Role::User).await;
    let (_, there) =
        sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), noon()).await.unwrap();
    let signed_in = sessions::find(&mut conn, here.token.expose(), noon()).await.unwrap().unwrap();
    for _ in 0..2 {
        sign_out(&mut conn, &signed_in, &visit(), noon() + seconds(5)).await.unwrap();
    }
    assert!(sessions::find(&mut conn, here.token.expose(), noon()).await.unwrap().is_none());
    assert!(sessions::find(&mut conn, there.token.expose(), noon()).await.unwrap().is_some());
    let kinds: Vec<_> = events::list(&mut conn, jane.id, 50)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.kind)
        .filter(|kind| *kind == Kind::SignedOut)
        .collect();
    assert_eq!(kinds, [Kind::SignedOut], "the second time there was nothing to end");
}
