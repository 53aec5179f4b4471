//! Choosing another password.
use accounts::change_password::finish;
use accounts::events::{self, Kind};
use accounts::sessions::SignedIn;
use accounts::sign_in::{SignInError, begin, sign_in};
use accounts::{NewPassword, Role, sessions};
use sqlx::{PgConnection, PgPool};

use crate::{PASSWORD, noon, passwords, signed_up_as, trying};

const NEW: &str = "correct battery horse";

/// Changes the password of who is signed in, proved by `old`.
async fn change(
    conn: &mut PgConnection,
    signed_in: &SignedIn,
    proof: (&str, &str),
) -> Result<u64, SignInError> {
    let (name, old) = proof;
    let turn = passwords().turn().unwrap();
    let verified = begin(conn, turn, trying(name, old), noon()).await?.verify().await?;
    let new = NewPassword::new(&NEW.into(), &signed_in.person.email).unwrap();
    let hash = passwords().hash(&new).await.unwrap();
    finish(conn, verified, &hash, signed_in, noon()).await
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_new_password_takes_the_place_of_the_old_and_ends_the_other_sessions(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (_, here) = signed_up_as(&mut conn, "jane", Role::User).await;
    let elsewhere = sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), noon()).await;
    let (_, elsewhere) = elsewhere.unwrap();
    // Its password was right when it began.
    let turn = passwords().turn().unwrap();
    let begun = begin(&mut conn, turn, trying("jane", PASSWORD), noon()).await.unwrap();
    let late = begun.verify().await.unwrap();

    let signed_in = sessions::find(&mut conn, here.token.expose(), noon()).await.unwrap().unwrap();
    assert_eq!(change(&mut conn, &signed_in, ("jane", PASSWORD)).await.unwrap(), 1);
    assert!(sessions::find(&mut conn, here.token.expose(), noon()).await.unwrap().is_some());
    assert!(sessions::find(&mut conn, elsewhere.token.expose(), noon()).await.unwrap().is_none());
    let late = accounts::sign_in::finish(&mut conn, late, noon()).await;
    assert!(matches!(late, Err(SignInError::Refused)), "{late:?}");
    let old = sign_in(&mut conn, &passwords(), trying("jane", PASSWORD), noon()).await;
    assert!(matches!(old, Err(SignInError::Refused)));
    sign_in(&mut conn, &passwords(), trying("jane", NEW), noon()).await.unwrap();
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_changed_password_is_written_down_with_what_had_failed(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (jane, here) = signed_up_as(&mut conn, "jane", Role::User).await;
    let signed_in = sessions::find(&mut conn, here.token.expose(), noon()).await.unwrap().unwrap();
    change(&mut conn, &signed_in, ("jane", "a guess at it")).await.unwrap_err();
    change(&mut conn, &signed_in, ("jane", PASSWORD)).await.unwrap();
    let last = events::list(&mut conn, jane.id, 1).await.unwrap().remove(0);
    assert_eq!((last.kind, last.failures), (Kind::PasswordChanged, 1));
}

#[sqlx::test(migrator = "accounts::MIGRATOR")]
async fn a_session_left_open_cannot_guess_the_password(db: PgPool) {
    let mut conn = db.acquire().await.unwrap();
    let (_, here) = signed_up_as(&mut conn, "jane", Role::User).await;
    signed_up_as(&mut conn, "mallory", Role::User).await;
    let signed_in = sessions::find(&mut conn, here.token.expose(), noon()).await.unwrap().unwrap();
    // Nor does somebody else's password count.
    let other = change(&mut conn, &signed_in, ("mallory", PASSWORD)).await;
    assert!(matches!(other, Err(SignInError::Refused)), "{other:?}");
    for _ in 0..5 {
        let wrong = change(&mut conn, &signed_in, ("jane", "a guess at it")).await;
        assert!(matches!(wrong, Err(SignInError::Refused)), "{wrong:?}");
    }
    let slowed = change(&mut conn, &signed_in, ("jane", PASSWORD)).await;
    assert!(matches!(slowed, Err(SignInError::TooMany(_))), "{slowed:?}");
}
